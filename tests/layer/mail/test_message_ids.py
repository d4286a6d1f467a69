"""By what a mail that came in is known when it comes again."""

import re
from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.mail import message
from messaging.mail.mime import make_file
from tests.support.mails import NOW, US, inbound, mailed


@pytest.mark.parametrize(
    "id", [None, "1@example.com", "", "1", "a b@example.com", "x" * 600, "é@example.com", "@"]
)
def test_a_mail_is_the_same_by_what_it_says_whatever_its_message_id_is(id: str | None) -> None:
    it = {"message_id": id, "text": "a", "files": [make_file("a", "", b"1")]}
    first = inbound(mailed(**it), US, NOW).provider_message_id
    assert first == inbound(mailed(**it), US, datetime.now(UTC)).provider_message_id
    others: list[dict[str, Any]] = [
        {"text": "b"},
        {"html": "b"},
        {"subject": "b"},
        {"files": [make_file("a", "", b"2")]},
        {"sender": "b@example.com"},
        {"message_id": "2@example.com"},
    ]
    ids = {inbound(mailed(**it | other), US, NOW).provider_message_id for other in others}
    assert len({first, *ids}) == 7


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("<1@example.com>", "1@example.com/"),
        ("1@example.com", "1@example.com/"),
        (f"<{'x' * 160}@example.com>", f"{'x' * 160}@example.com/"),
        *((said, "") for said in ("<>", "< >", "<a b>", "1", "", "<1>", "<@>", f"<{'x' * 500}@example.com>")),
    ],
)
def test_the_id_of_a_message_begins_with_a_message_id_that_is_one(said: str, shown: str) -> None:
    raw = f"From: ann@example.com\r\nMessage-ID: {said}\r\n\r\nhello".encode()
    us = f"{'u' * 64}@{'e' * 60}.{'e' * 60}.{'e' * 60}.com"
    id = inbound(message.parse_mail(raw), us, NOW).provider_message_id
    assert re.fullmatch(f"{re.escape(shown)}[0-9a-f]{{40}}/{us}", id)
