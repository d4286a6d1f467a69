"""Mails and events as Mailgun posts them, and what a person sees of them."""

import pytest

from bench.readers.mails import MAILS, TEXT, FieldMail, differences
from bench.readers.reader import Seen
from tests.layer.providers.mailgun import signatures
from tests.support.inbox import Inbox, multipart

PATH = "/api/webhooks/email/mailgun"
BOUNDARY = "b4a7c1"
Part = tuple[str, bytes, bytes]


def post_form(inbox: Inbox, fields: dict[str, str], *files: Part) -> int:
    parts: list[Part] = [
        (name, b"", value.encode()) for name, value in (signatures.signature() | fields).items()
    ]
    body = multipart(BOUNDARY, *parts, *files)
    return inbox.post(PATH, body, {"content-type": f"multipart/form-data; boundary={BOUNDARY}"})


@pytest.mark.parametrize("mail", MAILS[::4], ids=lambda mail: f"{mail.kind}: {mail.name}")
def test_a_mail_is_shown_as_its_author_meant_it(inbox: Inbox, address: str, mail: FieldMail) -> None:
    fields = {"recipient": address, "sender": "bounces@mailer.example.net"}
    assert post_form(inbox, fields, ("body-mime", b"", mail.raw)) == 200
    [message] = inbox.messages(address)
    texts = message["from"], message["subject"] or "", message["body"], message["html"] or ""
    shown = Seen(*texts, files=inbox.files(message))
    assert differences(mail.expected, shown) == [], shown


def fields_of(address: str, **more: str) -> dict[str, str]:
    return {
        "recipient": address,
        "sender": "mia@example.org",
        "from": "Mia <mia@example.org>",
        "subject": "Parcel 12",
        "message-headers": "[]",
        "body-plain": TEXT,
        **more,
    }


@pytest.mark.parametrize(
    ("head", "name"),
    [
        # The signature covers a time and a token, so nothing is refused because of a file's name.
        (b'; filename="Stra\xdfe.pdf"', "Straße.pdf"),
        ('; filename="Straße.pdf"'.encode(), "Straße.pdf"),
        (b"; filename=\"Str.pdf\"; filename*=UTF-8''Stra%C3%9Fe.pdf", "Straße.pdf"),
        (b'; filename=""', "attachment.pdf"),
        # A name of dots names a folder. Such a file has the name of one without a name.
        (b'; filename="."', "attachment.pdf"),
        (b'; filename="scans/.."', "attachment.pdf"),
        (b'; filename="scans/"', "attachment.pdf"),
    ],
)
def test_a_files_name_in_a_form_is_read(inbox: Inbox, address: str, head: bytes, name: str) -> None:
    file = ("attachment-1", head + b"\r\nContent-Type: application/pdf", b"%PDF-1.7")
    assert post_form(inbox, fields_of(address), file) == 200
    [message] = inbox.messages(address)
    assert (message["from"], message["body"]) == ("mia@example.org", TEXT)
    assert inbox.files(message) == ((name, b"%PDF-1.7"),)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("", "mia@example.org"),
        ("undisclosed", "mia@example.org"),
        ("Ole <ole@mail_1.example.org>", "ole@mail_1.example.org"),
        ("root@localhost", "root@localhost"),
        ("Mia Berg mia.berg@example.org", "mia.berg@example.org"),
    ],
)
def test_a_sender_is_shown_whatever_from_says(inbox: Inbox, address: str, written: str, shown: str) -> None:
    assert post_form(inbox, fields_of(address, **{"from": written})) == 200
    [message] = inbox.messages(address)
    assert (message["from"], message["body"]) == (shown, TEXT)


@pytest.mark.parametrize("event", ["delivered", "opened", "clicked", "bounced", "dropped", "complained"])
def test_an_old_report_is_no_mail(inbox: Inbox, address: str, event: str) -> None:
    """In Mailgun's old webhooks, which are forms, `recipient` is the contact."""
    headers = f'[["Message-Id", "<12@example.com>"], ["From", "us@example.com"], ["To", "{address}"]]'
    fields = {"event": event, "recipient": address, "domain": "example.com", "message-headers": headers}
    assert post_form(inbox, {**fields, "Message-Id": "<12@example.com>"}) == 200
    assert inbox.messages(address) == []
