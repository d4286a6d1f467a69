"""The headers of a mail."""

from datetime import UTC, datetime

import pytest

from messaging.mail import message
from messaging.mail.message import Mail
from messaging.problems import Unreadable

NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)


def read(*lines: str, content: bytes = b"", sender: str = "ann@example.com") -> Mail:
    return message.parse_mail("\r\n".join([f"From: {sender}", *lines, "", ""]).encode() + content)


def test_a_mail_has_the_fields_of_its_headers() -> None:
    mail = read(
        "To: Us <us@example.com>,\r\n other@example.com",
        "Cc: =?utf-8?q?B=2C?= <b@example.com>",
        "Reply-To: r@example.com",
        "Message-ID:\r\n <1@example.com>",
        "In-Reply-To: <0@example.com> (his)",
        "References: <a@example.com>\r\n <0@example.com>",
        "Date: Fri, 1 Nov 2024 09:00:00 -0500 (EST)",
    )
    assert [mailbox.address for mailbox in mail.to] == ["us@example.com", "other@example.com"]
    assert [(mailbox.name, mailbox.address) for mailbox in mail.cc] == [("B,", "b@example.com")]
    assert [mailbox.address for mailbox in mail.reply_to] == ["r@example.com"]
    assert (mail.message_id, mail.in_reply_to) == ("1@example.com", "0@example.com")
    assert (mail.references, mail.date) == (["a@example.com", "0@example.com"], NOW)


@pytest.mark.parametrize(
    "date", ["", "yesterday", "Fri, 99 Nov 2024 09:00:00", "Fri, 31 Dec 9999 23:59:59 -2359", "1" * 5000]
)
def test_a_malformed_date_is_none(date: str) -> None:
    assert read(f"Date: {date}").date is None


@pytest.mark.parametrize("raw", [b"", b"\r\n\r\n"])
def test_an_empty_mail_is_unreadable(raw: bytes) -> None:
    with pytest.raises(Unreadable):
        message.parse_mail(raw)
