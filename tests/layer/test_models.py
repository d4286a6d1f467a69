"""The rules for messages to send. Every refusal names the wrong field."""

from collections.abc import Mapping
from datetime import UTC, datetime

import pytest
from pydantic import BaseModel, ValidationError

from messaging.models import (
    Channel,
    NewEmail,
    NewSms,
)

SMS = {"from": "+12016661234", "to": "+18045551234", "body": "Hello"}
EMAIL = {"from": "user@example.com", "to": "contact@example.org", "body": "Hello"}
URL = "https://example.com/image.jpg"
NOON = datetime(2024, 11, 1, 12, tzinfo=UTC)
NOT_OBJECTS = [None, [], "", "Hello", 7, True, [SMS]]


def sms(**fields: object) -> NewSms:
    return NewSms.model_validate(SMS | fields)


def email(**fields: object) -> NewEmail:
    return NewEmail.model_validate(EMAIL | fields)


def rows(name: str, *values: object) -> list[tuple[str, object]]:
    return [(name, value) for value in values]


def wrong_fields(model: type[BaseModel], fields: object) -> list[str]:
    """Validates, and returns the names of the fields that were refused."""
    with pytest.raises(ValidationError) as error:
        model.model_validate(fields)
    return [".".join(map(str, part["loc"])) for part in error.value.errors()]


