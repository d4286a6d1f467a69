"""The cost of a hostile mail grows only with its size, not with its content or its number of recipients."""

import tracemalloc
from collections.abc import Iterator
from encodings import _cache  # an entry for each charset that Python has looked up

import pytest
from pydantic_core import to_json

from messaging.mail import inbound, message
from messaging.mail.defects import Defect
from messaging.models import InboundMessage
from tests.support.mails import NOW

RECIPIENTS = [f"u{n}@example.com" for n in range(100)]
FROM = b"From: a@example.com\r\n"
FILE = b"Content-Type: x/y\r\n\r\n" + b"x" * 6_000_000
QUOTES = b"Content-Type: text/html\r\n\r\n<b>\xf0\x9f\x98\x80\r\n--q\r\n\r\n" + b'"' * 6_000_000
SHORT = b"\r\nhi"


def mixed(boundary: bytes, content: bytes) -> bytes:
    return b"Content-Type: multipart/mixed; boundary=%s\r\n\r\n--%s\r\n%s" % (boundary, boundary, content)


def nested(content: bytes) -> bytes:
    for depth in range(19):
        content = mixed(b"b%d" % depth, content)
    return content


def dashes(content: bytes) -> bytes:
    """Each boundary is a substring of the next one, and occurs at every position of the content."""
    for length in range(39, 2, -2):
        line = b"-" * length
        content = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n%s\r\n%s' % (line[2:], line, content)
    return content


def addresses(count: int) -> bytes:
    return b",".join(b"u%d@xn--bcher-kva%d.example.com" % (n, n) for n in range(count)) + b"\r\n"


def unknown_charsets(count: int) -> bytes:
    return b",".join(b"=?z%x?q??=" % n for n in range(count)) + b"\r\n"


def encoded(encoding: bytes, content: bytes) -> bytes:
    head = b"Content-Type: x/y\r\nContent-Transfer-Encoding: %s\r\n\r\n" % encoding
    return mixed(b"q", head + content)


def base64(content: bytes) -> bytes:
    return encoded(b"base64", content)


def encoded_multiparts(content: bytes) -> bytes:
    """Each boundary can be seen only after its multipart is decoded."""
    for depth in range(19):
        head = b"Content-Type: multipart/mixed; boundary==b%d\r\n" % depth
        head += b"Content-Transfer-Encoding: quoted-printable\r\n\r\n"
        content = head + (b"--=b%d\r\n" % depth + content).replace(b"=", b"=3D")
    return content


def text(charset: bytes, content: bytes) -> bytes:
    return b"Content-Type: text/plain; charset=%b\r\n\r\n%b" % (charset, content)


EXPENSIVE = {
    "addresses": b"".join(name + addresses(400) for name in (b"To: ", b"Cc: ", b"Reply-To: ")) + SHORT,
    "commas": b"To: " + b"x@y," * 250_000 + b"\r\n" + SHORT,
    "references": b"References: " + b"<x>" * 340_000 + b"\r\n" + SHORT,
    "charsets": b"To: " + unknown_charsets(70_000) + SHORT,
    "text": mixed(
        b"q", b"\r\n" + b"x" * 10**6 + b"\r\n--q\r\nContent-Type: text/html\r\n\r\n" + b"y" * 10**6
    ),
    "parameters": mixed(b"q", (b'Content-Type: x/y; a="' + b";" * 3900 + b"\r\n\r\n\r\n--q\r\n") * 900),
    "file": mixed(b"q", FILE),
    "dashes": dashes(b"-" * 6_000_000),
    "escapes": mixed(b"q", QUOTES),
    "depth": nested(FILE),
    "not base64": base64(b"!" * 6_000_000),
    "half base64": base64(b"A!" * 3_000_000),
    "short lines": base64(b"A\r\n" * 2_000_000),
    "chunks": base64(b"QQ==" * 500_000),
    "words": base64(b"A " * 3_000_000),
    "equals signs": encoded(b"quoted-printable", b"==" * 3_000_000),
    "soft line breaks": encoded(b"quoted-printable", b"= \n" * 2_000_000),
    "uuencode": encoded(b"uuencode", b"begin 644 a\n" + b"!!!!\n" * 300_000),
    "uuencode in text": b"\r\n" + b"begin 644 a\n!!!!\n" * 300_000,
    "boundary lines": b"Content-Type: multipart/mixed; boundary=z\r\n\r\n" + b"\n--a" * 1_500_000,
    "closing lines": b"Content-Type: multipart/mixed; boundary=z\r\n\r\n" + b"\n--a--b" * 850_000,
    "carriage returns": b"\r\n" + b"\r" * 4_000_000,
    "headers in text": b"\r\n" + b"Content-Type: multipart/mixed; boundary=b\r\n\r\n--b\r\n\r\n" * 100_000,
    "lines that are not headers": b"X-A: b\r\n"
    + b"a=b;\r\n" * 150_000
    + b"Content-Type: a/b;\r\n"
    + b"a=b;\r\n" * 9000,
    "encoded multiparts": encoded_multiparts(FILE),
    "character sets": text(b"iso-2022-jp", b"\x1b$B!!" * 100_000),
    "lines of ISO-2022-JP": text(b"iso-2022-jp", b"\x1b$B" + b"!!\n" * 100_000),
    "runs of EUC-JP": text(b"euc-jp", b"\xa1\xa1a" * 100_000),
    "not EUC-JP": text(b"euc-jp", b"\xff" * 4_000_000),
    "euro signs": text(b"gbk", b"\x80a" * 100_000),
    "not UTF-8": text(b"utf-8", b"\xe9a" * 2_000_000),
    "raw words": b"Subject: " + b"=?a?q?" * 160_000 + b"\xe9\r\n" + SHORT,
    "blanks of a word": b"Subject: =?" + b" " * 1_000_000 + b"\xe9\r\n" + SHORT,
    "long words": b"Subject: " + (b"=?a?q?" + b"x" * 50) * 17_000 + b"\xe9\r\n" + SHORT,
    "ends of words": b"Subject: =?a?q?" + b"?=20" * 240_000 + b"\xe9\r\n" + SHORT,
    "charset of a word": b"Subject: =?" + b"a" * 1_000_000 + b"\xe9\r\n" + SHORT,
}


