"""How mail that Inbound Parse posts is read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import DeliveryReport, InboundMessage
from messaging.problems import Invalid
from messaging.providers.provider import Webhook
from messaging.providers.sendgrid import SendGrid
from tests.layer.providers.sendgrid.test_contract import EVENT, FORM

PAYLOADS = Path(__file__).parent / "payloads"
RECEIVED = datetime(2024, 11, 1, 14, 0, 5, tzinfo=UTC)
SAID = {"dkim": "{@example.org : pass}", "spf": "pass", "sender_ip": "192.0.2.25"}


def read(body: bytes, content_type: str = FORM) -> list[Any]:
    webhook = Webhook("https://example.com/hook", "", {"content-type": content_type}, body, RECEIVED)
    return list(SendGrid("sendgrid", {}).parse(webhook))


def form(**fields: str) -> bytes:
    """A form. A file's field is named `field|filename`."""
    parts = []
    for field, content in fields.items():
        name, _, filename = field.partition("|")
        named = f'name="{name}"' + (f'; filename="{filename}"' if filename else "")
        parts.append(f"--xYzZY\r\nContent-Disposition: form-data; {named}\r\n\r\n{content}\r\n")
    return "".join([*parts, "--xYzZY--\r\n"]).encode()


MAIL = {
    "headers": "Message-ID: <1@example.org>\n",
    "from": "contact@example.org",
    "subject": "Hello",
    "text": "Hello",
    "envelope": '{"to":["user@example.com"],"from":"contact@example.org"}',
}


@pytest.mark.parametrize(
    ("payload", "expected"),
    [
        (
            "inbound_text",
            {"subject": "Hello", "body": "Hello there.\n\nAnn\n", "html": None, "cc": [], "files": []},
        ),
        (
            "inbound_html",
            {
                "subject": "Grüße aus Köln 🎉",
                "body": "Schöne Grüße 🎉\n",
                "html": "<p>Schöne <b>Grüße</b> 🎉</p>",
            },
        ),
        ("inbound_iso_2022_jp", {"subject": "こんにちは 会議の件", "body": "明日の会議は午後三時です。\n"}),
        (
            "inbound_windows_1252",
            {
                "subject": "Café – 5 €",  # noqa: RUF001  # the dash is what is tested
                "body": "“Ça coûte 5 €”, dit-il…\n",
                "html": "<p>“Ça coûte 5&nbsp;€”</p>",
            },
        ),
        ("inbound_empty", {"subject": None, "body": "", "html": None}),
        ("inbound_media_only", {"subject": "IMG_2359", "body": "", "html": None}),
        ("inbound_inline_image", {"subject": "Different File Types"}),
        ("inbound_recipients", {"cc": ["bob@example.net", "user@example.com"]}),
        (
            "inbound_raw",
            {
                "subject": "Halló 👋",
                "body": "Halló, ein sehr langer Satz, der in der Mitte umbrochen wurde,"
                " weil eine Zeile nur 76 Zeichen hat.\n",
                "html": '<div dir="ltr">Halló</div>\n',
            },
        ),
        ("inbound_raw_iso_2022_jp", {"subject": "件名です", "body": "本文です。\n", "html": None}),
        ("inbound_without_id", {"body": "No id\n"}),
    ],
)
def test_reads_a_mail(payload: str, expected: dict[str, object]) -> None:
    message, *_ = read((PAYLOADS / f"{payload}.form").read_bytes())
    assert isinstance(message, InboundMessage)
    assert (message.type, message.sender) == ("email", "contact@example.org")
    assert message.recipient == "user@example.com"
    assert message.timestamp == datetime(2024, 11, 1, 14, tzinfo=UTC)
    assert {name: getattr(message, name) for name in expected} == expected
    assert message.extra.items() >= SAID.items()


@pytest.mark.parametrize(
    ("payload", "files", "content_ids"),
    [
        (
            "inbound_media_only",
            [("IMG_2359.png", "image/png", b"\x89PNG"), ("Übersicht – Q3.pdf", "application/pdf", b"%PDF")],  # noqa: RUF001
            None,
        ),
        (
            "inbound_inline_image",
            [
                ("MG_2359.png", "image/png", b"\x89PNG"),
                (
                    "DockMcWordface.docx",
                    "application/vnd.openxmlformats-officedocument.wordprocessingml.document",
                    b"PK\x03\x04",
                ),
            ],
            {"ii_1562e2169c132d83": 1},
        ),
        ("inbound_raw", [("ann.vcf", "text/x-vcard", b"BEGI")], None),
    ],
)
def test_attachments_are_stored(
    payload: str, files: list[tuple[str, str, bytes]], content_ids: dict[str, int] | None
) -> None:
    [message] = read((PAYLOADS / f"{payload}.form").read_bytes())
    assert [(file.name, file.content_type, file.content[:4]) for file in message.files] == files
    assert message.extra.get("content_ids") == content_ids


