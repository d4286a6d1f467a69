"""Invalid requests over HTTP get the right problem, never a 500, and store nothing."""

import json
from typing import Any

import pytest

from local import Stack
from tests.support.http_client import JSON, Answer, call, post
from tests.support.stack import assert_problem

SEND_SMS, SEND_EMAIL = "/api/messages/sms", "/api/messages/email"
INBOUND_SMS, INBOUND_EMAIL = "/api/webhooks/sms", "/api/webhooks/email"
VALID: dict[str, dict[str, Any]] = {
    SEND_SMS: {"from": "+12016661234", "to": "+18045551234", "body": "Hello"},
    SEND_EMAIL: {"from": "user@example.com", "to": "contact@example.org", "body": "Hello"},
    INBOUND_SMS: {
        "from": "+18045551234",
        "to": "+12016661234",
        "type": "sms",
        "messaging_provider_id": "bad-input",
        "body": "Hi",
    },
    INBOUND_EMAIL: {
        "from": "contact@example.org",
        "to": "user@example.com",
        "xillio_id": "bad-input",
        "body": "Hi",
    },
}
ANY = pytest.mark.parametrize("path", VALID)

pytestmark = pytest.mark.usefixtures("nothing_is_stored")


def send(stack: Stack, path: str, body: str | bytes) -> Answer:
    return call("POST", f"{stack.url}{path}", body, {"content-type": JSON})


@ANY
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"   ",
        b"not JSON",
        b'{"from": ',
        b'{"body": NaN}',
        b'{"body": -Infinity}',
        b"'single quotes'",
        b'{"body": "\xff\xfe"}',
        b'{"body": "\xed\xa0\x80"}',  # a lone surrogate, which is not UTF-8
        b"[" * 100_000,
        '{"body": "utf-16"}'.encode("utf-16"),
        b"\0",
    ],
    ids=lambda body: repr(body[:24]),
)
def test_a_body_that_is_not_json_is_rejected(stack: Stack, path: str, body: bytes) -> None:
    assert_problem(send(stack, path, body), 400)


@pytest.mark.parametrize("body", [rb'{"body": "\ud800"}', rb'{"body": "\udc00\ud800"}'])
@pytest.mark.parametrize(
    ("path", "status"), [(SEND_SMS, 400), (SEND_EMAIL, 400), (INBOUND_SMS, 422), (INBOUND_EMAIL, 422)]
)
def test_a_lone_surrogate_is_rejected(stack: Stack, path: str, status: int, body: bytes) -> None:
    assert_problem(send(stack, path, body), status)


@ANY
@pytest.mark.parametrize("body", ["null", "[]", "7", '"text"', "true", "[{}]", "1e999"])
def test_json_that_is_not_an_object_is_rejected(stack: Stack, path: str, body: str) -> None:
    assert_problem(send(stack, path, body), 400)


@ANY
def test_an_empty_object_is_rejected(stack: Stack, path: str) -> None:
    assert_problem(send(stack, path, "{}"), 422)


@ANY
@pytest.mark.parametrize("field", ["from", "to", "body", "attachments", "timestamp", "type"])
@pytest.mark.parametrize("wrong", [{}, [None], 7, True, "\0", 1e308])
def test_a_field_of_the_wrong_type_is_named(stack: Stack, path: str, field: str, wrong: object) -> None:
    if path in (INBOUND_SMS, INBOUND_EMAIL) and field in ("from", "to") and wrong == "\0":
        wrong = 7  # any text of an address is stored, because its message has reached us
    answer = send(stack, path, json.dumps(VALID[path] | {field: wrong}))
    assert_problem(answer, 422)
    assert any(error["field"].split(".")[0] == field for error in answer.body["errors"]), answer.body


@pytest.mark.parametrize("path", [SEND_SMS, SEND_EMAIL])
@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize(
    "wrong", ["", " ", "nobody", "@", "+", "+1", "+1804555123456789012", "1" * 400, "a@b@c", "\n"]
)
def test_an_invalid_address_is_rejected(stack: Stack, path: str, field: str, wrong: str) -> None:
    if wrong == "nobody" and (field, path) == ("from", SEND_SMS):
        wrong = "nobody at all"  # `nobody` is a valid alphanumeric sender
    assert_problem(send(stack, path, json.dumps(VALID[path] | {field: wrong})), 422, field)


