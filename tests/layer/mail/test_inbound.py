"""What a mail that came in becomes."""

import json
import re
from datetime import UTC, datetime
from io import BytesIO
from zipfile import ZipFile

import pytest
from pydantic_core import to_json

from messaging.fields import MAX_BODY
from messaging.mail import inbound as mail_inbound
from messaging.mail.addresses import split_mailboxes
from messaging.mail.mime import make_file
from messaging.models import MAX_RESPONSE_BYTES, InboundMessage
from messaging.problems import Invalid
from tests.support.mails import NOW, US, inbound, mailed


def test_a_mail_becomes_a_message_of_its_recipient() -> None:
    came = mailed(
        subject="Hello",
        text="text",
        html="<p>text",
        cc=["Bob <bob@example.com>", "BOB@example.com"],
        reply_to=["replies@example.com"],
        in_reply_to="0@example.com",
        references=["a@example.com", "0@example.com"],
        date=datetime(2024, 10, 31, tzinfo=UTC),
    )
    found = inbound(came, "Us@Example.com", NOW, {"dkim": "pass"})
    assert found.content() == {
        "type": "email",
        "from": "ann@example.com",
        "to": US,
        "cc": ["bob@example.com"],
        "reply_to": "replies@example.com",
        "headers": {},
        "subject": "Hello",
        "body": "text",
        "html": "<p>text",
        "attachments": [],
        "timestamp": "2024-10-31T00:00:00Z",
    }
    assert re.fullmatch(f"1@example.com/[0-9a-f]{{40}}/{US}", found.provider_message_id)
    assert found.extra == {
        "message_id": "1@example.com",
        "in_reply_to": "0@example.com",
        "references": ["a@example.com", "0@example.com"],
        "dkim": "pass",
    }


@pytest.mark.parametrize(
    ("text", "html", "body", "beside"),
    [
        ("text", None, "text", None),
        ("text", "<p>", "text", "<p>"),
        (None, "<p>", "<p>", None),
        (" \n", "<p>", "<p>", None),
        (" \n", None, " \n", None),
        (None, None, "", None),
    ],
)
def test_html_is_the_body_where_there_is_no_text(
    text: str | None, html: str | None, body: str, beside: str | None
) -> None:
    found = inbound(mailed(text=text, html=html), US, NOW)
    assert (found.body, found.html, found.timestamp) == (body, beside, NOW)


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
def test_a_sender_is_read_out_of_what_stands_around_it(sender: str) -> None:
    assert inbound(mailed(sender=sender), US, NOW).sender == "ann@example.com"


@pytest.mark.parametrize("text", ["", "<>", "Ann", "ann@", "<ann example>", "(" * 5000, "a@b.com" * 5000])
def test_a_sender_or_a_recipient_that_is_no_address_is_refused_by_name(text: str) -> None:
    with pytest.raises(Invalid) as sender:
        inbound(mailed(sender=text), US, NOW)
    with pytest.raises(Invalid) as recipient:
        inbound(mailed(), text, NOW)
    assert [one.value.errors[0]["field"] for one in (sender, recipient)] == ["from", "to"]


@pytest.mark.parametrize(
    ("header", "each"),
    [
        ("a@example.com, B <b@example.com>", ["a@example.com", "B <b@example.com>"]),
        ('"B, C" <b@example.com>;a@example.com', ['"B, C" <b@example.com>', "a@example.com"]),
        ("undisclosed-recipients:;", []),
        ("Friends: a@example.com, b@example.com;", ["a@example.com", "b@example.com"]),
        ("a@example.com (A, B), ,", ["a@example.com (A, B)"]),
        ('"never closed <a@example.com>, b', ['"never closed <a@example.com>, b']),
        ("", []),
    ],
)
def test_a_list_of_addresses_is_taken_apart(header: str, each: list[str]) -> None:
    assert split_mailboxes(header) == each


def test_copies_that_cannot_be_read_and_those_past_the_fiftieth_are_kept_as_text() -> None:
    many = [f"a{n}@example.com" for n in range(60)]
    found = inbound(mailed(cc=["nobody", *many], reply_to=["x", "r@example.com", "s@example.com"]), US, NOW)
    assert found.cc == many[:50]
    assert found.extra["cc"] == ["nobody", *many[50:]]
    assert found.reply_to == "r@example.com"
    assert found.extra["reply_to"] == ["x", "s@example.com"]


