"""Every route answers invalid requests with the right status, and stores nothing."""

import base64
import json
from http import HTTPStatus

import pytest

from tests.support.api import EMAIL, INBOUND_EMAIL, INBOUND_SMS, NEW_EMAIL, NEW_SMS, SMS, Answer, call
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.database_reset import TABLES

pytestmark = pytest.mark.usefixtures("aws")

GOOD = {
    SMS: NEW_SMS,
    EMAIL: NEW_EMAIL,
    "/api/webhooks/sms": INBOUND_SMS,
    "/api/webhooks/sms/sms": INBOUND_SMS,
    "/api/webhooks/email": INBOUND_EMAIL,
    "/api/webhooks/email/email": INBOUND_EMAIL,
}
"""A valid body for every route that takes one."""


@pytest.fixture(autouse=True)
def allow_unsigned(configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")


def problem(answer: Answer, status: int) -> Answer:
    """Return the answer. Checks that it is a problem document with this status that shows no internals."""
    assert answer.status == status, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    document = answer.json
    assert document.keys() - {"errors"} == {"type", "title", "status", "detail", "code"}
    assert (document["status"], document["title"]) == (status, HTTPStatus(status).phrase)
    for internal in ("Traceback", "pydantic", "SELECT", "pg8000", "Inbound", "NewSms"):
        assert internal not in answer.body.decode()
    return answer


def count_rows(database: Database) -> int:
    """The number of rows in all tables."""
    return sum(int(str(database.value(f"SELECT count(*) FROM {table}"))) for table in TABLES.split(", "))


@pytest.mark.parametrize("route", GOOD)
@pytest.mark.parametrize(
    "body",
    [
        *(b"x", b"{", b"[]", b"null", b"7", b'"text"', b'{"body": NaN}'),
        *(
            b"\xff\xfe",
            b'{"body": "\xff"}',
            b"[" * 100_000,
            b'{"a":' * 100_000,
            b'{"from": ' + b"9" * 5000 + b"}",
        ),
    ],
    ids=lambda body: ascii(body)[:20],
)
def test_a_body_that_is_not_a_json_object_is_a_400(database: Database, route: str, body: bytes) -> None:
    problem(call("POST", route, body), 400)
    assert count_rows(database) == 0


@pytest.mark.parametrize("route", GOOD)
def test_a_missing_body_is_a_400(database: Database, route: str) -> None:
    problem(call("POST", route), 400)
    problem(call("POST", route, body_changed_to=None), 400)


@pytest.mark.parametrize("route", GOOD)
def test_a_body_of_seven_megabytes_is_a_413(database: Database, route: str) -> None:
    body = json.dumps({**GOOD[route], "body": "x" * 7_000_000}).encode()
    problem(call("POST", route, body), 413)
    assert count_rows(database) == 0


@pytest.mark.parametrize("route", GOOD)
@pytest.mark.parametrize("text", ["x", "e30", "e30=\n!", "\u20ac", "\ud800"])
def test_invalid_base64_is_a_400(database: Database, route: str, text: str) -> None:
    problem(call("POST", route, GOOD[route], body_changed_to=text, isBase64Encoded=True), 400)
    assert count_rows(database) == 0


@pytest.mark.parametrize("route", GOOD)
def test_a_base64_body_is_decoded(database: Database, route: str) -> None:
    text = base64.b64encode(json.dumps(GOOD[route]).encode()).decode()
    assert call("POST", route, GOOD[route], body_changed_to=text, isBase64Encoded=True).status in (200, 202)


@pytest.mark.parametrize("route", [SMS, EMAIL])
@pytest.mark.parametrize(
    "type", ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", "json"]
)
def test_another_media_type_is_a_415(database: Database, route: str, type: str) -> None:
    problem(call("POST", route, GOOD[route], {"content-type": type}), 415)
    assert count_rows(database) == 0


@pytest.mark.parametrize("route", GOOD)
@pytest.mark.parametrize(
    "type", ["application/json", "Application/JSON", "application/json; charset=utf-8", "APPLICATION/JSON;x"]
)
def test_the_media_type_of_json_may_have_upper_case_and_parameters(
    database: Database, route: str, type: str
) -> None:
    assert call("POST", route, GOOD[route], {"content-type": type}).status in (200, 202)


@pytest.mark.parametrize(
    ("route", "changes", "fields"),
    [
        (SMS, {"to": "nobody"}, ["to"]),
        (SMS, {"from": None, "to": 7}, ["from", "to"]),
        (SMS, {"body": ""}, ["body"]),
        (SMS, {"type": "sms", "attachments": ["https://example.com/i"]}, ["attachments"]),
        (SMS, {"attachments": ["x"]}, ["attachments.0"]),
        (SMS, {"attachments": ["https://example.com/i", "x"]}, ["attachments.1"]),
        (SMS, {"body": "a\0"}, ["body"]),
        (SMS, {"timestamp": 1730469600}, ["timestamp"]),
        (SMS, {"cc": "x", "sender": "+12016661234"}, ["cc", "sender"]),
        (SMS, {"subject": "x"}, ["subject"]),
        (EMAIL, {"type": "sms"}, ["type"]),
        (EMAIL, {"subject": "a\nBcc: b@example.org"}, ["subject"]),
        *((EMAIL, {name: 1}, [name]) for name in ("cc", "reply_to", "headers", "metadata", "send_at")),
        ("/api/webhooks/sms", {"from": ""}, ["from"]),
        ("/api/webhooks/email", {"xillio_id": []}, ["xillio_id"]),
    ],
)
def test_an_invalid_field_is_a_422_that_names_it(
    database: Database, route: str, changes: dict[str, object], fields: list[str]
) -> None:
    assert problem(call("POST", route, {**GOOD[route], **changes}), 422).fields == fields
    assert count_rows(database) == 0


@pytest.mark.parametrize("key", ["", "x" * 256, "a\0", "\ud800"])
@pytest.mark.parametrize("route", [SMS, EMAIL])
def test_an_invalid_idempotency_key_is_a_422_that_names_the_header(
    database: Database, route: str, key: str
) -> None:
    refused = problem(call("POST", route, GOOD[route], {"idempotency-key": key}), 422)
    assert refused.fields == ["Idempotency-Key"]
    assert count_rows(database) == 0


@pytest.mark.parametrize(
    ("target", "field"),
    [
        *(
            (f"/api/conversations?limit={value}", "limit")
            for value in ("0", "201", "x", "", "1.5", "-1", "9" * 30)
        ),
        *(
            (f"/api/conversations/1/messages?limit={value}", "limit")
            for value in ("0", "201", "x", "5&limit=6")
        ),
        ("/api/conversations?address=", "address"),
        *((f"/api/conversations?type={value}", "type") for value in ("fax", "", "SMS", "sms&type=mms")),
        *(
            (f"/api/conversations?updated_since={value}", "updated_since")
            for value in ("", "5", "soon", "%00")
        ),
        *((f"/api/conversations/1/messages?order={value}", "order") for value in ("up", "", "ASC")),
        *((f"/api/messages/{value}", "id") for value in ("0", "-1", "x", "1.5", "9" * 30)),
        *((f"/api/conversations/{value}", "id") for value in ("0", "9" * 19, "x")),
        *((f"/api/conversations/{value}/messages", "id") for value in ("0", "9" * 19, "x")),
    ],
)
def test_an_invalid_parameter_is_a_422_that_names_it(database: Database, target: str, field: str) -> None:
    assert problem(call("GET", target), 422).fields == [field]


@pytest.mark.parametrize("walk", ["/api/conversations", "/api/conversations/1/messages"])
@pytest.mark.parametrize("cursor", ["x", "%00", "%E2%82%AC", "e30", "bnVsbA", "W10", "x" * 8000, ""])
def test_an_invalid_cursor_is_a_400(database: Database, walk: str, cursor: str) -> None:
    call("POST", SMS, NEW_SMS)
    answer = call("GET", f"{walk}?cursor={cursor}")
    if cursor:
        problem(answer, 400)
    else:
        assert answer.status == 200


def test_a_cursor_of_another_list_is_a_400(database: Database) -> None:
    call("POST", SMS, NEW_SMS)
    cursor = call("GET", "/api/conversations/1/messages").json["next_cursor"]
    for walk in ("/api/conversations?", "/api/conversations/1/messages?order=desc&"):
        problem(call("GET", f"{walk}cursor={cursor}"), 400)
