"""Mails and events as SendGrid posts them, and what a person sees of them."""

import json
from typing import Any

import pytest

from bench.readers.mails import MAILS, TEXT, FieldMail, differences
from bench.readers.reader import Seen
from tests.layer.providers.sendgrid import signatures
from tests.support.http_client import post
from tests.support.inbox import Inbox, multipart

PATH = "/api/webhooks/email/sendgrid"
BOUNDARY = "xYzZY"
ENVELOPE_SENDER = "bounces@mailer.example.net"


def post_form(
    inbox: Inbox, *parts: tuple[str, bytes, bytes], boundary: str = BOUNDARY, body: bytes | None = None
) -> int:
    body = body or multipart(BOUNDARY, *parts)
    content_type = f"multipart/form-data; boundary={boundary}"
    return inbox.post(PATH, body, {**signatures.headers(body), "content-type": content_type})


def envelope(address: str) -> tuple[str, bytes, bytes]:
    return "envelope", b"", json.dumps({"to": [address], "from": ENVELOPE_SENDER}).encode()


def post_mail(inbox: Inbox, address: str, raw: bytes) -> dict[str, Any]:
    """Post a raw mail, and return its message."""
    assert post_form(inbox, ("email", b"", raw), envelope(address)) == 200
    [message] = inbox.messages(address)
    return message


def seen(inbox: Inbox, message: dict[str, Any]) -> Seen:
    texts = message["from"], message["subject"] or "", message["body"], message["html"] or ""
    return Seen(*texts, files=inbox.files(message))


@pytest.mark.parametrize("mail", MAILS, ids=lambda mail: f"{mail.kind}: {mail.name}")
def test_a_mail_is_shown_as_its_author_meant_it(inbox: Inbox, address: str, mail: FieldMail) -> None:
    shown = seen(inbox, post_mail(inbox, address, mail.raw))
    assert differences(mail.expected, shown) == [], shown


def mail_with(address: str, *headers: str) -> bytes:
    lines = [f"To: {address}", "Subject: Parcel 12", *headers, "", TEXT, ""]
    return "\r\n".join(lines).encode()


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        # The envelope comes first: it is the only address that a server checked, and bounces go there.
        ([], ENVELOPE_SENDER),
        (["Reply-To: mia@example.org"], ENVELOPE_SENDER),
        (["From: undisclosed", "Sender: desk@example.org"], ENVELOPE_SENDER),
        (["From:", "Return-Path: <mia@example.org>"], ENVELOPE_SENDER),
        (["From: <>"], ENVELOPE_SENDER),
    ],
)
def test_a_mail_without_a_sender_is_shown_under_its_envelopes(
    inbox: Inbox, address: str, headers: list[str], sender: str
) -> None:
    message = post_mail(inbox, address, mail_with(address, *headers))
    assert (message["from"], message["body"].strip()) == (sender, TEXT)
    assert message["extra"]["defects"] == ["sender_from_envelope"]


@pytest.mark.parametrize(
    ("headers", "sender"),
    [
        # Reply-To names the same person here. If they differ, X-Original-Sender is right: only the group's
        # server writes it, and the owner of a group can direct all answers to the group.
        (
            [
                "From: 'Mia' via Sales <sales@lists.example.com>",
                "List-Id: <sales.lists.example.com>",
                "X-Original-Sender: mia@example.org",
                "Reply-To: Mia <mia@example.org>",
            ],
            "mia@example.org",
        ),
        (
            [
                "From: 'Mia' via Sales <sales@lists.example.com>",
                "List-Id: <sales.lists.example.com>",
                "X-Original-From: Mia Berg <mia@example.org>",
                "Reply-To: sales@lists.example.com",
            ],
            "mia@example.org",
        ),
        (["From: Contact form <{address}>", "Reply-To: Mia Berg <mia@example.org>"], "mia@example.org"),
        (["From: {address}", "X-Original-Sender: mia@example.org"], "mia@example.org"),
        # A Reply-To of another mail is where answers go, and not who wrote.
        (["From: Mia <mia@example.org>", "Reply-To: office@example.org"], "mia@example.org"),
    ],
    ids=["group", "group with its own Reply-To", "contact form", "forwarded by ourselves", "no group"],
)
def test_the_customer_of_a_group_or_a_form_is_the_person(
    inbox: Inbox, address: str, headers: list[str], sender: str
) -> None:
    written = [header.format(address=address) for header in headers]
    message = post_mail(inbox, address, mail_with(address, *written))
    assert (message["from"], message["body"].strip()) == (sender, TEXT)
    is_another = sender not in written[0]
    assert message["extra"].get("from") == (written[0].removeprefix("From: ") if is_another else None)


def test_the_names_beside_addresses_are_shown(inbox: Inbox, address: str) -> None:
    head = ["From: =?utf-8?Q?J=C3=BCrgen_Ott?= <juergen@example.org>", "Cc: Mia <mia@example.org>"]
    message = post_mail(inbox, address, mail_with(f"Help desk <{address}>", *head))
    assert (message["from_name"], message["to_name"]) == ("Jürgen Ott", "Help desk")
    assert (message["cc"], message["cc_names"]) == (["mia@example.org"], {"mia@example.org": "Mia"})


@pytest.mark.parametrize(
    "copy", ["root@localhost", '"kim lee"@example.org', "ole@mail_1.example.org", "yuki..sato.@ezweb.example"]
)
def test_copies_may_have_unusual_addresses(inbox: Inbox, address: str, copy: str) -> None:
    message = post_mail(inbox, address, mail_with(address, "From: mia@example.org", f"Cc: {copy}"))
    assert message["cc"] == [copy]


