"""Unread webhooks: an operator lists, downloads, replays and dismisses what could not be read."""

import json
from collections.abc import Mapping
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from messaging import providers
from messaging.inbound import store
from messaging.inbound.faults import Fault, FaultKind
from messaging.providers import json_gateway
from messaging.providers.provider import Webhook
from tests.support import messages
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, Answer, call, signed
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.log_lines import Printed

pytestmark = [pytest.mark.usefixtures("providers"), pytest.mark.slow]

UNREAD = "/api/admin/unread-webhooks"
ADMIN: Mapping[str, str] = {"account": "1", "scopes": "admin", "key": "7"}
AUDIT = "SELECT actor, action, account_id, details FROM audit_events ORDER BY id"


class Faulty(json_gateway.Sms):
    """A provider with a bug."""

    def parse(self, webhook: Webhook) -> Any:
        raise KeyError(webhook.body)


def post(body: bytes | Mapping[str, object], route: str = "sms") -> Answer:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return call("POST", f"/api/webhooks/{route}", content, signed(content))


def post_to_faulty(body: bytes | Mapping[str, object]) -> None:
    with pytest.MonkeyPatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        assert post(body).status == 202


def store_unread(kind: FaultKind = FaultKind.UNREADABLE, **fields: Any) -> None:
    store.store_request(messages.request(**fields), [], Fault(kind, "fault"))


def operate(method: str, target: str = "") -> Answer:
    return call(method, f"{UNREAD}{target}", caller=ADMIN)


def listed(query: str = "") -> list[int]:
    return [webhook["id"] for webhook in operate("GET", query).json["unread_webhooks"]]


def test_a_webhook_that_cannot_be_read_is_listed_until_it_is_read(database: Database) -> None:
    post_to_faulty(INBOUND_SMS)
    [webhook] = operate("GET").json["unread_webhooks"]
    body = json.dumps(INBOUND_SMS).encode()
    assert webhook.pop("received_at").startswith("20")
    assert webhook.pop("fault").startswith("KeyError in test_unread_webhooks.py, line ")
    assert webhook == {
        "id": 1,
        "provider": "sms",
        "route": "sms",
        "kind": "bug",
        "content_type": "application/json",
        "size": len(body),
        "seen_at": None,
        "dismissed_at": None,
    }
    replayed = operate("POST", "/1/replay")
    assert replayed.json == {
        "id": 1,
        "kind": None,
        "fault": None,
        "parts": [{"outcome": "created", "message_id": 1}],
    }
    assert call("GET", "/api/messages/1").json["body"] == INBOUND_SMS["body"]
    assert listed() == []
    assert operate("POST", "/1/replay").status == 404
    assert database.rows(AUDIT) == [["key:7", "webhook.replayed", 0, {"id": 1}]]


def test_a_replay_without_a_fix_leaves_the_webhook_in_the_list(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "sms", Faulty)
    post(INBOUND_SMS)
    replayed = operate("POST", "/1/replay").json
    assert (replayed["kind"], replayed["parts"]) == ("bug", [{"outcome": "unreadable", "message_id": None}])
    assert listed() == [1]
    assert operate("GET").json["unread_webhooks"][0]["seen_at"]
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.usefixtures("database")
def test_a_conflict_is_listed_and_a_replay_of_it_names_the_message_that_has_the_id() -> None:
    post(INBOUND_SMS)
    post({**INBOUND_SMS, "body": "other"})
    for _ in range(2):
        replayed = operate("POST", "/2/replay").json
        assert (replayed["kind"], replayed["parts"]) == (
            "id_conflict",
            [{"outcome": "conflict", "message_id": 1}],
        )
    assert listed("?kind=id_conflict") == [2]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("body", "route", "fault"),
    [
        (b"{", "sms", "Unreadable"),
        (b"[]", "email", "Unreadable"),
        (b'{"from": "contact@example.org"}', "email", "Invalid: to, xillio_id"),
        (b'{"status": "delivered"}', "sms", "Invalid: reference"),
    ],
)
def test_a_signed_body_of_another_form_is_listed(body: bytes, route: str, fault: str) -> None:
    assert post(body, route).status == 202
    [webhook] = operate("GET").json["unread_webhooks"]
    assert (webhook["route"], webhook["kind"], webhook["fault"]) == (route, "unreadable", fault)