@pytest.mark.parametrize(
    ("fields", "type_"),
    [
        ({}, Channel.SMS),
        ({"type": None}, Channel.SMS),
        ({"type": "sms"}, Channel.SMS),
        ({"type": "sms", "attachments": None}, Channel.SMS),
        ({"attachments": []}, Channel.SMS),
        ({"attachments": [URL]}, Channel.MMS),
        ({"attachments": [URL], "type": None}, Channel.MMS),
        ({"attachments": [URL], "type": "mms"}, Channel.MMS),
        ({"attachments": [URL], "body": ""}, Channel.MMS),
        ({"attachments": [], "type": "mms"}, Channel.MMS),
    ],
)
def test_the_type_is_optional_and_follows_from_the_attachments(
    fields: Mapping[str, object], type_: Channel
) -> None:
    assert sms(**fields).type is type_


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"type": "sms", "attachments": [URL]}, "must be empty for an sms"),
        ({"body": ""}, "is required, unless the message is an mms with attachments"),
        ({"type": "sms", "body": ""}, "is required, unless the message is an mms with attachments"),
        ({"type": "mms", "body": ""}, "is required, unless the message is an mms with attachments"),
    ],
)
def test_type_attachments_and_body_must_agree(fields: Mapping[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        sms(**fields)


def test_an_sms_needs_a_body_and_an_mms_does_not() -> None:
    addresses = {"from": SMS["from"], "to": SMS["to"]}
    assert wrong_fields(NewSms, addresses) == ["body"]
    assert NewSms.model_validate(addresses | {"attachments": [URL]}).body == ""


def test_missing_fields_have_defaults() -> None:
    before = datetime.now(UTC)
    for message in (sms(), email()):
        assert before <= message.timestamp <= datetime.now(UTC)
        assert (message.subject, message.html, message.attachments) == (None, None, [])
    assert email().type is Channel.EMAIL


def test_addresses_are_normalized() -> None:
    assert sms(to="+1 (804) 555-1234").recipient == SMS["to"]
    assert sms(**{"from": "ACME"}).sender == "ACME"
    assert email(to="Contact <Contact@Example.org>").recipient == EMAIL["to"]


def test_an_email_may_have_a_subject_html_and_attachments() -> None:
    message = email(type="email", subject="Hi", html="<b>Hello</b>", attachments=[URL])
    assert (message.subject, message.body, message.html) == ("Hi", "Hello", "<b>Hello</b>")
    assert message.attachments == [URL]


@pytest.mark.parametrize("name", ["bcc", "metadata", "send_at"])
@pytest.mark.parametrize(("model", "fields"), [(NewSms, SMS), (NewEmail, EMAIL)])
def test_reserved_fields_are_refused_by_name(
    model: type[BaseModel], fields: Mapping[str, object], name: str
) -> None:
    for value in (None, "a", {"a": "b"}):
        assert wrong_fields(model, {**fields, name: value}) == [name]


def test_an_email_may_have_copies_a_reply_address_and_headers() -> None:
    message = email(
        cc=["Second <Second@Example.org>", "second@example.org", "third@example.org"],
        reply_to="Desk <desk@example.com>",
        headers={"X-Campaign": "7", "List-Unsubscribe": "<https://example.com/u>"},
    )
    assert message.cc == ["second@example.org", "third@example.org"]
    assert message.reply_to == "desk@example.com"
    assert list(message.headers) == ["X-Campaign", "List-Unsubscribe"]
    bare = email(cc=None, reply_to=None, headers=None)
    assert (bare.cc, bare.reply_to, bare.headers) == ([], None, {})


@pytest.mark.parametrize(
    "headers",
    [
        *({name: "x"} for name in ("From", "to", "Bcc", "Reply-To", "DKIM-Signature", "Resent-To")),
        *({name: "x"} for name in ("", "a b", "a:b", "a\r\nb", "\u00e9", "x" * 101)),
        *({"X-A": value} for value in ("a\r\nBcc: b@example.org", "a\n", "a" * 999, None, 5)),
        {"X-A": "1", "x-a": "2"},
        {f"X-{n}": "1" for n in range(21)},
        "X-A: 1",
    ],
)
def test_invalid_and_reserved_headers_are_refused(headers: object) -> None:
    assert wrong_fields(NewEmail, {**EMAIL, "headers": headers})[0].startswith("headers")


@pytest.mark.parametrize(
    "cc", ["a", ["a"], ["+18045551234"], [f"a{n}@example.org" for n in range(51)], [None]]
)
def test_cc_holds_at_most_50_email_addresses(cc: object) -> None:
    assert wrong_fields(NewEmail, {**EMAIL, "cc": cc})[0].startswith("cc")


@pytest.mark.parametrize("name", ["sender", "recipient", "id", "status", "provider", "Body", "body ", ""])
@pytest.mark.parametrize(("model", "fields"), [(NewSms, SMS), (NewEmail, EMAIL)])
def test_unknown_fields_are_refused_by_name(
    model: type[BaseModel], fields: Mapping[str, object], name: str
) -> None:
    assert wrong_fields(model, {**fields, name: "a"}) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *rows("from", None, "", 12016661234, ["+12016661234"], EMAIL["from"], "a" * 65),
        *rows("to", None, "", 18045551234, ["+18045551234"], EMAIL["to"], "ACME"),
        *rows("type", "", "SMS", "email", "fax", 1, [], {}),
        *rows("body", None, 5, ["Hello"], {}, "a\0b", "a" * (2**20 + 1)),
        *rows("attachments", "", URL, {}, {"a": URL}, 1, [URL] * 101),
        *rows("timestamp", None, 1730462400, "1730462400", "tomorrow", [], {}),
        ("subject", "Hi"),
        ("html", "<b>Hello</b>"),
    ],
)
def test_an_error_names_the_wrong_field_of_an_sms(name: str, value: object) -> None:
    assert wrong_fields(NewSms, {**SMS, name: value}) == [name]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        *(
            ("from", value)
            for value in (None, "", 5, [EMAIL["from"]], SMS["from"], "user", "a@b@example.org")
        ),
        *rows("to", None, "", 5, [EMAIL["to"]], SMS["to"], "a" * 310 + "@example.org"),
        *rows("type", "", "sms", "mms", "Email", 1, []),
        *rows("subject", 5, ["a"], "a\nb", "a\r\nBcc: b@example.org", "a\0", "a" * 999),
        *rows("body", None, "", 5, [], "a\0b", "\u00e9" * (2**19 + 1)),
        *rows("html", 5, [], {}, "<b>\0</b>", "a" * (2**20 + 1)),
        *rows("attachments", "", URL, {}, [URL] * 101),
        ("timestamp", 1730462400),
    ],
)
def test_an_error_names_the_wrong_field_of_an_email(name: str, value: object) -> None:
    assert wrong_fields(NewEmail, {**EMAIL, name: value}) == [name]


def test_the_errors_name_all_wrong_fields_by_their_api_names() -> None:
    wrong = {"to": 5, "body": 5, "attachments": [URL, "a"], "cc": "a"}
    assert sorted(wrong_fields(NewSms, wrong)) == ["attachments.1", "body", "cc", "from", "to"]
    assert sorted(wrong_fields(NewEmail, {"subject": "a\nb"})) == ["body", "from", "subject", "to"]


@pytest.mark.parametrize("model", [NewSms, NewEmail])
@pytest.mark.parametrize("value", NOT_OBJECTS)
def test_a_request_that_is_not_an_object_is_refused(model: type[BaseModel], value: object) -> None:
    assert wrong_fields(model, value) == [""]


def test_errors_do_not_contain_the_refused_values() -> None:
    with pytest.raises(ValidationError) as error:
        sms(body=["the secret word"], to="the secret word", cc="the secret word")
    assert "secret" not in str(error.value)