@pytest.mark.parametrize("sender", ['"kim lee"@example.org', "backup@nas7", "yuki..sato.@ezweb.example"])
def test_a_customer_with_an_unusual_address_can_be_answered(inbox: Inbox, address: str, sender: str) -> None:
    received = post_mail(inbox, address, mail_with(address, f"From: <{sender}>"))
    answer = post(inbox.url("/api/messages/email"), {"from": address, "to": sender, "body": "Thank you"})
    assert (answer.status, answer.body.get("to")) == (202, sender), answer
    assert answer.body["conversation_id"] == received["conversation_id"]


FORM = [
    ("headers", b"", b"Message-ID: <parcel-12@example.org>\r\nFrom: Mia <mia@example.org>\r\n"),
    ("from", b"", b"Mia <mia@example.org>"),
    ("subject", b"", b"Parcel 12"),
    ("text", b"", TEXT.encode()),
    ("attachments", b"", b"1"),
]


@pytest.mark.parametrize(
    ("head", "name"),
    [
        # Browsers and old clients write the name in their own charset. The bytes tell no more than Latin-1.
        (b'; filename="Gr\xfc\xdfe.pdf"', "Grüße.pdf"),
        ('; filename="Grüße.pdf"'.encode(), "Grüße.pdf"),
        (b"; filename=\"Gr.pdf\"; filename*=UTF-8''Gr%C3%BC%C3%9Fe.pdf", "Grüße.pdf"),
        (b'; filename="=?utf-8?B?R3LDvMOfZS5wZGY=?="', "Grüße.pdf"),
        (b'; filename=".."', "attachment.pdf"),
        (b'; filename="C:\\\\scans\\\\slip.pdf"', "slip.pdf"),
    ],
    ids=["latin-1", "utf-8", "filename*", "encoded word", "dots", "a path"],
)
def test_a_files_name_in_a_form_is_read(inbox: Inbox, address: str, head: bytes, name: str) -> None:
    file = ("attachment1", head + b"\r\nContent-Type: application/pdf", b"%PDF-1.7")
    assert post_form(inbox, *FORM, envelope(address), file) == 200
    [message] = inbox.messages(address)
    assert (message["from"], message["body"]) == ("mia@example.org", TEXT)
    assert inbox.files(message) == ((name, b"%PDF-1.7"),)


def test_the_fields_of_a_form_have_their_own_charsets(inbox: Inbox, address: str) -> None:
    charsets = json.dumps({"subject": "windows-31j", "text": "windows-874"}).encode()
    parts = [
        ("from", b"", b"mia@example.org"),
        ("subject", b"", "①番の荷物".encode("cp932")),
        ("text", b"", "สวัสดี".encode("cp874")),
        ("charsets", b"", charsets),
    ]
    assert post_form(inbox, *parts, envelope(address)) == 200
    [message] = inbox.messages(address)
    assert (message["subject"], message["body"]) == ("①番の荷物", "สวัสดี")


def test_a_captured_request_with_another_boundary_shows_nothing_else(
    unchecked_inbox: Inbox, address: str
) -> None:
    """The signature does not cover the Content-Type: a text can contain another form."""
    inside = multipart("inner", ("from", b"", b"boss@example.org"), ("text", b"", b"Pay"), envelope(address))
    body = multipart(BOUNDARY, *FORM[:3], ("text", b"", inside), envelope(address))
    assert post_form(unchecked_inbox, body=body) == 200
    before = unchecked_inbox.messages(address)
    post_form(unchecked_inbox, body=body, boundary="inner")
    assert unchecked_inbox.messages(address) == before
    assert [message["from"] for message in before] == ["mia@example.org"]


@pytest.mark.parametrize(
    "event",
    [
        {"event": "bounce", "type": "bounce", "sg_message_id": "", "reason": "550 unknown user"},
        {"event": "bounce", "type": "bounce", "sg_message_id": None},
        {"event": "bounce", "type": "blocked"},
        {"event": "delivered", "timestamp": 1736150400.125, "sg_message_id": "Qx1.recvd-1"},
        {"event": "dropped", "timestamp": "1736150400.5", "sg_message_id": "Qx2.recvd-1"},
        {"event": "open", "timestamp": 1736150400.0, "sg_message_id": "Qx3.recvd-1", "useragent": None},
    ],
)
def test_a_report_without_an_id_or_with_a_float_is_no_fault(inbox: Inbox, event: dict[str, object]) -> None:
    events = [{"email": "mia@example.org", "timestamp": 1736150400, "sg_event_id": "e1", **event}]
    body = json.dumps(events).encode()
    headers = {**signatures.headers(body), "content-type": "application/json"}
    assert inbox.post(PATH, body, headers) == 200


def test_an_operator_sees_what_cannot_be_read(unchecked_inbox: Inbox, address: str) -> None:
    """A mail without a recipient in its envelope belongs to nobody."""
    before = unchecked_inbox.unread()
    body = multipart(BOUNDARY, ("email", b"", mail_with(address, "From: mia@example.org")))
    assert post_form(unchecked_inbox, body=body) == 202
    [unread] = [webhook for webhook in unchecked_inbox.unread() if webhook not in before]
    assert (unread["provider"], unread["kind"], unread["size"]) == ("sendgrid", "unreadable", len(body))
    assert unchecked_inbox.download(unread["id"]) == body
