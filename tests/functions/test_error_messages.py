"""Error messages name the fields of the request, and do not mention Python types."""

from collections.abc import Mapping

import pytest

from tests.support.api import EMAIL, INBOUND_SMS, NEW_EMAIL, NEW_SMS, SMS, Answer, call
from tests.support.configuration import Configure

pytestmark = pytest.mark.slow

URL = "https://example.com/i.jpg"
URL_MESSAGE = "must be a URL that begins with http:// or https://"
TIME_MESSAGE = "must be an RFC 3339 time, such as 2024-11-01T14:00:00Z"
HEADER_MESSAGE = "must be a valid header name, such as X-Campaign"
TOO_MANY_HEADERS = {f"x-{number}": "" for number in range(21)}


def field_errors(answer: Answer) -> list[tuple[str, str]]:
    assert answer.status == 422
    return [(error["field"], error["message"]) for error in answer.json["errors"]]


@pytest.mark.parametrize(
    ("route", "fields", "field", "message"),
    [
        (SMS, {"from": ...}, "from", "is required"),
        (SMS, {"more": 1}, "more", "is not a field of this request"),
        (SMS, {"subject": "Hi"}, "subject", "must be left out"),
        (SMS, {"type": "email"}, "type", "must be 'sms' or 'mms'"),
        (EMAIL, {"type": "sms"}, "type", "must be 'email'"),
        (SMS, {"delivery_policy": "x"}, "delivery_policy", "must be 'at_most_once' or 'at_least_once'"),
        (SMS, {"to": None}, "to", "must be a string"),
        (SMS, {"to": "1" * 65}, "to", "must have at most 64 characters"),
        (SMS, {"attachments": URL}, "attachments", "must be a list"),
        (SMS, {"type": None, "attachments": [URL] * 101}, "attachments", "must have at most 100 items"),
        (SMS, {"attachments": [URL * 99]}, "attachments.0", "must have at most 2048 characters"),
        (SMS, {"attachments": ["i.jpg"]}, "attachments.0", URL_MESSAGE),
        (SMS, {"attachments": ["ftp://example.com/i.jpg"]}, "attachments.0", URL_MESSAGE),
        (SMS, {"timestamp": "2024-11-31T14:00:00Z"}, "timestamp", TIME_MESSAGE),
        (SMS, {"timestamp": "2024-11"}, "timestamp", TIME_MESSAGE),
        (SMS, {"timestamp": 7}, "timestamp", TIME_MESSAGE),
        (EMAIL, {"body": ""}, "body", "must not be empty"),
        (EMAIL, {"body": "x" * (2**20 + 1)}, "body", "must be at most 1 MiB of UTF-8"),
        (EMAIL, {"subject": "x" * 999}, "subject", "must have at most 998 characters"),
        (EMAIL, {"cc": ["a@example.com"] * 51}, "cc", "must have at most 50 items"),
        (EMAIL, {"headers": []}, "headers", "must be an object"),
        (EMAIL, {"headers": TOO_MANY_HEADERS}, "headers", "must have at most 20 entries"),
        (EMAIL, {"headers": {"": "x"}}, "headers.", "must not be empty"),
        (EMAIL, {"headers": {"a b": "x"}}, "headers.a b", HEADER_MESSAGE),
    ],
)  # fmt: skip
@pytest.mark.usefixtures("providers")
def test_a_wrong_field_of_a_message_has_a_readable_message(
    route: str, fields: Mapping[str, object], field: str, message: str
) -> None:
    defaults = NEW_SMS if route == SMS else NEW_EMAIL
    sent = {name: value for name, value in {**defaults, **fields}.items() if value is not ...}
    assert field_errors(call("POST", route, sent)) == [(field, message)]


@pytest.mark.parametrize(
    ("target", "field", "message"),
    [
        ("/api/conversations?limit=many", "limit", "must be a whole number"),
        ("/api/conversations?limit=1.5", "limit", "must be a whole number"),
        (f"/api/conversations?limit={'9' * 5000}", "limit", "must be a whole number"),
        ("/api/conversations?limit=0", "limit", "must be at least 1"),
        ("/api/conversations?limit=201", "limit", "must be at most 200"),
        ("/api/conversations?type=fax", "type", "must be 'sms', 'mms' or 'email'"),
        ("/api/conversations?updated_since=2024", "updated_since", TIME_MESSAGE),
        ("/api/conversations/1/messages?order=up", "order", "must be 'asc' or 'desc'"),
        ("/api/messages/x", "id", "must be a whole number"),
        ("/healthz?detail=perhaps", "detail", "must be true or false"),
    ],
)
@pytest.mark.usefixtures("providers")
def test_a_wrong_parameter_has_a_readable_message(target: str, field: str, message: str) -> None:
    assert field_errors(call("GET", target)) == [(field, message)]


@pytest.mark.parametrize(
    ("fields", "field", "message"),
    [
        ({"messaging_provider_id": ""}, "messaging_provider_id", "must not be empty"),
        ({"messaging_provider_id": "x" * 513}, "messaging_provider_id", "must have at most 512 characters"),
        ({"type": "fax"}, "type", "must be 'sms' or 'mms'"),
        ({"status": "failed", "from": ..., "error": "x"}, "error", "must be an object"),
    ],
)
@pytest.mark.usefixtures("database", "aws")
def test_a_wrong_field_of_an_unsigned_webhook_has_a_readable_message(
    configure: Configure, fields: Mapping[str, object], field: str, message: str
) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")
    sent = {name: value for name, value in {**INBOUND_SMS, **fields}.items() if value is not ...}
    assert field_errors(call("POST", "/api/webhooks/sms", sent)) == [(field, message)]


@pytest.mark.parametrize(
    ("method", "target", "body", "status", "code"),
    [
        ("POST", SMS, b"{", 400, "unreadable"),
        ("GET", "/api/conversations?cursor=x", b"", 400, "unreadable"),
        ("GET", "/api/messages/1", b"", 404, "not_found"),
        ("GET", "/nowhere", b"", 404, "not_found"),
        ("DELETE", SMS, b"", 405, "method_not_allowed"),
        ("POST", SMS, b"x" * 6_000_001, 413, "too_large"),
        ("POST", SMS, {}, 422, "invalid_field"),
        ("POST", "/api/webhooks/sms", INBOUND_SMS, 403, "signature_rejected"),
    ],
)
@pytest.mark.usefixtures("database", "aws", "providers")
def test_a_problem_has_the_code_of_its_kind(
    method: str, target: str, body: object, status: int, code: str
) -> None:
    answer = call(method, target, body)
    assert (answer.status, answer.json["status"], answer.json["code"]) == (status, status, code)


def test_another_media_type_has_its_own_code() -> None:
    answer = call("POST", SMS, NEW_SMS, {"content-type": "text/plain"})
    assert (answer.status, answer.json["code"]) == (415, "unsupported_media_type")


def test_a_key_without_the_scope_is_denied() -> None:
    answer = call("POST", SMS, NEW_SMS, caller={"account": "1", "key": "abcdefgh", "scopes": "read"})
    assert (answer.status, answer.json["code"]) == (403, "permission_denied")


@pytest.mark.usefixtures("database", "providers")
def test_a_sender_of_another_account_is_not_owned() -> None:
    caller = {"account": "2", "key": "abcdefgh", "scopes": "send"}
    answer = call("POST", SMS, NEW_SMS, caller=caller)
    assert (answer.status, answer.json["code"]) == (403, "not_owned")
