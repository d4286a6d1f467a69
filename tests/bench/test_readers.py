"""The comparison of readers of email, and the table that docs/mail.md shows of it."""

import re
from collections import Counter

from bench.readers import comparison
from bench.readers.mails import MAILS, Kind, differences
from bench.readers.reader import READERS, Seen

THIS = "this service"


def test_every_kind_has_at_least_five_mails_of_different_names() -> None:
    names = {(mail.kind, mail.name) for mail in MAILS}
    assert len(names) == len(MAILS)
    assert min(Counter(mail.kind for mail in MAILS).values()) >= 5
    assert {mail.kind for mail in MAILS} == set(Kind)


def test_a_difference_names_the_field() -> None:
    expected = Seen("mia@example.org", "Parcel", "Here", "", (("a.pdf", b"a"),))
    assert differences(expected, expected._replace(subject=" Parcel ", text="Here\r\n", html="<p>Here")) == []
    assert differences(expected, Seen()) == ["sender", "subject", "text", "files"]
    assert differences(expected, expected._replace(files=(("b.pdf", b"a"),))) == ["files"]
    assert differences(expected, expected._replace(files=())) == ["files"]
    assert differences(Seen(html="Here"), Seen(html="<p>Here</p>")) == []
    assert differences(Seen(html="Here"), Seen(html="<p>There</p>")) == ["html"]


def test_a_reader_that_raises_is_not_right() -> None:
    counts = comparison.count_right([mail.expected for mail in MAILS[:-1]] + [None])
    assert counts.total() == len(MAILS) - 1


def test_the_mail_page_shows_how_many_mails_this_service_reads_right() -> None:
    counts = {THIS: comparison.count_right(comparison.read_all(READERS[THIS], comparison.RAW_MAILS))}
    table, _, _ = comparison.DOCUMENT.read_text(encoding="utf-8").partition(comparison.PUBLIC)
    shown = re.findall(r"^\| [a-z ]+ \| \d+ \| \d+ \|", table, re.MULTILINE)
    assert shown == list(comparison.rows(counts))[2:], "run .venv/bin/python -m bench readers"