@pytest.mark.parametrize(
    ("to", "kept"),
    [
        ([], None),
        (["Us <US@example.com>"], None),
        (["us@example.com", "=?utf-8?q?B?= <b@example.com>"], ["us@example.com", "B <b@example.com>"]),
        (["list@example.com"], ["list@example.com"]),
        (["nobody"], ["nobody"]),
    ],
)
def test_whom_it_was_written_to_is_kept_where_that_is_not_the_recipient_alone(
    to: list[str], kept: list[str] | None
) -> None:
    assert inbound(mailed(to=to), US, NOW).extra.get("to") == kept


@pytest.mark.parametrize("text", ["x" * (MAX_BODY + 1), "\x01" * 500_000, "\U0001f600" * 300_000])
def test_a_text_that_is_too_long_is_a_file_and_the_body_its_beginning(text: str) -> None:
    first = make_file("a.png", "image/png", b"1")
    found = inbound(mailed(text=text, html=text, files=[first]), US, NOW)
    assert found.body
    assert text.startswith(found.body)
    assert found.html is None
    assert [one.name for one in found.files] == ["a.png", "body.txt", "body.html"]
    assert [one.content.decode() for one in found.files[1:]] == [text, text]
    assert found.extra["cut"] == ["body.txt", "body.html"]


def test_texts_that_fit_stay_whole_and_can_be_shown_together() -> None:
    text = "\x01" * 340_000
    found = inbound(mailed(text=text, html=text), US, NOW)
    assert (found.body, found.html, found.files) == (text, text, [])
    assert len(to_json(to_json(found.content()).decode())) < MAX_RESPONSE_BYTES + 1000


def test_a_long_subject_is_whole_beside_its_beginning() -> None:
    found = inbound(mailed(subject="s" * 5000), US, NOW)
    assert (found.subject, found.extra["subject"]) == ("s" * 1000, "s" * 5000)


def test_files_past_the_hundredth_are_one() -> None:
    files = [make_file("a.txt", "text/plain", b"%d" % n) for n in range(130)]
    found = inbound(mailed(files=files), US, NOW)
    assert found == inbound(mailed(files=files), US, NOW)
    assert found.files[:99] == files[:99]
    [rest] = found.files[99:]
    with ZipFile(BytesIO(rest.content)) as archive:
        assert [archive.read(name) for name in archive.namelist()] == [one.content for one in files[99:]]


def test_each_address_that_it_reached_has_a_message_of_its_own() -> None:
    came = mailed(to=["us@example.com"], cc=["Bob <bob@example.com>"], text="hi")
    first, second, third = mail_inbound.inbound_messages(came, [US, "nobody", "B@example.com", US], NOW)
    assert isinstance(second, Invalid)
    assert second.errors[0]["field"] == "to"
    assert first == inbound(came, US)
    assert third == inbound(came, "b@example.com")
    assert isinstance(third, InboundMessage)
    assert (third.recipient, third.extra["to"]) == ("b@example.com", [US])


@pytest.mark.parametrize("count", [0, 101])
def test_recipients_that_are_none_or_too_many_are_refused(count: int) -> None:
    with pytest.raises(Invalid) as refused:
        mail_inbound.inbound_messages(mailed(), [f"u{n}@example.com" for n in range(count)], NOW)
    assert refused.value.errors[0]["field"] == "to"


def test_a_long_text_is_a_file_sooner_where_it_would_be_kept_many_times() -> None:
    recipients = [f"u{n}@example.com" for n in range(100)]
    for one in mail_inbound.inbound_messages(mailed(text="x" * 100_000), recipients, NOW):
        assert isinstance(one, InboundMessage)
        assert len(one.body) < 100_000
        assert [file.content for file in one.files] == [b"x" * 100_000]


def test_what_is_too_much_to_stand_beside_a_message_is_a_file() -> None:
    references = [f"{n}@example.com" for n in range(5000)]
    found = inbound(mailed(references=references), US, NOW, {"dkim": "pass"})
    assert found.extra == {"message_id": "1@example.com", "dkim": "pass", "cut": ["extra.json"]}
    [rest] = found.files
    assert rest.name == "extra.json"
    assert json.loads(rest.content)["references"] == references
