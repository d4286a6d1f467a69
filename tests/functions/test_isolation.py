"""Two accounts: neither can read, send as, or detect the other."""

import inspect
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

import pytest

from messaging.conversations import reads
from messaging.models import MAX_ID, Channel
from messaging.outbound import store
from messaging.outbound.store import AcceptOutcome
from tests.support import messages as support_messages
from tests.support.admin import make_account
from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, Answer, call, template
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.database_reset import TABLES

pytestmark = pytest.mark.slow

PICTURE = {"type": "mms", "attachments": ["https://example.com/a.jpg"]}
OURS, THEIRS = "+12016660001", "+12016660002"
"""An address of each account."""
CALLERS: Mapping[str, Mapping[str, str]] = {
    OURS: {"account": "2", "scopes": "read send", "key": "1"},
    THEIRS: {"account": "3", "scopes": "read send", "key": "2"},
}


def call_as(address: str, method: str, target: str, body: object = b"", key: str | None = None) -> Answer:
    return call(method, target, body, {"Idempotency-Key": key} if key else {}, caller=CALLERS[address])


class Ids(NamedTuple):
    conversation: int
    message: int
    """A message with an attachment."""


@pytest.fixture(autouse=True)
def two_accounts(database: Database, aws: Aws) -> None:
    """Each account has a conversation with the same contact; one of its messages has an attachment."""
    for number, address in enumerate((OURS, THEIRS), 2):
        assert make_account(f"Shop {number}", address) == number
        for change in ({}, PICTURE):
            assert call_as(address, "POST", SMS, NEW_SMS | {"from": address} | change).status == 202
        support_messages.receive(f"id-{number}", to=address)


def ids(address: str) -> Ids:
    [thread] = call_as(address, "GET", "/api/conversations").json["conversations"]
    messages = call_as(address, "GET", f"/api/conversations/{thread['id']}/messages").json["messages"]
    return Ids(thread["id"], next(message["id"] for message in messages if message["attachments"]))


def all_rows(database: Database) -> object:
    return [database.rows(f"SELECT * FROM {table} ORDER BY 1, 2") for table in TABLES.split(", ")]


READS = {
    "/api/conversations": "/api/conversations",
    "/api/conversations/{id}": "/api/conversations/{conversation}",
    "/api/conversations/{id}/messages": "/api/conversations/{conversation}/messages",
    "/api/messages/{id}": "/api/messages/{message}",
    "/api/messages/{id}/attachments/{number}": "/api/messages/{message}/attachments/1",
}


def test_this_file_tests_every_route_of_an_account() -> None:
    closed = {(route.method, route.path) for route in template().routes if route.path and route.authorizer}
    callers = {(method, path) for method, path in closed if not path.startswith("/api/admin/")}
    assert callers == {("POST", SMS), ("POST", EMAIL), *(("GET", path) for path in READS)}


@pytest.mark.parametrize("path", sorted(READS.keys() - {"/api/conversations"}))
def test_the_other_account_s_id_is_the_same_404_as_a_missing_id(database: Database, path: str) -> None:
    before = all_rows(database)
    assert call_as(THEIRS, "GET", READS[path].format(**ids(THEIRS)._asdict())).status in (200, 302)
    another = call_as(OURS, "GET", READS[path].format(**ids(THEIRS)._asdict()))
    missing = call_as(OURS, "GET", READS[path].format(conversation=MAX_ID, message=MAX_ID))
    assert another.status == 404
    assert another == missing
    assert all_rows(database) == before


def test_a_list_shows_only_the_account_s_own_conversations(database: Database) -> None:
    own, other = (call_as(address, "GET", "/api/conversations").json["conversations"] for address in CALLERS)
    assert [conversation["customer_address"] for conversation in own] == [OURS]
    assert [conversation["customer_address"] for conversation in other] == [THEIRS]
    for query in (f"address={THEIRS.replace('+', '%2B')}", f"address={THEIRS.replace('+', '%2B')}&type=sms"):
        assert call_as(OURS, "GET", f"/api/conversations?{query}").json["conversations"] == []


def test_the_same_address_is_a_different_contact_of_each_account() -> None:
    contacts = [call_as(address, "GET", f"/api/conversations/{ids(address)[0]}").json for address in CALLERS]
    assert contacts[0]["contact_address"] == contacts[1]["contact_address"]
    assert contacts[0]["contact_id"] != contacts[1]["contact_id"]