def test_every_byte_of_a_file_is_stored() -> None:
    [message] = read((PAYLOADS / "inbound_media_only.form").read_bytes())
    assert message.files[1].content == b"%PDF-1.7\r\n\x80\xff\x00--xYzZ\r\n"


def test_each_of_our_addresses_gets_one_message() -> None:
    messages = read((PAYLOADS / "inbound_recipients.form").read_bytes())
    recipients = ["user@example.com", "nobody", "sales@example.com"]
    assert [message.recipient for message in messages] == recipients
    ids = [message.provider_message_id for message in messages]
    mark = "732b3589ad2d55b0ffc9260c145c350a1b94fc3a"
    assert ids == [f"message-1@example.org/{mark}/{recipient}" for recipient in recipients]


def test_a_repeated_mail_without_a_message_id_has_the_same_id() -> None:
    body = (PAYLOADS / "inbound_without_id.form").read_bytes()
    [first], [again] = read(body), read(body.replace(b"xYzZY", b"aBcDe"), FORM.replace("xYzZY", "aBcDe"))
    assert first.provider_message_id == again.provider_message_id
    [other] = read(body.replace(b"No id", b"Another"))
    assert first.provider_message_id != other.provider_message_id


def test_the_other_fields_of_the_form_are_in_extra() -> None:
    [message] = read((PAYLOADS / "inbound_html.form").read_bytes())
    assert message.extra["message_id"] == "message-1@example.org"
    assert message.extra["in_reply_to"] == "sent-7@example.com"
    assert message.extra["references"] == ["sent-1@example.com", "sent-7@example.com"]
    assert message.extra["spam_score"] == "0.1"
    assert message.extra["spam_report"].startswith("Spam detection software")


@pytest.mark.parametrize(
    ("changes", "field"),
    [
        ({"envelope": None}, "envelope"),
        ({"envelope": "{"}, "envelope"),
        ({"envelope": '{"to":[]}'}, "envelope"),
    ],
)
def test_the_error_names_the_field_that_cannot_be_read(changes: dict[str, str | None], field: str) -> None:
    fields = {name: value for name, value in {**MAIL, **changes}.items() if value is not None}
    try:
        [invalid] = read(form(**fields))
    except Invalid as raised:
        invalid = raised
    assert [error["field"] for error in invalid.errors] == [field]


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"charsets": "no JSON"}, {"body": "Hello"}),
        ({"charsets": '{"text": 7, "subject": "no-such-charset"}'}, {"body": "Hello", "subject": "Hello"}),
        ({"attachment-info": "[]", "attachment1": "x"}, {"body": "Hello"}),
        ({"attachment-info": '{"attachment1": 7}', "attachment1|a.txt": "x"}, {"body": "Hello"}),
        ({"content-ids": '{"a": "attachment9", "b": 7}'}, {"body": "Hello"}),
        ({"headers": "From: Ann <ann@example.org>\nSubject: other\n"}, {"sender": "ann@example.org"}),
        ({"headers": "Subject: other\n", "subject": ""}, {"subject": "other"}),
        ({"headers": ""}, {"sender": "contact@example.org", "subject": "Hello"}),
    ],
)
def test_malformed_fields_other_than_the_mail_are_ignored(
    changes: dict[str, str], expected: dict[str, str]
) -> None:
    [message] = read(form(**{**MAIL, **changes}))
    assert {name: getattr(message, name) for name in expected} == expected
    assert len(message.files) == len([name for name in changes if name.startswith("attachment1")])


def test_a_field_that_contradicts_its_charset_is_a_defect_of_the_message() -> None:
    [message] = read(form(**{**MAIL, "charsets": '{"text": "iso-8859-1"}', "text": "Gr\u00f6\u00dfe"}))
    assert (message.body, message.extra["defects"]) == ("Gr\u00f6\u00dfe", ["charset_contradicted"])


