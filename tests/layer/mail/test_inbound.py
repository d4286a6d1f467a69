"""An inbound mail becomes one message for each recipient, without loss of content."""

import json
import re
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from pydantic_core import to_json

from messaging.fields import MAX_BODY
from messaging.mail import inbound as mail_inbound
from messaging.mail.files import make_file
from messaging.models import MAX_RESPONSE_BYTES, InboundMessage
from messaging.problems import Invalid, OverLimit
from tests.support.mails import NOW, US, inbound, make_mail


def test_a_mail_becomes_a_message() -> None:
    mail = make_mail(
        subject="Hello",
        text="text",
        html="<p>text",
        to=["=?utf-8?q?J=C3=BCrgen?= <us@example.com>"],
        cc=["Bob <bob@example.com>", "BOB@example.com"],
        reply_to=['"Ann, at work" <replies@example.com>'],
        in_reply_to="0@example.com",
        references=["a@example.com", "0@example.com"],
        date=datetime(2024, 10, 31, tzinfo=UTC),
    )
    message = inbound(mail, "Us@Example.com", NOW, {"dkim": "pass"})
    assert message.content() == {
        "type": "email",
        "from": "ann@example.com",
        "to": US,
        "from_name": "Ann",
        "to_name": "J\u00fcrgen",
        "cc": ["bob@example.com"],
        "cc_names": {"bob@example.com": "Bob"},
        "reply_to": "replies@example.com",
        "reply_to_name": "Ann, at work",
        "headers": {},
        "subject": "Hello",
        "body": "text",
        "html": "<p>text",
        "attachments": [],
        "timestamp": "2024-10-31T00:00:00Z",
    }
    assert re.fullmatch(f"1@example.com/[0-9a-f]{{40}}/{US}", message.provider_message_id)
    assert message.extra == {
        "message_id": "1@example.com",
        "in_reply_to": "0@example.com",
        "references": ["a@example.com", "0@example.com"],
        "dkim": "pass",
    }


@pytest.mark.parametrize(
    ("text", "html", "body", "message_html"),
    [
        ("text", None, "text", None),
        ("text", "<p>", "text", "<p>"),
        (None, "<p>", "<p>", None),
        (" \n", "<p>", "<p>", None),
        (" \n", None, " \n", None),
        (None, None, "", None),
    ],
)
def test_html_is_the_body_if_there_is_no_text(
    text: str | None, html: str | None, body: str, message_html: str | None
) -> None:
    message = inbound(make_mail(text=text, html=html), US, NOW)
    assert (message.body, message.html, message.timestamp) == (body, message_html, NOW)


@pytest.mark.parametrize(
    "sender",
    [
        "ann@example.com",
        "Ann, of Sales <ann@example.com>",
        '"Ann (Sales), \\"A\\"" <ann@example.com>',
        "other@example.com <ann@example.com>",
        "ann@example.com (Ann, Sales)",
        "(Ann) ann@example.com",
        "=?utf-8?q?A=2C_=3Cx=40example=2Ecom=3E?= <ann@example.com>",
        "Ann <ann@example.com>, Bob <bob@example.com>",
    ],
)
def test_the_address_of_a_sender_is_read_without_name_and_comments(sender: str) -> None:
    assert inbound(make_mail(sender=sender), US, NOW).sender == "ann@example.com"


@pytest.mark.parametrize(
    ("text", "address"),
    [
        ("Us <US@example.com>", US),
        ("taro..y.@example.com", "taro..y.@example.com"),
        ("us@localhost", "us@localhost"),
        ("postmaster", "postmaster"),
        ("<ann example>", "<ann example>"),
        ("<us@example.com", US),
        ("[", "["),
    ],
)
def test_every_recipient_of_the_envelope_gets_the_message(text: str, address: str) -> None:
    assert inbound(make_mail(), text, NOW).recipient == address


@pytest.mark.parametrize("text", ["", " ", "<>", ",;"])
def test_an_envelope_without_recipients_is_invalid(text: str) -> None:
    with pytest.raises(Invalid) as raised:
        inbound(make_mail(), text, NOW)
    assert raised.value.errors[0]["field"] == "to"


def test_invalid_copies_and_those_over_the_maximum_are_extra_fields() -> None:
    addresses = [f"a{n}@example.com" for n in range(60)]
    message = inbound(
        make_mail(cc=["nobody", *addresses], reply_to=["x", "r@example.com", "s@example.com"]), US, NOW
    )
    assert message.cc == addresses[:50]
    assert message.extra["cc"] == ["nobody", *addresses[50:]]
    assert message.reply_to == "r@example.com"
    assert message.extra["reply_to"] == ["x", "s@example.com"]


