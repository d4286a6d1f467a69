"""Hundreds of public test mails of other projects: this service shows at least what other readers show."""

import warnings
from collections.abc import Iterator

import pytest

from bench.readers.archives import ARCHIVES, Archive, read_mails
from bench.readers.reader import (
    Seen,
    read_by_compat32,
    read_by_email,
    read_by_fast_mail_parser,
    read_by_mail_parser,
    read_by_service,
)

pytestmark = pytest.mark.slow

STANDARD = (read_by_email, read_by_compat32)
OTHERS = (*STANDARD, read_by_mail_parser, read_by_fast_mail_parser)

ACCEPTED = {
    "test/big5": "its From is in Big5, as its text is; the other readers decode it as UTF-8 or Latin-1"
}
"""Mails of which the other readers show something wrong, with the reason."""


def seen_by_others(raw: bytes) -> list[Seen]:
    """What the other readers show. A reader that raises shows nothing."""
    seen = []
    with warnings.catch_warnings(action="ignore"):
        for reader in OTHERS:
            try:
                seen.append(reader(raw))
            except Exception:  # noqa: BLE001  # they raise many kinds of exceptions
                seen.append(Seen())
    return seen


def has_text(seen: Seen) -> bool:
    return bool((seen.text + seen.html).strip())


def faults(raw: bytes) -> Iterator[str]:
    """What a person does not see of a mail, and would see in other readers."""
    try:
        seen = read_by_service(raw)
    except Exception as error:  # noqa: BLE001  # one fault does not hide the others
        yield f"{type(error).__name__}: {error}"
        return
    others = seen_by_others(raw)
    if not has_text(seen):
        with_text = [has_text(other) for other in others]
        if any(with_text[: len(STANDARD)]) or sum(with_text) >= 2:
            yield "no text"
    senders = [other.sender for other in others if "@" in other.sender]
    if senders and "@" not in seen.sender:
        yield f"no sender, others have {senders}"
    if len(senders) >= 3 and seen.sender.lower() not in {sender.lower() for sender in senders}:
        yield f"sender {seen.sender}, others have {senders}"


@pytest.mark.parametrize("archive", ARCHIVES, ids=lambda archive: archive.name.rpartition("-")[0])
def test_no_reader_shows_a_text_or_a_sender_that_this_service_hides(archive: Archive) -> None:
    mails = dict(read_mails(archive))
    assert len(mails) >= 5
    faults_by_path = {path: list(faults(raw)) for path, raw in mails.items() if path not in ACCEPTED}
    assert {path: found for path, found in faults_by_path.items() if found} == {}
    assert [path for path in mails if path in ACCEPTED and not list(faults(mails[path]))] == []
