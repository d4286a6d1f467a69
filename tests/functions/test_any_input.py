"""Generated input: no internal error, a described response, and a rejected request stores nothing."""

import base64
import json
import re
from collections.abc import Mapping
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.functions.test_openapi import DOCUMENT, conforms
from tests.support import api
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.database_reset import TABLES

pytestmark = pytest.mark.fuzz

EXAMPLES = settings(max_examples=200, suppress_health_check=[HealthCheck.function_scoped_fixture])

SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ODD = st.sampled_from(
    [
        *(
            "",
            "\0",
            "a\0b",
            "\\u0000",
            "\ud800",
            "\U0010ffff",
            "x" * 2000,
            "sms",
            "mms",
            "email",
            "delivered",
        ),
        *("+18045551234", "12345", "contact@example.org", "https://example.com/i"),
        *("2024-11-01T14:00:00Z", "0001-01-01T00:00:00+14:00"),
        *(0, -1, 2**63, 10**400, 1.5, float("inf"), float("nan"), True, None),
    ]
)
JSON = st.recursive(
    SCALARS | ODD,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=9), inner, max_size=3),
    max_leaves=8,
)
HEADER = st.text(st.characters(codec="latin-1", exclude_characters="\r\n\0"), max_size=40)
HEADERS = st.dictionaries(
    st.sampled_from(
        [
            *("Content-Type", "content-type", "Idempotency-Key", "content-encoding", "cookie", "host"),
            *("webhook-id", "webhook-timestamp", "webhook-signature", "x-forwarded-for", "authorization"),
        ]
    ),
    HEADER | st.sampled_from(["application/json", "Application/JSON", "text/plain", "gzip", "v1,AAAA", "0"]),
    max_size=4,
)
NAMES = st.sampled_from(["limit", "cursor", "address", "type", "updated_since", "order", "more"])
QUERY = st.lists(st.tuples(NAMES, HEADER | st.sampled_from(["1", "50", "sms", "asc", "x@y.z"])), max_size=4)


@pytest.fixture
def count_rows(database: Database, aws: object, configure: Configure) -> Any:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true", PROVIDER_SECRET_ARN="")
    counts = " + ".join(f"(SELECT count(*) FROM {table})" for table in TABLES.split(", "))
    return lambda: database.value(f"SELECT {counts}")


def altered(valid: Mapping[str, object]) -> st.SearchStrategy[bytes]:
    """Requests with one or two altered fields, and some that are arbitrary JSON or bytes."""
    others = ("attachments", "timestamp", "html", "subject", "reference", "status", "more")
    names = st.sampled_from([*valid, *others])

    def without(fields: dict[str, object], name: str) -> dict[str, object]:
        return {**{other: value for other, value in valid.items() if other != name}, **fields}

    near = st.dictionaries(names, ODD | ODD.map(lambda value: [value]) | JSON, max_size=2)
    altered_fields = near.map(lambda fields: {**valid, **fields}) | st.builds(without, near, names)
    return (
        altered_fields.map(encoded_json)
        | altered_fields.map(encoded_json)
        | JSON.map(encoded_json)
        | st.binary(max_size=60)
    )


def encoded_json(value: object) -> bytes:
    return json.dumps(value).encode()


def check(answer: api.Answer, method: str, path: str, before: object, after: object) -> None:
    assert answer.status != 500
    conforms(answer, method, path)
    if answer.status >= 400:
        assert answer.headers["content-type"] == "application/problem+json"
        assert before == after
    for error in answer.json.get("errors", []) if answer.status >= 400 else []:
        assert not re.search(r"\bInput\b|\bshould\b|validation|<\w+\.", error["message"])