@pytest.mark.usefixtures("database")
def test_the_list_is_newest_first_and_continues_at_its_cursor() -> None:
    for _ in range(7):
        store_unread()
    messages.receive()  # was read
    pages: list[list[int]] = []
    cursor = ""
    while cursor is not None:
        page = operate("GET", f"?limit=3&cursor={cursor}").json
        pages.append([webhook["id"] for webhook in page["unread_webhooks"]])
        cursor = page["next_cursor"]
    assert pages == [[7, 6, 5], [4, 3, 2], [1]]
    other_filter = operate("GET", "?limit=3").json["next_cursor"]
    assert operate("GET", f"?provider=sms&cursor={other_filter}").status == 400


@pytest.mark.usefixtures("database")
def test_the_list_is_filtered_by_provider_kind_and_time() -> None:
    now = messages.request().received_at
    for days, provider, kind in (
        (1, "sms", FaultKind.BUG),
        (2, "email", FaultKind.UNREADABLE),
        (3, "email", FaultKind.OVER_LIMIT),
    ):
        store_unread(kind, provider=provider, received_at=now + timedelta(days=days))

    def at(days: int) -> str:
        return (now + timedelta(days=days)).isoformat().replace("+", "%2B")

    assert listed("?provider=email") == [3, 2]
    assert listed("?kind=bug") == [1]
    assert listed("?provider=sms&kind=over_limit") == []
    assert listed(f"?since={at(2)}") == [3, 2]
    assert listed(f"?until={at(2)}") == [1]
    assert listed(f"?since={at(2)}&until={at(3)}") == [2]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("status", "method", "target"),
    [
        (422, "GET", "?limit=0"),
        (422, "GET", "?kind=odd"),
        (422, "GET", "?since=yesterday"),
        (400, "GET", "?cursor=x"),
        (422, "GET", "/0"),
        (404, "GET", "/9"),
        (404, "GET", "/9/raw"),
        (404, "POST", "/9/replay"),
        (404, "DELETE", "/9"),
    ],
)
def test_a_missing_webhook_or_an_invalid_parameter_has_its_status(
    status: int, method: str, target: str
) -> None:
    assert operate(method, target).status == status


def test_the_details_have_the_url_and_the_headers_without_credentials(database: Database) -> None:
    store_unread(
        query="reference=7",
        headers={"content-type": "text/plain", "x-signature": "abc", "authorization": "Basic secret"},
    )
    details = operate("GET", "/1").json
    assert (details["url"], details["query"]) == ("https://example.com/", "reference=7")
    assert details["headers"] == {"content-type": "text/plain", "x-signature": "abc"}
    assert details["content_type"] == "text/plain"
    assert database.value("SELECT seen_at FROM webhook_requests") is None, "only its body shows what it was"


# --- Downloads ---------------------------------------------------------------------------------------


@pytest.mark.parametrize("declared", ["application/json", "multipart/form-data; boundary=x", "text/html", ""])
def test_a_download_is_the_body_byte_for_byte_and_nothing_that_a_browser_opens(
    database: Database, declared: str
) -> None:
    body = bytes(range(256)) * 20
    store_unread(body=body, headers={"content-type": declared})
    answer = operate("GET", "/1/raw")
    assert (answer.status, answer.body) == (200, body)
    assert answer.headers["content-type"] == "application/octet-stream"
    assert answer.headers["content-disposition"] == 'attachment; filename="webhook-1"'
    assert answer.headers["x-content-type-options"] == "nosniff"
    assert answer.headers["cache-control"] == "no-store"
    assert database.value("SELECT seen_at IS NOT NULL FROM webhook_requests")
    assert database.rows(AUDIT) == [["key:7", "webhook.downloaded", 0, {"id": 1}]]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(("size", "status"), [(4_000_000, 200), (4_000_001, 302), (6_000_000, 302)])
