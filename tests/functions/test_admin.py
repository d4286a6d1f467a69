"""functions/admin: accounts, addresses, keys and the audit log, over HTTP and for operators."""

from collections.abc import Iterator
from functools import partial
from itertools import chain
from typing import Any
from urllib.parse import quote

import pg8000.exceptions
import pytest

from tests.support import messages as support_messages
from tests.support.admin import make_account, make_key, operate
from tests.support.api import Answer, call
from tests.support.database import Database

ADMIN = "/api/admin"
SECOND = {"account": "2", "scopes": "admin", "key": "7"}


def audit_events(database: Database) -> list[list[object]]:
    return database.rows("SELECT action, account_id, key_id, actor FROM audit_events ORDER BY id")


def pages(path: str, name: str) -> Iterator[list[Any]]:
    cursor = ""
    while cursor is not None:
        page = call("GET", f"{path}?limit=2{cursor and '&cursor='}{cursor}").json
        yield page[name]
        cursor = page["next_cursor"]


def test_an_account_is_created_read_and_changed(database: Database) -> None:
    created = call("POST", f"{ADMIN}/accounts", {"name": "Shop", "sends_per_second": 5})
    assert created.status == 201
    assert (
        created.json.items()
        >= {"id": 2, "name": "Shop", "sends_per_second": 5, "sends_per_day": None}.items()
    )
    changed = call("PATCH", f"{ADMIN}/accounts/2", {"sends_per_second": None, "sends_per_day": 9})
    assert changed.json == created.json | {"sends_per_second": None, "sends_per_day": 9}
    assert call("PATCH", f"{ADMIN}/accounts/2", {"sends_per_day": 9}).json == changed.json
    assert call("GET", f"{ADMIN}/accounts/2").json == changed.json
    assert audit_events(database) == [
        ["account.created", 2, None, "key:0"],
        ["account.changed", 2, None, "key:0"],
    ]


def test_the_same_account_again_is_returned_and_another_with_its_name_is_a_conflict(
    database: Database,
) -> None:
    created = call("POST", f"{ADMIN}/accounts", {"name": "Shop"})
    again = call("POST", f"{ADMIN}/accounts", {"name": "Shop"})
    assert (again.status, again.json) == (200, created.json)
    other = call("POST", f"{ADMIN}/accounts", {"name": "Shop", "sends_per_day": 1})
    assert (other.status, other.fields) == (409, ["name"])
    renamed = call("PATCH", f"{ADMIN}/accounts/2", {"name": "default"})
    assert (renamed.status, renamed.fields) == (409, ["name"])
    assert len(audit_events(database)) == 1


def test_an_address_belongs_to_one_account(database: Database) -> None:
    make_account("Shop")
    body = {"address": "+1 201 666 0001", "account_id": 2}
    added = call("POST", f"{ADMIN}/addresses", body)
    assert (added.status, added.json["address"]) == (201, "+12016660001")
    again = call("POST", f"{ADMIN}/addresses", body)
    assert (again.status, again.json) == (200, added.json)
    conflict = call("POST", f"{ADMIN}/addresses", body | {"account_id": 1})
    assert (conflict.status, conflict.fields) == (409, ["address"])
    assert call("GET", f"{ADMIN}/addresses?account_id=2").json["addresses"] == [added.json]
    assert call("DELETE", f"{ADMIN}/addresses/%2B12016660001").status == 204
    assert call("DELETE", f"{ADMIN}/addresses/%2B12016660001").status == 404
    assert [action for action, *_ in audit_events(database)][1:] == ["address.added", "address.removed"]