@pytest.mark.parametrize(
    ("path", "valid"),
    [
        (api.SMS, api.NEW_SMS),
        (api.EMAIL, api.NEW_EMAIL),
        ("/api/webhooks/sms", api.INBOUND_SMS),
        ("/api/webhooks/email", api.INBOUND_EMAIL),
    ],
)
def test_any_body_has_a_described_answer(count_rows: Any, path: str, valid: Mapping[str, object]) -> None:
    @EXAMPLES
    @given(altered(valid), st.just({}) | st.just({}) | HEADERS, st.booleans())
    def check_answer(body: bytes, headers: dict[str, str], encoded: bool) -> None:
        changes: dict[str, Any] = {}
        if encoded:
            changes = {"body_changed_to": base64.b64encode(body).decode(), "isBase64Encoded": True}
        before = count_rows()
        check(api.call("POST", path, body, headers, **changes), "POST", path, before, count_rows())

    check_answer()


@pytest.mark.parametrize("path", [path for path, methods in DOCUMENT["paths"].items() if "get" in methods])
def test_any_id_and_query_have_a_described_answer(count_rows: Any, path: str) -> None:
    api.call("POST", api.SMS, api.NEW_SMS)
    before = count_rows()

    @EXAMPLES
    @given(
        st.sampled_from(["0", "1", "2", "9" * 19]) | st.from_regex(r"[\w.~%-]{1,20}", fullmatch=True), QUERY
    )
    def check_answer(id: str, query: list[tuple[str, str]]) -> None:
        target = path.replace("{id}", id) + "?" + "&".join(f"{name}={value}" for name, value in query)
        check(api.call("GET", target), "GET", path, before, count_rows())

    if path in ("/", "/api/docs", "/api/openapi.json", "/healthz"):
        assert api.call("GET", f"{path}?x=%00").status in (200, 302)
    else:
        check_answer()


def test_any_path_and_method_is_a_client_error(count_rows: Any) -> None:
    before = count_rows()
    letters = st.characters(codec="utf-8", exclude_characters="?#\0")

    @EXAMPLES
    @given(
        st.sampled_from(["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "X"]),
        st.sampled_from(["/", "/api", "/api/", "/api/messages/", "/api/webhooks/sms/", "/api/webhooks/"]),
        st.text(letters, max_size=20),
        st.binary(max_size=20),
    )
    def check_answer(method: str, start: str, end: str, body: bytes) -> None:
        for result in (
            api.call(method, start + end, body),
            api.call_url("sms_webhook", method, start + end, body),
            api.call_url("email_webhook", method, start + end, body),
        ):
            if method == "OPTIONS" and result.status == 204:  # the allowed methods
                assert result.body == b""
            else:
                refused = result.status in (400, 403, 404, 405, 413, 415, 422)
                opens_docs = (method, start + end, result.status) == ("GET", "/", 302)
                assert refused or opens_docs or (result.status, body) == (200, b"")
            if result.status >= 400:
                assert result.headers["content-type"] == "application/problem+json"
                assert result.json["status"] == result.status
        assert count_rows() == before

    check_answer()


def test_any_queue_record_that_is_not_an_id_fails(count_rows: Any) -> None:
    api.call("POST", api.SMS, api.NEW_SMS)
    before = count_rows()

    @EXAMPLES
    @given(st.lists(st.text(max_size=25).filter("1".__ne__) | st.integers(2, 2**70).map(str), max_size=10))
    def check_answer(bodies: list[str]) -> None:
        records = [
            {"messageId": str(index), "body": body} for index, body in enumerate(bodies) if body != "1"
        ]
        failed = api.invoke("deliver_message", {"Records": records})["batchItemFailures"]
        ids = [failure["itemIdentifier"] for failure in failed]
        assert ids == [
            record["messageId"]
            for record in records
            if not (record["body"].isascii() and record["body"].isdigit() and int(record["body"]) < 2**63)
            or len(record["body"]) > 19
        ]
        assert count_rows() == before

    check_answer()


def test_any_wrong_signature_is_a_403(count_rows: Any, configure: Configure) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="")
    before = count_rows()

    @EXAMPLES
    @given(HEADERS, st.binary(max_size=60) | st.just(json.dumps(api.INBOUND_SMS).encode()))
    def check_answer(headers: dict[str, str], body: bytes) -> None:
        for signature in ({}, api.signed({}) if body != b"{}" else {}):
            assert api.call("POST", "/api/webhooks/sms", body, {**signature, **headers}).status == 403
        assert count_rows() == before

    check_answer()
