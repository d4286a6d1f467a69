"""Mail that Mailgun's routes forward, parsed or raw."""

import re
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, unquote_to_bytes, urlencode

import pytest

from messaging.models import InboundMessage
from messaging.problems import Invalid, Unreadable
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import Webhook
from tests.layer.providers.mailgun import signatures

PAYLOADS = Path(__file__).parent / "payloads"
RECEIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)
ALICE, BOB = "alice@sample.mailgun.com", "bob@example.org"
PNG = b"\x89PNG\r\n\x1a\n" + bytes(range(256))


def fields(name: str) -> dict[str, str]:
    return dict(parse_qsl((PAYLOADS / f"{name}.form").read_text(), keep_blank_values=True))


def parse(body: bytes, kind: str = signatures.URLENCODED) -> list[InboundMessage]:
    url = "https://api.example.com/api/webhooks/email/mailgun"
    parts = Mailgun("mailgun", {}).parse(Webhook(url, "", {"content-type": kind}, body, RECEIVED_AT))
    return [part for part in parts if isinstance(part, InboundMessage)]


def read(**form: str) -> InboundMessage:
    [message] = parse(urlencode({name.replace("_", "-"): value for name, value in form.items()}).encode())
    return message


def test_a_parsed_mail_is_read() -> None:
    mail = read(**fields("received"))
    assert (mail.sender, mail.recipient) == (BOB, ALICE)
    assert (mail.cc, mail.reply_to) == (["carol@example.org"], "office@example.org")
    assert mail.subject == "Re: Sample POST request"
    assert mail.body == "Hi Alice,\n\nThis is Bob. 👋\n\n> On 26.04.2013, Alice wrote:\n> Hi Bob"
    assert mail.html == "<html><body>Hi Alice,<p>This is Bob. 👋</p></body></html>"
    assert mail.timestamp == datetime(2013, 4, 26, 18, 50, 29, tzinfo=UTC)
    assert (
        mail.provider_message_id
        == f"517ACC75.5010709@example.org/613ad4d144a0fff8db7d1d97a470af4a5b86d42e/{ALICE}"
    )
    assert mail.extra == {
        "message_id": "517ACC75.5010709@example.org",
        "in_reply_to": "517AC78B.5060404@sample.mailgun.com",
        "references": ["517AC78B.5060404@sample.mailgun.com"],
        "sender": BOB,
        "x-mailgun-spf": "Pass",
        "x-mailgun-dkim-check-result": "Pass",
        "x-mailgun-sflag": "No",
        "x-mailgun-sscore": "1.7",
    }


@pytest.mark.parametrize(
    ("name", "body"),
    [
        ("received_text_only", "Hi Alice,\n\nThis is Bob. 👋\n\n> On 26.04.2013, Alice wrote:\n> Hi Bob"),
        ("received_nothing", ""),
    ],
)
def test_a_mail_with_few_fields_is_read(name: str, body: str) -> None:
    mail = read(**fields(name))
    assert (mail.body, mail.html, mail.files) == (body, None, [])


@pytest.mark.parametrize(
    "header_list", [None, "", "[]", "{}", "[1]", '[["From"]]', '{"a": 1}', "[[[], {}]]", "\udcff"]
)
def test_a_mail_without_headers_is_read_from_the_form(header_list: str | None) -> None:
    form = fields("received_without_headers")
    body = urlencode(
        form | ({"message-headers": header_list} if header_list else {}), errors="surrogateescape"
    )
    [mail] = parse(body.encode())
    assert (mail.sender, mail.subject, mail.timestamp) == (BOB, "Re: Sample POST request", RECEIVED_AT)
    assert mail.provider_message_id.endswith(f"/{ALICE}")
    assert parse(body.encode()) == [mail]


def test_a_malformed_header_does_not_lose_the_others() -> None:
    header_list = r'[["From", "b@example.com"], ["X-Odd", "caf\udce9"], "x", ["Cc", "c@example.com"]]'
    [mail] = parse(urlencode(fields("received_without_headers") | {"message-headers": header_list}).encode())
    assert (mail.sender, mail.cc) == ("b@example.com", ["c@example.com"])


def test_files_are_stored_with_their_content_ids() -> None:
    [mail] = parse((PAYLOADS / "received_files.multipart").read_bytes(), signatures.MULTIPART)
    assert [(file.name, file.content_type, file.content) for file in mail.files] == [
        ("a.png", "image/png", PNG),
        ("Bericht ü.pdf", "application/pdf", b""),
    ]
    assert mail.extra["content_ids"] == {"part1.04060802@example.org": 1}
    assert mail.body.startswith("Hi Alice")


def test_derived_fields_are_left_out() -> None:
    mail = read(**fields("received"))
    assert not [name for name in mail.extra if name.startswith("stripped")]