@pytest.mark.usefixtures("database")
def test_an_address_is_stored_and_removed_in_its_normal_form() -> None:
    body = {"address": "User@Example.com", "account_id": 1}
    assert call("POST", f"{ADMIN}/addresses", body).json["address"] == "user@example.com"
    assert call("DELETE", f"{ADMIN}/addresses/User@Example.com").status == 204
    assert call("DELETE", f"{ADMIN}/addresses/user@example.com").status == 404
    assert call("DELETE", f"{ADMIN}/addresses/no%20address%20at%20all").status == 404


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("name", ["a#b", "a?b", "a`b", "a+b", "a%b", "a%23b", "a/b", "\u00fc"])
def test_an_address_with_any_characters_can_be_removed(name: str) -> None:
    address = f"{name}@example.com"
    path = f"{ADMIN}/addresses/{quote(address, safe='')}"
    for remove in (partial(call, "DELETE", path), partial(operate, f"DELETE {path}")):
        added = call("POST", f"{ADMIN}/addresses", {"address": address, "account_id": 1})
        assert (added.status, remove().status) == (201, 204)


@pytest.mark.usefixtures("database")
def test_the_secret_of_a_key_is_shown_once() -> None:
    created = call(
        "POST", f"{ADMIN}/keys", {"account_id": 1, "scopes": ["send", "read", "send"], "name": "web"}
    )
    assert (created.status, created.headers["cache-control"]) == (201, "no-store")
    key_fields = dict(created.json)
    assert key_fields.pop("key").startswith("mk_1_")
    assert key_fields["scopes"] == ["read", "send"]
    assert call("GET", f"{ADMIN}/keys?account_id=1").json["keys"] == [key_fields]
    assert call("GET", f"{ADMIN}/keys?account_id=2").json["keys"] == []


def test_a_key_is_revoked_once_and_permanently(database: Database) -> None:
    make_key()
    revoked = call("DELETE", f"{ADMIN}/keys/1")
    assert revoked.json["revoked_at"]
    assert call("DELETE", f"{ADMIN}/keys/1").json == revoked.json
    assert call("DELETE", f"{ADMIN}/keys/2").status == 404
    assert audit_events(database) == [["key.created", 1, 1, "operator"], ["key.revoked", 1, 1, "key:0"]]


@pytest.mark.parametrize(
    ("request_", "body", "field"),
    [
        ("accounts", {}, "name"),
        ("accounts", {"name": ""}, "name"),
        ("accounts", {"name": "x" * 201}, "name"),
        ("accounts", {"name": "x", "sends_per_second": 0}, "sends_per_second"),
        ("accounts", {"name": "x", "sends_per_day": 2**31}, "sends_per_day"),
        ("accounts", {"name": "x", "id": 7}, "id"),
        ("addresses", {"account_id": 1}, "address"),
        ("addresses", {"address": "nobody", "account_id": 0}, "account_id"),
        ("addresses", {"address": "not an address", "account_id": 1}, "address"),
        ("addresses", {"address": "**", "account_id": 1}, "address"),
        ("addresses", {"address": "+12016660001", "account_id": 9}, "account_id"),
        ("keys", {"scopes": ["send"]}, "account_id"),
        ("keys", {"account_id": 9, "scopes": ["send"]}, "account_id"),
        ("keys", {"account_id": 0, "scopes": ["send"]}, "account_id"),
        ("keys", {"account_id": 1, "scopes": []}, "scopes"),
        ("keys", {"account_id": 1, "scopes": ["root"]}, "scopes.0"),
        ("keys", {"account_id": 1, "scopes": "send"}, "scopes"),
        ("keys", {"account_id": 1, "scopes": ["send"], "expires_at": "soon"}, "expires_at"),
    ],
)
def test_invalid_input_is_a_422_that_names_its_field_and_changes_nothing(
    database: Database, request_: str, body: object, field: str
) -> None:
    answer = call("POST", f"{ADMIN}/{request_}", body)
    assert (answer.status, answer.fields) == (422, [field]), answer.body
    assert audit_events(database) == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/accounts/9", 404),
        ("GET", "/accounts/0", 422),
        ("PATCH", "/accounts/9", 404),
        ("DELETE", "/keys/0", 422),
        ("GET", "/keys?cursor=x", 400),
        ("GET", "/audit?limit=0", 422),
        ("GET", "/addresses?account_id=-1", 422),
    ],
)
def test_a_missing_resource_or_an_invalid_parameter_has_its_status(
    method: str, path: str, status: int
) -> None:
    body = {"name": "other"} if method == "PATCH" else b""
    assert call(method, f"{ADMIN}{path}", body).status == status