@pytest.mark.parametrize(
    ("about", "field", "name"),
    [
        ({"filename": "a.pdf", "name": "b.pdf"}, "attachment1|c.pdf", "a.pdf"),
        ({"filename": "", "name": "b.pdf"}, "attachment1|c.pdf", "b.pdf"),
        ({"filename": "a.pdf"}, "attachment1", "a.pdf"),
        ({}, "attachment1|c.pdf", "c.pdf"),
        ({"filename": 7}, "picture|c.pdf", "c.pdf"),
        ({}, "attachment1", "attachment.txt"),
    ],
)
def test_a_file_has_the_name_that_its_sender_gave_it(about: dict[str, object], field: str, name: str) -> None:
    info = json.dumps({"attachment1": about})
    [message] = read(form(**MAIL, **{"attachment-info": info, field: "x"}))
    assert [file.name for file in message.files] == [name]


@pytest.mark.parametrize("body", [b"", b"--xYzZY", b"--xYzZY\r\n\r\nx", form(**MAIL)[:-30]])
def test_a_form_without_the_envelope_is_refused(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


RAW = (
    b"From: b@example.org\r\nSubject: raw\r\n\r\n"
    b"--in\r\nContent-Disposition: form-data; name=text\r\n\r\nother"
)


@pytest.mark.parametrize(
    "content_type",
    [
        *("", "text/plain", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"),
        *("multipart/form-data; boundary=in", 'Multipart/Form-Data; boundary="xYzZY"; charset=x', "\ud800"),
    ],
)
def test_only_the_body_decides_how_a_form_is_read(content_type: str) -> None:
    """The signature does not cover the Content-Type, and a mail can contain any other boundary."""
    assert read(form(**MAIL), content_type) == read(form(**MAIL))
    envelope = MAIL["envelope"]
    parts = b"".join(
        b"--out\r\nContent-Disposition: form-data; name=%s\r\n\r\n%s\r\n" % pair
        for pair in ((b"email", RAW), (b"envelope", envelope.encode()))
    )
    [message] = read(parts + b"--out--\r\n", content_type)
    assert (message.sender, message.subject) == ("b@example.org", "raw")


@pytest.mark.parametrize("content_type", ["", "multipart/form-data; boundary=x", "text/plain", FORM])
def test_only_the_body_decides_that_it_is_events(content_type: str) -> None:
    [report] = read(json.dumps([EVENT]).encode(), content_type)
    assert isinstance(report, DeliveryReport)


@pytest.mark.parametrize(
    "file_name",
    ["Größe.pdf".encode("latin-1"), "履歴書.pdf".encode("shift_jis"), "Größe.pdf".encode(), b"\xff\x80\0"],
    ids=["latin-1", "Shift_JIS", "UTF-8", "binary"],
)
@pytest.mark.parametrize("line_break", [b"\r\n", b"\n"])
def test_bytes_of_any_charset_in_the_head_of_a_part_do_not_hide_the_mail(
    file_name: bytes, line_break: bytes
) -> None:
    file = (
        b'--xYzZY\r\nContent-Disposition: form-data; name="attachment1"; filename="%s"\r\n\r\n%%PDF\r\n'
        % file_name
    )
    body = (file + form(**MAIL)).replace(b"\r\n", line_break)
    [message] = read(body)
    assert message.body == "Hello"
    assert [file.content for file in message.files] == [b"%PDF"]
    [cut] = read(body[: body.rindex(b"--xYzZY")])  # without the closing boundary
    assert (cut.sender, len(cut.files)) == (message.sender, 1)


def test_files_with_the_same_field_name_are_all_read() -> None:
    file = b'--xYzZY\r\nContent-Disposition: form-data; name="attachment1"; filename="%d"\r\n\r\n%d\r\n'
    unnamed = b"--xYzZY\r\nContent-Type: image/png\r\n\r\n3\r\n"
    [message] = read(file % (1, 1) + file % (2, 2) + unnamed + unnamed + form(**MAIL))
    assert sorted(file.content for file in message.files) == [b"1", b"2", b"3", b"3"]


def test_the_charset_of_a_part_is_used_if_the_provider_does_not_say_another() -> None:
    head = b"--xYzZY\r\nContent-Disposition: form-data; name=text\r\n"
    text = head + b"Content-Type: text/plain; charset=koi8-r\r\n\r\n"
    fields = {name: value for name, value in MAIL.items() if name != "text"}
    [message] = read(text + "Привет".encode("koi8-r") + b"\r\n" + form(**fields))
    assert message.body == "Привет"


def test_a_urlencoded_form_is_read() -> None:
    body = b"from=contact%40example.org&text=Hi&envelope=%7B%22to%22%3A%5B%22user%40example.com%22%5D%7D"
    [message] = read(body, "application/x-www-form-urlencoded")
    assert (message.sender, message.body) == ("contact@example.org", "Hi")