def size(message: InboundMessage) -> int:
    """The bytes of its JSON, without its files."""
    return len(to_json(message.content())) + len(to_json(message.extra))


@pytest.fixture
def memory_limit() -> Iterator[None]:
    """Limits the peak of memory to 20 times the size of the largest webhook."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 120_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.slow
@pytest.mark.usefixtures("memory_limit")
@pytest.mark.parametrize("name", EXPENSIVE)
def test_an_expensive_mail_is_stored_for_each_recipient_in_limits(name: str) -> None:
    """Repeated work for each recipient, or quadratic time, would be minutes."""
    results = inbound.inbound_messages(message.parse_mail(FROM + EXPENSIVE[name]), RECIPIENTS, NOW)
    stored = [message for message in results if isinstance(message, InboundMessage)]
    assert len(stored) == len(RECIPIENTS)
    assert sum(size(message) for message in stored) < 30_000_000


OVER_LIMITS = {
    "headers": (b"x:\n" * 20_000 + b"Subject: late\n\nhi", Defect.HEADERS_OMITTED, "hi"),
    "headers without an end": (b"x:\n" * 20_000, Defect.HEADERS_OMITTED, "x:"),
    "headers of one part": (mixed(b"q", b"x:\n" * 20_000 + b"\nhi\n--q--"), Defect.HEADERS_OMITTED, "hi"),
    "headers of all parts": (
        mixed(b"q", b"\nhi\n--q\n" + (b"a:\n" * 2000 + b"\n\n--q\r\n") * 60),
        Defect.PARTS_OMITTED,
        "hi",
    ),
    "parts": (mixed(b"q", b"\nhi\n--q\n" + b"\n\n--q\n" * 20_000), Defect.PARTS_OMITTED, "hi"),
    "nested parts": (
        mixed(b"q", b"\nhi\n--q\n" + (mixed(b"r", b"\n\n--r\n" * 400) + b"\n--q\n") * 20),
        Defect.PARTS_OMITTED,
        "hi",
    ),
}


@pytest.mark.parametrize(("raw", "defect", "text"), OVER_LIMITS.values(), ids=OVER_LIMITS)
def test_a_mail_over_a_limit_shows_what_is_read_and_the_mail_itself_is_a_file(
    raw: bytes, defect: Defect, text: str
) -> None:
    mail = message.parse_mail(FROM + raw)
    assert defect in mail.defects
    assert (mail.text or "").strip().startswith(text)
    assert mail.sender == "a@example.com"
    assert [file.content for file in mail.files if file.name == "message.eml"] == [FROM + raw]


@pytest.mark.parametrize("raw", [b"x:\n" * 9_000 + b"\nhi", mixed(b"q", b"\nhi\n--q\n" * 998)])
def test_a_mail_within_the_limits_is_read_in_whole(raw: bytes) -> None:
    mail = message.parse_mail(FROM + raw)
    assert not set(mail.defects) & {Defect.HEADERS_OMITTED, Defect.PARTS_OMITTED}
    assert mail.files == []


def test_the_header_that_exceeds_the_limit_is_text() -> None:
    mail = message.parse_mail(FROM + b"Subject: short\r\nX-Long: " + b"x" * 2**20)
    assert mail.subject == "short"
    assert mail.text is not None
    assert mail.text.startswith("X-Long: xxx")
    assert mail.defects == {Defect.HEADER_SEPARATOR_MISSING}


def test_an_unknown_charset_is_not_looked_up() -> None:
    before = len(_cache)
    mail = message.parse_mail(FROM + b"Subject: " + unknown_charsets(500).replace(b",", b" ") + SHORT)
    assert mail.subject is None
    assert len(_cache) == before
