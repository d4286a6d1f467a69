"""What each reader shows of the same mails, as the tables in docs/mail.md."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path

from bench.readers import node
from bench.readers.archives import ARCHIVES, read_mails
from bench.readers.mails import MAILS, Kind, differences
from bench.readers.reader import READERS, Reader, Seen

DOCUMENT = Path(__file__).parents[2] / "docs" / "mail.md"
BEGIN, END = "<!-- comparison: python -m bench readers -->\n", "<!-- end of comparison -->\n"
PUBLIC = """The next table is about other projects' test mails ([list](../bench/readers/archives.py)), which
nobody chose for this service. Some of them have no text or no sender."""
RAW_MAILS = [mail.raw for mail in MAILS]
FAULTS: Mapping[str, Callable[[Seen], bool]] = {
    "have no text and no HTML": lambda mail: not (mail.text + mail.html).strip(),
    "have no sender": lambda mail: "@" not in mail.sender,
    "have a replacement character in the text": lambda mail: "\ufffd" in mail.text + mail.html,
}
"""What a person would miss in a mail. Some mails are so, and every reader shows it."""


def run(say: Callable[[str], None]) -> int:
    """Compare the readers, and write the tables to docs/mail.md."""
    public = [raw for archive in ARCHIVES for _, raw in read_mails(archive)]
    seen = {name: read_all(reader, RAW_MAILS) for name, reader in READERS.items()}
    seen |= node.read_by_node(RAW_MAILS)
    seen_public = {name: read_all(reader, public) for name, reader in READERS.items()}
    seen_public |= node.read_by_node(public)
    counts = {name: count_right(shown) for name, shown in seen.items()}
    lines = [*rows(counts), "", PUBLIC, "", *public_rows(seen_public)]
    tables = "".join(f"{line}\n" for line in lines)
    before, _, tables_and_after = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = tables_and_after.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{tables}\n{END}{after}", encoding="utf-8")
    say(tables)
    return 0


def read_all(reader: Reader, mails: Sequence[bytes]) -> list[Seen | None]:
    """Return what the reader shows of each mail, or None if it raises."""
    seen: list[Seen | None] = []
    with warnings.catch_warnings(action="ignore"):
        for raw in mails:
            try:
                seen.append(reader(raw))
            except Exception:  # noqa: BLE001  # whatever it raises, a person sees nothing
                seen.append(None)
    return seen


def count_right(seen: Sequence[Seen | None]) -> Counter[Kind]:
    """Count what a reader reads right. `seen` is what it shows of each of MAILS."""
    counts: Counter[Kind] = Counter()
    for mail, shown in zip(MAILS, seen, strict=True):
        counts[mail.kind] += shown is not None and not differences(mail.expected, shown)
    return counts


def rows(counts: Mapping[str, Mapping[Kind, int]]) -> Iterator[str]:
    """A table in Markdown: how many mails of each kind each reader reads right."""
    totals = Counter(mail.kind for mail in MAILS)
    yield from _head("kind", "mails", *counts)
    for kind, total in totals.items():
        yield _row(kind, total, *(by_kind[kind] for by_kind in counts.values()))
    yield _row("all", totals.total(), *(sum(by_kind.values()) for by_kind in counts.values()))


def public_rows(seen: Mapping[str, Sequence[Seen | None]]) -> Iterator[str]:
    """A table in Markdown: of how many mails each reader shows nothing, or lacks something."""
    total = max(map(len, seen.values()))
    yield from _head(f"of {total} public mails", *seen)
    yield _row("raise an exception", *(sum(mail is None for mail in mails) for mails in seen.values()))
    for name, is_fault in FAULTS.items():
        yield _row(name, *(sum(is_fault(mail) for mail in mails if mail) for mails in seen.values()))


def _head(*names: str) -> Iterator[str]:
    yield _row(*names)
    yield "|" + "---|" * len(names)


def _row(*cells: object) -> str:
    return f"| {' | '.join(map(str, cells))} |"