@pytest.mark.parametrize("field", ["from", "to"])
@pytest.mark.parametrize("blank", ["", " ", "\n"])
def test_a_blank_address_of_a_received_sms_is_rejected(stack: Stack, field: str, blank: str) -> None:
    body = json.dumps(VALID[INBOUND_SMS] | {field: blank})
    assert_problem(send(stack, INBOUND_SMS, body), 422, field)


@ANY
def test_a_missing_field_is_named(stack: Stack, path: str) -> None:
    for missing in set(VALID[path]) - {"body"}:
        fields = {name: value for name, value in VALID[path].items() if name != missing}
        assert_problem(send(stack, path, json.dumps(fields)), 422, missing)


@pytest.mark.parametrize("path", [SEND_SMS, SEND_EMAIL])
@pytest.mark.parametrize("field", ["unknown", "bcc", "metadata", "send_at"])
def test_an_unknown_field_is_named(stack: Stack, path: str, field: str) -> None:
    assert_problem(send(stack, path, json.dumps(VALID[path] | {field: None})), 422, field)


@pytest.mark.parametrize(
    ("field", "value"),
    [("cc", ["a@example.org"]), ("reply_to", "a@example.org"), ("headers", {"X-A": "1"})],
)
def test_a_field_that_an_sms_cannot_have_is_rejected_with_the_provider(
    stack: Stack, field: str, value: object
) -> None:
    answer = send(stack, SEND_SMS, json.dumps(VALID[SEND_SMS] | {field: value}))
    assert_problem(answer, 422, field)
    [error] = answer.body["errors"]
    assert error["message"] == "must be left out: sms cannot send it"


@ANY
@pytest.mark.parametrize(
    ("field", "wrong"),
    [
        ("body", "a\0b"),
        ("body", "x" * (2**20 + 1)),
        ("attachments", ["no address"]),
        ("attachments", ["https://example.com/\0"]),
        ("attachments", ["https://example.com/image.jpg"] * 101),
        ("timestamp", "yesterday"),
        ("timestamp", "2024-13-01T00:00:00Z"),
        ("timestamp", "0001-01-01T00:00:00+14:00"),
    ],
    ids=lambda value: repr(value)[:32],
)
def test_a_value_that_cannot_be_stored_is_rejected(
    stack: Stack, path: str, field: str, wrong: object
) -> None:
    answer = send(stack, path, json.dumps(VALID[path] | {field: wrong}))
    assert_problem(answer, 422)
    assert answer.body["errors"][0]["field"].split(".")[0] == field


@pytest.mark.parametrize(
    ("path", "id"), [(INBOUND_SMS, "messaging_provider_id"), (INBOUND_EMAIL, "xillio_id")]
)
@pytest.mark.parametrize("wrong", ["", "\0", "x" * 513, None, {}, 1.5])
def test_an_invalid_provider_message_id_is_rejected(stack: Stack, path: str, id: str, wrong: object) -> None:
    assert_problem(send(stack, path, json.dumps(VALID[path] | {id: wrong})), 422, id)


@ANY
@pytest.mark.parametrize("character", ["x", "\\u00e4", "ä"])
def test_seven_megabytes_are_too_large(stack: Stack, path: str, character: str) -> None:
    body = json.dumps(VALID[path] | {"body": "BODY"}).replace(
        "BODY", character * (7_000_000 // len(character.encode()))
    )
    assert_problem(send(stack, path, body), 413)


@pytest.mark.parametrize("path", [SEND_SMS, SEND_EMAIL])
@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "image/png"]
)
def test_another_media_type_than_json_is_rejected(stack: Stack, path: str, type: str) -> None:
    answer = call("POST", f"{stack.url}{path}", json.dumps(VALID[path]), {"content-type": type})
    assert_problem(answer, 415)


@pytest.mark.parametrize("key", ["", "k" * 256])
def test_an_idempotency_key_that_is_too_short_or_too_long_is_rejected(stack: Stack, key: str) -> None:
    answer = post(f"{stack.url}{SEND_SMS}", VALID[SEND_SMS], {"idempotency-key": key})
    assert_problem(answer, 422)