@pytest.mark.parametrize(
    ("to", "expected"),
    [
        ([], None),
        (["Us <US@example.com>"], None),
        (["us@example.com", "=?utf-8?q?B?= <b@example.com>"], ["us@example.com", "B <b@example.com>"]),
        (["list@example.com"], ["list@example.com"]),
        (["nobody"], ["nobody"]),
    ],
)
def test_the_to_header_is_an_extra_field_if_it_is_not_only_the_recipient(
    to: list[str], expected: list[str] | None
) -> None:
    assert inbound(make_mail(to=to), US, NOW).extra.get("to") == expected


@pytest.mark.parametrize("text", ["x" * (MAX_BODY + 1), "\x01" * 500_000, "\U0001f600" * 300_000])
def test_a_text_that_is_too_long_becomes_a_file_and_the_body_its_beginning(text: str) -> None:
    first = make_file("a.png", "image/png", b"1")
    message = inbound(make_mail(text=text, html=text, files=[first]), US, NOW)
    assert message.body
    assert text.startswith(message.body)
    assert message.html is None
    assert [file.name for file in message.files] == ["a.png", "body.txt", "body.html"]
    assert [file.content.decode() for file in message.files[1:]] == [text, text]
    assert message.extra["cut"] == ["body.txt", "body.html"]


def test_two_texts_of_the_maximum_size_fit_into_a_response() -> None:
    text = "\x01" * 340_000
    message = inbound(make_mail(text=text, html=text), US, NOW)
    assert (message.body, message.html, message.files) == (text, text, [])
    assert len(to_json(to_json(message.content()).decode())) < MAX_RESPONSE_BYTES + 1000


def test_a_long_subject_is_shortened_and_complete_in_an_extra_field() -> None:
    message = inbound(make_mail(subject="s" * 5000), US, NOW)
    assert (message.subject, message.extra["subject"]) == ("s" * 1000, "s" * 5000)


def test_files_over_the_maximum_are_bundled() -> None:
    files = [make_file("a.txt", "text/plain", b"%d" % n) for n in range(130)]
    message = inbound(make_mail(files=files), US, NOW)
    assert message == inbound(make_mail(files=files), US, NOW)
    assert message.files[:99] == files[:99]
    [bundle] = message.files[99:]
    with ZipFile(BytesIO(bundle.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [file.content for file in files[99:]]


def test_each_recipient_has_its_own_message() -> None:
    mail = make_mail(to=["us@example.com"], cc=["Bob <bob@example.com>"], text="hi")
    first, second, third = mail_inbound.inbound_messages(mail, [US, "nobody", "B@example.com", US], NOW)
    assert first == inbound(mail, US)
    assert second == inbound(mail, "nobody")
    assert third == inbound(mail, "b@example.com")
    assert (third.recipient, third.extra["to"]) == ("b@example.com", [US])


def test_a_mail_without_recipients_is_refused() -> None:
    with pytest.raises(Invalid) as raised:
        mail_inbound.inbound_messages(make_mail(), [], NOW)
    assert raised.value.errors[0]["field"] == "to"


def test_a_mail_to_more_than_a_hundred_recipients_is_over_the_limit_for_the_others() -> None:
    recipients = [f"u{n}@example.com" for n in range(150)]
    *stored, over_limit = mail_inbound.inbound_messages(make_mail(), recipients, NOW)
    assert [part.recipient for part in stored if isinstance(part, InboundMessage)] == recipients[:100]
    assert isinstance(over_limit, OverLimit)
    assert over_limit.summary() == "to: must have at most 100 recipients"


def test_the_maximum_text_is_smaller_for_more_recipients() -> None:
    recipients = [f"u{n}@example.com" for n in range(100)]
    for message in mail_inbound.inbound_messages(make_mail(text="x" * 100_000), recipients, NOW):
        assert isinstance(message, InboundMessage)
        assert len(message.body) < 100_000
        assert [file.content for file in message.files] == [b"x" * 100_000]


def test_extra_fields_that_are_too_large_become_a_file() -> None:
    references = [f"{n}@example.com" for n in range(5000)]
    message = inbound(make_mail(references=references), US, NOW, {"dkim": "pass"})
    assert message.extra == {"message_id": "1@example.com", "dkim": "pass", "cut": ["extra.json"]}
    [file] = message.files
    assert file.name == "extra.json"
    assert json.loads(file.content)["references"] == references