def test_the_fields_of_store_are_in_extra() -> None:
    """The URLs of stored files require the API key, so a route has to use forward() to get files."""
    attachments = '[{"url": "https://storage.mailgun.net/0", "name": "a.pdf", "size": 9}]'
    mail = read(**fields("received"), message_url="https://storage.mailgun.net/", attachments=attachments)
    assert (mail.extra["message-url"], mail.extra["attachments"]) == (
        "https://storage.mailgun.net/",
        attachments,
    )


def test_each_recipient_gets_one_message() -> None:
    form = fields("received") | {"recipient": f"{ALICE}, Dora <dora@sample.mailgun.com>,{ALICE},"}
    messages = parse(urlencode(form).encode())
    assert [message.recipient for message in messages] == [ALICE, "dora@sample.mailgun.com"]
    assert len({message.provider_message_id for message in messages}) == 2


@pytest.mark.parametrize(
    ("name", "subject", "body"),
    [("latin_8bit", "Grüße", "Schöne Grüße\n"), ("iso_2022_jp", "こんにちは", "こんにちは\n")],
)
@pytest.mark.parametrize("kind", [signatures.URLENCODED, signatures.MULTIPART])
def test_a_raw_mail_is_read(name: str, subject: str, body: str, kind: str) -> None:
    written = (PAYLOADS / f"mime_{name}.form").read_bytes()
    if kind == signatures.MULTIPART:
        raw = unquote_to_bytes(written.partition(b"body-mime=")[2])
        written = signatures.part("recipient", ALICE.encode()) + signatures.part("sender", BOB.encode())
        written += signatures.part("body-mime", raw) + signatures.multipart({}, {})
    [mail] = parse(written, kind)
    assert (mail.sender, mail.recipient, mail.subject, mail.body) == (BOB, ALICE, subject, body)
    assert re.fullmatch(f"1@example.org/[0-9a-f]{{40}}/{ALICE}", mail.provider_message_id)
    assert mail.extra["x-mailgun-sflag"] == "No"
    assert mail.timestamp == datetime(2013, 4, 26, 18, 50, 29, tzinfo=UTC)


@pytest.mark.parametrize("recipient", ["", ",", " , "])
def test_a_mail_without_recipients_is_invalid(recipient: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(urlencode({**fields("received"), "recipient": recipient}).encode())
    assert [error["field"] for error in raised.value.errors] == ["recipient"]


def test_content_that_is_not_a_mail_is_refused() -> None:
    with pytest.raises(Unreadable):
        parse(b"recipient=alice%40sample.mailgun.com&body-mime=+")
    with pytest.raises(Invalid):
        parse(b"x", "multipart/form-data")


@pytest.mark.parametrize(
    "more",
    [
        b'; filename="Gr\xf6\xdfe.pdf"\r\nContent-Type: application/pdf',
        '; filename="履歴書.pdf"'.encode("shift_jis"),
        '; filename="Größe.pdf"'.encode(),
        b"; filename=\xff\xfe",
        b'; filename="a.pdf"\r\nX-Note: \xe9',
        b"; filename*=utf-8''%E2%82%AC.pdf; filename=\"\xe9\"",
    ],
    ids=["latin-1", "Shift_JIS", "UTF-8", "unquoted", "another header", "extended"],
)
def test_bytes_of_any_charset_in_the_head_of_a_part_do_not_hide_the_mail(more: bytes) -> None:
    form = {"recipient": ALICE, "from": BOB, "subject": "Order 7", "body-plain": "Please call me back."}
    file = b'--%s\r\nContent-Disposition: form-data; name="attachment-1"%s\r\n\r\n%%PDF\xff\r\n'
    parts = signatures.multipart({**form, **signatures.signature(RECEIVED_AT)}, {})
    body = file % (signatures.BOUNDARY.encode(), more) + parts
    webhook = Webhook(
        "https://api.example.com/", "", {"content-type": signatures.MULTIPART}, body, RECEIVED_AT
    )
    assert Mailgun("mailgun", {"signing_key": signatures.KEY}).verify(webhook).replay_token
    [mail] = parse(body, signatures.MULTIPART)
    assert (mail.sender, mail.body) == (BOB, "Please call me back.")
    assert [file.content for file in mail.files] == [b"%PDF\xff"]


@pytest.mark.parametrize(
    "kind", ["", "application/json", "text/plain", "multipart/form-data; boundary=x", "\xff"]
)
def test_only_the_body_decides_how_a_request_is_read(kind: str) -> None:
    """A token is valid for one body. With another Content-Type, that body must not be another message."""
    for body, usual in (
        ((PAYLOADS / "received_files.multipart").read_bytes(), signatures.MULTIPART),
        ((PAYLOADS / "received.form").read_bytes(), signatures.URLENCODED),
    ):
        assert parse(body, kind) == parse(body, usual) != []
