"""Invalid webhooks of a JSON gateway are unreadable, or invalid with the field's name."""

import json

import pytest

from messaging.problems import Invalid, Unreadable
from messaging.providers import json_gateway
from messaging.providers.provider import Webhook
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS

ID = "messaging_provider_id"
REPORT = {"messaging_provider_id": "m", "status": "sent", "timestamp": "2024-11-01T14:00:00Z"}


def parse(body: bytes, provider: type[json_gateway.JsonGateway] = json_gateway.Sms) -> object:
    return provider("name", {}).parse(Webhook("https://example.com/", "", {}, body))


@pytest.mark.parametrize(
    "body",
    [
        *(
            b"",
            b" ",
            b"x",
            b"{",
            b'{"a":1}x',
            b"\xff",
            b"\xef\xbb\xbf{}",
            '{"from": "\u00e9"}'.encode("utf-16"),
        ),
        *(b"[]", b"null", b"7", b'"text"', b"true"),
        *(b'{"a": NaN}', b'{"a": Infinity}', b'{"a": -Infinity}', b'{"a": 1e}'),
        b'{"a": "\\u00"}',
        *(b"[" * 100_000, b'{"a":' * 100_000, b"[" * 100_000 + b"]" * 100_000),
        b'{"a": ' + b"9" * 5000 + b"}",
    ],
)
def test_a_body_that_is_not_a_json_object_is_unreadable(body: bytes) -> None:
    with pytest.raises(Unreadable):
        parse(body)


def rows(field: str, values: list[object]) -> list[tuple[str, object]]:
    return [(field, value) for value in values]


FIELDS = ("from", "to", "type", ID)
WRONG_TYPES = [
    *(row for field in FIELDS for row in rows(field, [None, True, 1.5, [], {}, ""])),
    *(row for field in ("from", "to", "type", "subject", "html") for row in rows(field, [7])),
    *rows("body", [7, False, [], {}, 1.5]),
    *rows("attachments", [False, 0, "", "https://a.example/", {}, {"url": "x"}]),
    *rows("timestamp", [None, 0, 1730469600, "1730469600", "", "soon", "2024-13-01T00:00Z"]),
]


@pytest.mark.parametrize(
    ("field", "value", "named"),
    [
        *((field, value, field) for field, value in WRONG_TYPES),
        *((field, "a\0b", field) for field in ("body", "subject", "html", ID)),
        ("attachments", ["https://example.com/\0"], "attachments.0"),
        ("attachments", ["https://example.com/", 7], "attachments.1"),
        ("attachments", ["ftp://example.com/"], "attachments.0"),
        ("attachments", ["https://example.com/" + "x" * 2048], "attachments.0"),
        ("attachments", ["https://example.com/"] * 101, "attachments"),
        ("body", "x" * (2**20 + 1), "body"),
        ("body", "\u00e9" * (2**19 + 1), "body"),
        (ID, "x" * 513, ID),
        ("type", "email", "type"),
        ("type", "fax", "type"),
        *(("from", blank, "from") for blank in ("", " ", "\t")),
        ("to", "", "to"),
        ("timestamp", "0001-01-01T00:00:00+14:00", "timestamp"),
        ("timestamp", "9999-12-31T23:59:59-14:00", "timestamp"),
    ],
)
def test_the_error_names_the_invalid_field_of_a_message(field: str, value: object, named: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(json.dumps(INBOUND_SMS | {field: value}).encode())
    assert [error["field"] for error in raised.value.errors] == [named]


@pytest.mark.parametrize("number", ["1e999", "-1e999"])
@pytest.mark.parametrize(("field", "named"), [("from", "from"), ("body", "body"), (ID, ID)])
def test_an_infinite_number_is_refused(number: str, field: str, named: str) -> None:
    other_fields = {name: value for name, value in INBOUND_SMS.items() if name != field}
    with pytest.raises(Invalid) as raised:
        parse(f'{json.dumps(other_fields)[:-1]}, "{field}": {number}}}'.encode())
    assert [error["field"] for error in raised.value.errors] == [named]


@pytest.mark.parametrize("field", ["from", "to", "type", ID])
def test_the_error_names_the_missing_field_of_a_message(field: str) -> None:
    with pytest.raises(Invalid) as raised:
        parse(json.dumps({name: value for name, value in INBOUND_SMS.items() if name != field}).encode())
    assert [error["field"] for error in raised.value.errors] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *rows("from", [None, 7, []]),
        *rows("to", [None, 7, [], "", " ", "<>"]),
        *rows("reply_to", [7, []]),
        *rows("subject", [7, "a\0"]),
        *rows("type", ["sms", None, ""]),
        *rows("xillio_id", ["", None, "x" * 513, "a\0"]),
    ],
)
def test_the_error_names_the_invalid_field_of_an_email(field: str, value: object) -> None:
    with pytest.raises(Invalid) as raised:
        parse(json.dumps(INBOUND_EMAIL | {field: value}).encode(), json_gateway.Email)
    assert [error["field"] for error in raised.value.errors] == [field]


@pytest.mark.parametrize(
    ("field", "value"),
    [
        *rows("status", [None, 7, [], "a\0", "x" * 65]),
        *rows(ID, ["", 1.5, [], "a\0", "x" * 513]),
        *rows("reference", [1.5, [], {}, "a\0"]),
        *rows("error", ["x", 7, []]),
        *rows("error.code", [[], 1.5, "x" * 65, "a\0"]),
        *rows("error.reason", [[], 7, "x" * 1001, "a\0"]),
        *rows("timestamp", [None, 0, "soon"]),
    ],
)
def test_the_error_names_the_invalid_field_of_a_report(field: str, value: object) -> None:
    outer, _, inner = field.partition(".")
    with pytest.raises(Invalid) as raised:
        parse(json.dumps(REPORT | {outer: {inner: value} if inner else value}).encode())
    assert [error["field"] for error in raised.value.errors] == [field]


@pytest.mark.parametrize("reference", [None, "", "theirs", "-1", "1" * 5000, 2**63])
def test_a_report_must_have_the_gateways_id_or_ours(reference: object) -> None:
    with pytest.raises(Invalid) as raised:
        parse(json.dumps(REPORT | {ID: None, "reference": reference}).encode())
    assert [error["field"] for error in raised.value.errors] == ["reference"]
