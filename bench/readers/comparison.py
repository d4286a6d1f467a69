"""How many of the mails each reader reads right, as the table in docs/mail.md."""

import warnings
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

from bench.readers import node
from bench.readers.mails import MAILS, Kind, differences
from bench.readers.reader import READERS, Reader, Seen

DOCUMENT = Path(__file__).parents[2] / "docs" / "mail.md"
BEGIN, END = "<!-- comparison: python -m bench readers -->\n", "<!-- end of comparison -->\n"
RAW_MAILS = [mail.raw for mail in MAILS]
Counts = Mapping[Kind, int]
"""How many mails of each kind a reader reads right."""


def run(say: Callable[[str], None]) -> int:
    """Compare the readers, and write the table to docs/mail.md."""
    counts = {name: count_right(reader) for name, reader in READERS.items()}
    counts |= {name: right(seen) for name, seen in node.read_by_node(RAW_MAILS).items()}
    table = "".join(f"{row}\n" for row in rows(counts))
    before, _, table_and_after = DOCUMENT.read_text(encoding="utf-8").partition(BEGIN)
    _, _, after = table_and_after.partition(END)
    DOCUMENT.write_text(f"{before}{BEGIN}\n{table}\n{END}{after}", encoding="utf-8")
    say(table)
    return 0


def count_right(reader: Reader) -> Counter[Kind]:
    """Read all mails. Where the reader raises, it shows nothing."""
    seen: list[Seen | None] = []
    with warnings.catch_warnings(action="ignore"):
        for raw in RAW_MAILS:
            try:
                seen.append(reader(raw))
            except Exception:  # noqa: BLE001  # whatever it raises, a person sees nothing
                seen.append(None)
    return right(seen)


def right(seen: list[Seen | None]) -> Counter[Kind]:
    """Count what a reader reads right. `seen` is what it shows of each of MAILS."""
    counts: Counter[Kind] = Counter()
    for mail, shown in zip(MAILS, seen, strict=True):
        counts[mail.kind] += shown is not None and not differences(mail.expected, shown)
    return counts


def rows(counts: Mapping[str, Counts]) -> Iterator[str]:
    """The table in Markdown, with a column for each reader."""
    totals = Counter(mail.kind for mail in MAILS)
    yield f"| kind | mails | {' | '.join(counts)} |"
    yield "|---|---|" + "---|" * len(counts)
    for kind, total in totals.items():
        cells = [str(by_kind[kind]) for by_kind in counts.values()]
        yield f"| {' | '.join([kind, str(total), *cells])} |"
    sums = [str(sum(by_kind.values())) for by_kind in counts.values()]
    yield f"| {' | '.join(['all', str(totals.total()), *sums])} |"