def test_the_other_account_s_cursor_shows_only_own_rows() -> None:
    """A cursor is a position. The rows after it are those of the caller."""
    for contact in ("+18045550001", "+18045550002"):
        for address in CALLERS:
            call_as(address, "POST", SMS, NEW_SMS | {"from": address, "to": contact})
    other_cursor = call_as(THEIRS, "GET", "/api/conversations?limit=1").json["next_cursor"]
    page = call_as(OURS, "GET", f"/api/conversations?cursor={other_cursor}").json
    assert {conversation["customer_address"] for conversation in page["conversations"]} == {OURS}
    conversation, _ = ids_of_first(THEIRS)
    cursor = call_as(THEIRS, "GET", f"/api/conversations/{conversation}/messages?limit=1").json["next_cursor"]
    refused = call_as(OURS, "GET", f"/api/conversations/{conversation}/messages?cursor={cursor}")
    assert refused == call_as(OURS, "GET", f"/api/conversations/{MAX_ID}/messages")


def ids_of_first(address: str) -> tuple[int, int]:
    threads = call_as(address, "GET", "/api/conversations").json["conversations"]
    return min(thread["id"] for thread in threads), len(threads)


@pytest.mark.parametrize(("path", "message"), [(SMS, NEW_SMS), (EMAIL, NEW_EMAIL)])
def test_an_account_cannot_send_from_the_other_account_s_address(
    database: Database, path: str, message: Mapping[str, Any]
) -> None:
    sender = THEIRS if path == SMS else "user@example.com"
    before = all_rows(database)
    refused = call_as(OURS, "POST", path, {**message, "from": sender}, key="key")
    assert (refused.status, refused.fields) == (403, ["from"])
    assert all_rows(database) == before


def test_accounts_may_use_the_same_idempotency_key() -> None:
    sent = [call_as(address, "POST", SMS, NEW_SMS | {"from": address}, key="key") for address in CALLERS]
    assert [answer.status for answer in sent] == [202, 202]
    assert sent[0].json["id"] != sent[1].json["id"]
    assert call_as(OURS, "POST", SMS, NEW_SMS | {"from": OURS}, key="key").json["id"] == sent[0].json["id"]


@pytest.mark.parametrize(
    ("scopes", "method", "target", "scope"),
    [
        ("read", "POST", SMS, "send"),
        ("admin", "POST", EMAIL, "send"),
        ("", "POST", SMS, "send"),
        *(("send", "GET", target.format(conversation=1, message=1), "read") for target in READS.values()),
        ("admin", "GET", "/api/conversations", "read"),
    ],
)
def test_a_key_without_the_scope_is_a_403_that_names_the_scope(
    database: Database, scopes: str, method: str, target: str, scope: str
) -> None:
    before = all_rows(database)
    body = {SMS: NEW_SMS | {"from": OURS}, EMAIL: NEW_EMAIL}.get(target, b"")
    refused = call(method, target, body, caller={**CALLERS[OURS], "scopes": scopes})
    assert (refused.status, refused.json["detail"]) == (403, f"The API key does not have the scope {scope}.")
    assert all_rows(database) == before


# --- The store ---------------------------------------------------------------------------------------

STORE: Mapping[str, Callable[[int, Ids], object]] = {
    "accept_message": lambda account, _: store.accept_message(
        account, support_messages.sms(**{"from": THEIRS}), ["sms"]
    ),
    "get_message": lambda account, ids: reads.get_message(account, ids.message),
    "get_attachment": lambda account, ids: reads.get_attachment(account, ids.message, 1),
    "get_conversation": lambda account, ids: reads.get_conversation(account, ids.conversation),
    "list_conversations": lambda account, _: list(
        reads.list_conversations(account, 50, address=THEIRS, type=Channel.SMS).items
    ),
    "list_messages": lambda account, ids: reads.list_messages(account, ids.conversation, 50),
}
NOTHING: Mapping[str, object] = {
    "accept_message": (AcceptOutcome.NOT_OWNED, None, None),
    "list_conversations": [],
}


def test_this_file_tests_every_database_function_that_takes_an_account() -> None:
    serving = {
        name
        for module in (store, reads)
        for name, function in inspect.getmembers(module, inspect.isfunction)
        if function.__module__ == module.__name__ and "account" in inspect.signature(function).parameters
    }
    assert serving == STORE.keys()


@pytest.mark.parametrize("name", sorted(STORE))
def test_a_database_function_returns_nothing_of_the_other_account(database: Database, name: str) -> None:
    other_ids, before = ids(THEIRS), all_rows(database)
    assert STORE[name](2, other_ids) == NOTHING.get(name)
    assert all_rows(database) == before
    assert STORE[name](3, other_ids) != NOTHING.get(name)


@pytest.mark.parametrize("target", READS.values())
def test_a_request_by_the_default_route_needs_the_scope_too(database: Database, target: str) -> None:
    """API Gateway checks no scope for $default, and the function may match a path that it did not."""
    path = target.format(conversation=1, message=1)
    refused = call("GET", path, caller={**CALLERS[OURS], "scopes": "send"}, routeKey="$default")
    assert (refused.status, refused.json["detail"]) == (403, "The API key does not have the scope read.")
