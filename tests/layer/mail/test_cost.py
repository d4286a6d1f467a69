"""Mails made to be dear: each costs as much as its size, whatever it holds and however many it reached."""

import tracemalloc
from collections.abc import Iterator
from encodings import _cache  # what Python keeps of each charset that it looked for

import pytest
from pydantic_core import to_json

from messaging.mail import inbound, message
from messaging.models import InboundMessage
from messaging.problems import Unreadable
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
    """Each boundary is a part of the next one, and of the content at every place of it."""
    for length in range(39, 2, -2):
        line = b"-" * length
        content = b'Content-Type: multipart/mixed; boundary="%s"\r\n\r\n%s\r\n%s' % (line[2:], line, content)
    return content


def addresses(count: int) -> bytes:
    return b",".join(b"u%d@xn--bcher-kva%d.example.com" % (n, n) for n in range(count)) + b"\r\n"


def unknown_charsets(count: int) -> bytes:
    return b",".join(b"=?z%x?q??=" % n for n in range(count)) + b"\r\n"


def base64(content: bytes) -> bytes:
    head = b"Content-Type: x/y\r\nContent-Transfer-Encoding: base64\r\n\r\n"
    return mixed(b"q", head + content)


DEAR = {
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
    "no base64": base64(b"!" * 6_000_000),
    "hardly base64": base64(b"A!" * 3_000_000),
    "short lines": base64(b"A\r\n" * 2_000_000),
}


@pytest.fixture
def peak() -> Iterator[None]:
    """Of what is in memory at once: 20 times what a webhook may bring."""
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < 120_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.usefixtures("peak")
@pytest.mark.parametrize("name", DEAR)
def test_costs_as_much_as_its_size(name: str) -> None:
    """What is done for each recipient, or is quadratic, would take minutes."""
    messages = inbound.inbound_messages(message.parse_mail(FROM + DEAR[name]), RECIPIENTS, NOW)
    kept = [one for one in messages if isinstance(one, InboundMessage)]
    assert len(kept) == len(RECIPIENTS)
    assert sum(len(to_json(one.content())) + len(to_json(one.extra)) for one in kept) < 30_000_000


@pytest.mark.parametrize("raw", [b"x:\n" * 10_001, mixed(b"q", (b"a:\n" * 2000 + b"\n\n--q\r\n") * 6)])
def test_headers_past_the_ten_thousandth_are_refused(raw: bytes) -> None:
    with pytest.raises(Unreadable, match="headers"):
        message.parse_mail(FROM + raw)


def test_a_head_that_does_not_end_is_none() -> None:
    with pytest.raises(Unreadable, match="no From"):
        message.parse_mail(FROM + b"x" * 2**20)


def test_a_charset_that_nobody_knows_is_not_looked_for() -> None:
    known = len(_cache)
    found = message.parse_mail(FROM + b"Subject: " + unknown_charsets(500).replace(b",", b" ") + SHORT)
    assert found.subject is None
    assert len(_cache) == known
