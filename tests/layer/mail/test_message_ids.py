"""The provider message id of an inbound mail is the same when the mail is delivered again."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.mail import message
from messaging.mail.files import make_file
from tests.support.mails import NOW, US, inbound, make_mail


@pytest.mark.parametrize(
    "id", [None, "1@example.com", "", "1", "a b@example.com", "x" * 600, "é@example.com", "@"]
)
def test_the_id_depends_on_the_content_whatever_the_message_id_is(id: str | None) -> None:
    fields: dict[str, Any] = {"message_id": id, "text": "a", "files": [make_file("a", "", b"1")]}
    first = inbound(make_mail(**fields), US, NOW).provider_message_id
    assert first == inbound(make_mail(**fields), US, datetime.now(UTC)).provider_message_id
    others: list[dict[str, Any]] = [
        {"text": "b"},
        {"html": "b"},
        {"subject": "b"},
        {"files": [make_file("a", "", b"2")]},
        {"sender": "b@example.com"},
        {"message_id": "2@example.com"},
    ]
    ids = {inbound(make_mail(**fields | other), US, NOW).provider_message_id for other in others}
    assert len({first, *ids}) == 7


@pytest.mark.parametrize(
    ("header", "prefix"),
    [
        ("<1@example.com>", "1@example.com/"),
        ("1@example.com", "1@example.com/"),
        (f"<{'x' * 130}@example.com>", f"{'x' * 130}@example.com/"),
        ("<>", ""),
        ("< >", ""),
        ("<a b>", ""),
        ("1", ""),
        ("", ""),
        ("<1>", ""),
        ("<@>", ""),
        (f"<{'x' * 500}@example.com>", ""),
    ],
)
def test_the_id_begins_with_the_message_id_if_it_is_valid(header: str, prefix: str) -> None:
    raw = f"From: ann@example.com\r\nMessage-ID: {header}\r\n\r\nhello".encode()
    recipient = f"{'u' * 64}@{'e' * 60}.{'e' * 60}.{'e' * 60}.com"
    id = inbound(message.parse_mail(raw), recipient, NOW).provider_message_id
    assert re.fullmatch(f"{re.escape(prefix)}[0-9a-f]{{40}}/{recipient}", id)