def test_a_body_that_does_not_fit_into_a_response_is_downloaded_from_s3(
    aws: Aws, size: int, status: int
) -> None:
    body = b"x" * size
    store_unread(body=body, headers={"content-type": "multipart/form-data; boundary=x"})
    answer = operate("GET", "/1/raw")
    assert answer.status == status
    if status == 200:
        assert answer.body == body
        return
    url = urlsplit(answer.headers["location"])
    signed_fields = parse_qs(url.query)
    assert signed_fields["response-content-disposition"] == ['attachment; filename="webhook-1"']
    assert signed_fields["response-content-type"] == ["application/octet-stream"]
    assert signed_fields["X-Amz-Expires"] == ["900"]
    assert aws.read_object(aws.bucket, "unread/1") == body


# --- Dismissal and retention -------------------------------------------------------------------------


def test_a_dismissed_webhook_leaves_the_list_and_can_still_be_downloaded(database: Database) -> None:
    store_unread(body=b"body")
    store_unread()
    assert [operate("DELETE", "/1").status for _ in range(2)] == [204, 204]
    assert listed() == [2]
    assert operate("GET", "/1").json["dismissed_at"]
    assert operate("GET", "/1/raw").body == b"body"
    actions = [action for _, action, *_ in database.rows(AUDIT)]
    assert actions == ["webhook.dismissed", "webhook.downloaded"]


def test_a_webhook_that_was_read_is_not_an_unread_webhook(database: Database) -> None:
    post(INBOUND_SMS)
    for method, target in (("GET", "/1"), ("GET", "/1/raw"), ("POST", "/1/replay"), ("DELETE", "/1")):
        assert operate(method, target).status == 404
    assert database.rows(AUDIT) == []


ROUTES = [("GET", ""), ("GET", "/1"), ("GET", "/1/raw"), ("POST", "/1/replay"), ("DELETE", "/1")]


@pytest.mark.parametrize(("method", "target"), ROUTES)
@pytest.mark.parametrize("scopes", ["read send", "", "administrator"])
def test_an_account_s_key_does_not_reach_an_unread_webhook(
    database: Database, method: str, target: str, scopes: str
) -> None:
    store_unread()
    caller = {**ADMIN, "scopes": scopes}
    assert call(method, f"{UNREAD}{target}", caller=caller).status == 403
    by_default_route = call(method, f"{UNREAD}{target}", caller=caller, routeKey="$default")
    assert by_default_route.status == 403
    assert call(method, f"{UNREAD}{target}", caller=None).status == 401
    assert database.rows("SELECT seen_at, dismissed_at FROM webhook_requests") == [[None, None]]
    assert database.rows(AUDIT) == []


# --- Providers ---------------------------------------------------------------------------------------


@pytest.mark.usefixtures("database")
def test_a_webhook_of_each_route_is_replayed() -> None:
    for route, fields in (("sms", INBOUND_SMS), ("email", INBOUND_EMAIL)):
        store_unread(route=route, provider=route, body=json.dumps(fields).encode())
    for id in (1, 2):
        [part] = operate("POST", f"/{id}/replay").json["parts"]
        assert part == {"outcome": "created", "message_id": id}


def test_a_webhook_of_a_removed_provider_cannot_be_replayed(database: Database) -> None:
    store_unread(provider="gone")
    refused = operate("POST", "/1/replay")
    assert (refused.status, refused.fields) == (422, ["provider"])
    assert database.value("SELECT fault FROM webhook_requests") == "fault"


def test_nothing_of_a_webhook_is_logged(printed: Printed, database: Database) -> None:
    post_to_faulty({**INBOUND_SMS, "body": "secret-body"})
    operate("GET", "/1/raw")
    operate("POST", "/1/replay")
    assert "secret-body" not in json.dumps(printed.logs)
    assert database.value("SELECT body FROM messages") == "secret-body"
