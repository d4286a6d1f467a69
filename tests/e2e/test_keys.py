"""Who is let in where the API asks for a key, as it does in AWS: tried on every route, over HTTP."""

import json
import secrets
from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from local import Stack, running
from local.http.server import Server
from local.triggers.gateway import Gateway
from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, template
from tests.support.api_keys import Key, bearer, make, revoke
from tests.support.http_client import Answer, call
from tests.support.waiting import eventually
from tests.template.test_routes import OPEN

UNAUTHORIZED = Answer(401, {"message": "Unauthorized"})
FORBIDDEN = Answer(403, {"message": "Forbidden"})
SCOPES = {"send", "read", "admin"}
PLACES = {"{id}": "77", "{number}": "1", "{provider}": "sms", "{address}": "a@example.com", "{path+}": "x"}
ACCOUNT = {"name": "Shop"}
BODIES: Mapping[str, object] = {
    SMS: NEW_SMS,
    EMAIL: NEW_EMAIL,
    "/api/admin/accounts": ACCOUNT,
    "/api/admin/accounts/77": ACCOUNT,
    "/api/admin/addresses": {"address": "shop@example.com", "account_id": 1},
    "/api/admin/keys": {"account_id": 1, "scopes": ["read"]},
}
"""What a route takes."""


class Target(NamedTuple):
    method: str
    path: str
    scope: str | None
    """None where any key will do."""


def scope(method: str, path: str) -> str:
    if path.startswith("/api/admin/"):
        return "admin"
    return "send" if method == "POST" else "read"


def target(key: str) -> Target:
    method, _, path = key.partition(" ")
    for place, value in PLACES.items():
        path = path.replace(place, value)
    return Target(method, path, scope(method, path))


CLOSED = [
    *(target(route.key) for route in template().routes if route.path and route.key not in OPEN),
    *(Target(method, "/nothing", None) for method in ("GET", "POST", "PUT", "DELETE")),
    Target("DELETE", "/api/conversations/1", None),
    Target("GET", "/api", None),
]
"""Of $default what leads nowhere, and what is no method of its path."""
ROUTES = pytest.mark.parametrize("route", CLOSED, ids=lambda route: f"{route.method} {route.path}")


@pytest.fixture(scope="module")
def closed() -> Iterator[Stack]:
    with running(auth=True, relay_every=0) as stack:
        yield stack


@pytest.fixture(scope="module")
def keys(closed: Stack) -> Mapping[str, Key]:
    return {scope: make(closed, scope) for scope in SCOPES}


@pytest.fixture(scope="module")
def refused(closed: Stack) -> Mapping[str, str]:
    """Keys that are good for nothing, by what is wrong with them."""
    good, revoked = make(closed, *SCOPES), make(closed, *SCOPES)
    soon = datetime.now(UTC) + timedelta(seconds=0.5)
    expired = make(closed, *SCOPES, expires_at=soon.isoformat())
    revoke(closed, revoked)
    eventually(lambda: datetime.now(UTC) > soon)
    prefix, id, secret = good.text.split("_", 2)
    return {
        "malformed": "mk_1",
        "without a secret": f"{prefix}_{id}_",
        "with more than a secret": f"{good.text}x",
        "with another secret": f"{prefix}_{id}_{secrets.token_urlsafe(32)}",
        "with another's id": f"{prefix}_{revoked.id}_{secret}",
        "unknown": f"{prefix}_{2**62}_{secret}",
        "with an id that is none": f"{prefix}_{10**30}_{secret}",
        "injected": f"{prefix}_{id}' OR '1'='1_{secret}",
        "expired": expired.text,
        "revoked": revoked.text,
    }


def ask(stack: Stack, route: Target, headers: Mapping[str, str] | None = None) -> Answer:
    takes = route.method in ("POST", "PUT", "PATCH")
    written = json.dumps(BODIES.get(route.path, {})) if takes else None
    sent = {"content-type": "application/json"} if written else {}
    return call(route.method, stack.url + route.path, written, {**sent, **(headers or {})})


@ROUTES
def test_without_a_key_nobody_is_let_in(closed: Stack, route: Target) -> None:
    for headers in ({}, {"Authorization": ""}, {"X-Api-Key": "mk_1_x"}):
        assert ask(closed, route, headers) == UNAUTHORIZED


@ROUTES
def test_nor_is_anybody_by_a_key_that_is_not_one(
    closed: Stack, route: Target, refused: Mapping[str, str], keys: Mapping[str, Key]
) -> None:
    for why, text in refused.items():
        assert ask(closed, route, bearer(text)) == FORBIDDEN, why
    good = keys[route.scope or "read"].text
    for header in (good, f"Basic {good}", f"Bearer  {good}", f"Bearer {good} {good}", f"Bearer {good},x"):
        assert ask(closed, route, {"Authorization": header}) == FORBIDDEN


@ROUTES
def test_a_key_is_good_for_its_scope_alone(closed: Stack, route: Target, keys: Mapping[str, Key]) -> None:
    for scope in SCOPES:
        answer = ask(closed, route, keys[scope].headers)
        if route.scope in (scope, None):
            assert answer.status not in (401, 403), answer
        else:
            assert answer.status == 403
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.body["detail"] == f"The API key does not have the scope {route.scope}."


@ROUTES
def test_nothing_is_read_before_the_scope_is_asked_for(
    closed: Stack, route: Target, keys: Mapping[str, Key]
) -> None:
    path = route.path.replace("77", "x") + "?limit=0&cursor=x"
    for scope in SCOPES - {route.scope or scope for scope in SCOPES}:
        headers = {"content-type": "text/plain", **keys[scope].headers}
        assert call(route.method, closed.url + path, "{", headers).status == 403


@pytest.mark.parametrize("route", sorted(OPEN))
def test_what_stands_open_asks_nobody(closed: Stack, route: str) -> None:
    for headers in ({}, bearer("mk_1"), {"Authorization": "x"}):
        assert ask(closed, target(route), headers).status not in (401, 403)


def test_the_open_routes_of_the_function_s_own_urls_tell_nothing_but_of_webhooks(closed: Stack) -> None:
    """A function's URL has no authorizer before it: it serves what a provider posts, and no other route."""
    for name in closed.functions_with_url:
        for path in ("api/conversations", "api/messages/1", "api/admin/keys"):
            assert call("GET", closed.function_url(name) + path).status == 405
            assert call("POST", closed.function_url(name) + path, "{}").status == 404


def test_a_key_that_is_revoked_is_refused_once_the_answer_is_forgotten(closed: Stack) -> None:
    routes = [
        replace(route, authorizer=replace(route.authorizer, cache_seconds=1)) if route.authorizer else route
        for route in closed.template.routes
    ]
    server = Server("127.0.0.1", 0, Gateway(routes, closed.functions, lambda _: None, auth=True).respond)
    server.start()
    try:
        key, url = make(closed, "read"), f"{server.url}/api/conversations"
        assert call("GET", url, headers=key.headers).status == 200
        revoke(closed, key)
        eventually(lambda: call("GET", url, headers=key.headers).status == 403)
    finally:
        server.stop()


def test_while_the_database_is_away_nobody_is_turned_away_for_good(closed: Stack) -> None:
    """An authorizer's no would be kept: it fails instead, and is asked again."""
    key = make(closed, "read")
    read = Target("GET", "/api/conversations", "read")
    closed.stop_postgres()
    assert ask(closed, read, key.headers) == Answer(500, {"message": "Internal Server Error"})
    closed.start_postgres()
    eventually(lambda: ask(closed, read, key.headers).status == 200)