def test_a_list_continues_at_its_cursor(database: Database) -> None:
    for number in range(4):
        account = make_account(f"Shop {number}", f"+1201666000{number}")
        make_key(account)
    accounts = [account["name"] for account in chain.from_iterable(pages(f"{ADMIN}/accounts", "accounts"))]
    assert accounts == ["default", *(f"Shop {number}" for number in range(4))]
    addresses = chain.from_iterable(pages(f"{ADMIN}/addresses", "addresses"))
    assert [address["address"] for address in addresses] == [
        "*",
        *(f"+1201666000{number}" for number in range(4)),
    ]
    keys = chain.from_iterable(pages(f"{ADMIN}/keys", "keys"))
    assert [key["account_id"] for key in keys] == [2, 3, 4, 5]
    events = [event["id"] for event in chain.from_iterable(pages(f"{ADMIN}/audit", "events"))]
    assert events == sorted(events, reverse=True)
    assert len(events) == database.value("SELECT count(*) FROM audit_events") == 12
    of_key = call("GET", f"{ADMIN}/audit?key_id=2").json["events"]
    assert [(event["action"], event["account_id"]) for event in of_key] == [("key.created", 3)]


@pytest.mark.usefixtures("database")
def test_an_operator_s_order_has_the_answer_of_a_request() -> None:
    refused = operate("POST /api/admin/keys", {"account_id": 1, "scopes": []})
    assert (refused.status, refused.fields) == (422, ["scopes"])
    assert operate("GET /api/admin/nothing").status == 404
    assert operate("DELETE /api/admin/addresses/*").status == 204
    assert operate("GET /api/admin/addresses?limit=1").json["addresses"] == []
    assert operate("POST /api/admin/keys").status == 400


def test_a_request_without_a_caller_is_a_401() -> None:
    answer = call("GET", f"{ADMIN}/keys", caller=None)
    assert answer.status == 401


def calls_without_the_scope() -> Iterator[Answer]:
    for caller in (
        {"account": "1", "scopes": scopes, "key": "1"} for scopes in ("send read", "", "administrator")
    ):
        yield call("GET", f"{ADMIN}/keys", caller=caller)
        yield call("POST", f"{ADMIN}/accounts", {"name": "Shop"}, caller=caller)


def test_every_route_needs_the_scope_admin(database: Database) -> None:
    assert {answer.status for answer in calls_without_the_scope()} == {403}
    assert audit_events(database) == []


def test_the_audit_log_names_the_caller(database: Database) -> None:
    call("POST", f"{ADMIN}/accounts", {"name": "Shop"}, caller=SECOND)
    assert audit_events(database) == [["account.created", 2, None, "key:7"]]


@pytest.mark.parametrize(
    "change", ["UPDATE audit_events SET actor = ''", "DELETE FROM audit_events", "TRUNCATE audit_events"]
)
def test_the_audit_log_is_append_only(database: Database, change: str) -> None:
    make_key()
    with pytest.raises(pg8000.exceptions.DatabaseError, match="append-only"):
        database.rows(change)
    assert len(audit_events(database)) == 1


def test_quarantined_messages_move_to_the_account_that_gets_the_address(database: Database) -> None:
    operate("DELETE /api/admin/addresses/*")
    for number in range(3):
        support_messages.receive(f"id-{number}", body=str(number))
    support_messages.receive("id-other", to="+12016660002")
    assert call("GET", "/api/conversations").json["conversations"] == []
    account = make_account("Shop", support_messages.CUSTOMER)
    caller = {"account": str(account), "scopes": "read", "key": "1"}
    [thread] = call("GET", "/api/conversations", caller=caller).json["conversations"]
    messages = call("GET", f"/api/conversations/{thread['id']}/messages", caller=caller).json["messages"]
    assert [message["body"] for message in messages] == ["0", "1", "2"]
    assert database.value("SELECT count(*) FROM messages WHERE account_id = 0") == 1
    assert database.value("SELECT count(*) FROM conversations WHERE account_id = 0") == 1
