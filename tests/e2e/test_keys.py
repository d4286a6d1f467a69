"""API keys, tested on every route over HTTP: which requests are unauthorized, forbidden or accepted."""

import json
import secrets
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

import pytest

from local import Stack
from local.http.server import Server
from local.template.routes import Route
from local.triggers.gateway import Gateway
from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, template
from tests.support.api_keys import Key, bearer, make, revoke
from tests.support.http_client import Answer, call
from tests.support.waiting import eventually
from tests.template.test_routes import PUBLIC

UNAUTHORIZED = Answer(401, {"message": "Unauthorized"})
FORBIDDEN = Answer(403, {"message": "Forbidden"})
SCOPES = {"send", "read", "admin"}
PATH_PARAMETERS = {
    "{id}": "77",
    "{number}": "1",
    "{provider}": "sms",
    "{address}": "a@example.com",
    "{path+}": "x",
}
ACCOUNT = {"name": "Shop"}
BODIES: Mapping[str, object] = {
    SMS: NEW_SMS,
    EMAIL: NEW_EMAIL,
    "/api/admin/accounts": ACCOUNT,
    "/api/admin/accounts/77": ACCOUNT,
    "/api/admin/addresses": {"address": "shop@example.com", "account_id": 1},
    "/api/admin/keys": {"account_id": 1, "scopes": ["read"]},
}
"""The body of a valid request, by its path."""


class Target(NamedTuple):
    method: str
    path: str
    scope: str | None
    """None if every key has access."""


def scope(method: str, path: str) -> str:
    if path.startswith("/api/admin/"):
        return "admin"
    return "send" if method == "POST" else "read"


def target(key: str) -> Target:
    method, _, path = key.partition(" ")
    for parameter, value in PATH_PARAMETERS.items():
        path = path.replace(parameter, value)
    return Target(method, path, scope(method, path))


CLOSED = [
    *(target(route.key) for route in template().routes if route.path and route.key not in PUBLIC),
    *(Target(method, "/nothing", None) for method in ("GET", "POST", "PUT", "DELETE")),
    Target("DELETE", "/api/conversations/1", None),
    Target("GET", "/api", None),
]
"""Every protected route, unknown paths of $default, and methods that a path does not have."""
ROUTES = pytest.mark.parametrize("route", CLOSED, ids=lambda route: f"{route.method} {route.path}")


@pytest.fixture(scope="module")
def keys(closed: Stack) -> Mapping[str, Key]:
    return {scope: make(closed, scope) for scope in SCOPES}


@pytest.fixture(scope="module")
def invalid_keys(closed: Stack) -> Mapping[str, str]:
    """Invalid keys, by what is wrong with them."""
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
        "with an invalid id": f"{prefix}_{10**30}_{secret}",
        "injected": f"{prefix}_{id}' OR '1'='1_{secret}",
        "expired": expired.text,
        "revoked": revoked.text,
    }


def ask(stack: Stack, route: Target, headers: Mapping[str, str] | None = None) -> Answer:
    if route.method not in ("POST", "PUT", "PATCH"):
        return call(route.method, stack.url + route.path, headers=headers)
    body = json.dumps(BODIES.get(route.path, {}))
    content_type = {"content-type": "application/json"}
    return call(route.method, stack.url + route.path, body, {**content_type, **(headers or {})})


@ROUTES
def test_a_request_without_a_key_is_unauthorized(closed: Stack, route: Target) -> None:
    for headers in ({}, {"Authorization": ""}, {"X-Api-Key": "mk_1_x"}):
        assert ask(closed, route, headers) == UNAUTHORIZED


@ROUTES
def test_a_request_with_an_invalid_key_is_forbidden(
    closed: Stack, route: Target, invalid_keys: Mapping[str, str], keys: Mapping[str, Key]
) -> None:
    for reason, text in invalid_keys.items():
        assert ask(closed, route, bearer(text)) == FORBIDDEN, reason
    good = keys[route.scope or "read"].text
    for header in (good, f"Basic {good}", f"Bearer  {good}", f"Bearer {good} {good}", f"Bearer {good},x"):
        assert ask(closed, route, {"Authorization": header}) == FORBIDDEN


@ROUTES
def test_a_key_gives_access_to_its_scope_only(closed: Stack, route: Target, keys: Mapping[str, Key]) -> None:
    for scope in SCOPES:
        answer = ask(closed, route, keys[scope].headers)
        if route.scope in (scope, None):
            assert answer.status not in (401, 403), answer
        else:
            assert answer.status == 403
            assert answer.headers["content-type"] == "application/problem+json"
            assert answer.body["detail"] == f"The API key does not have the scope {route.scope}."


@ROUTES
def test_the_scope_is_checked_before_the_request_is_parsed(
    closed: Stack, route: Target, keys: Mapping[str, Key]
) -> None:
    path = route.path.replace("77", "x") + "?limit=0&cursor=x"
    other_scopes = SCOPES - {route.scope} if route.scope else set()
    for scope in other_scopes:
        headers = {"content-type": "text/plain", **keys[scope].headers}
        assert call(route.method, closed.url + path, "{", headers).status == 403


@pytest.mark.parametrize("route", sorted(PUBLIC))
def test_a_public_route_needs_no_key(closed: Stack, route: str) -> None:
    for headers in ({}, bearer("mk_1"), {"Authorization": "x"}):
        assert ask(closed, target(route), headers).status not in (401, 403)


def test_function_urls_serve_only_webhooks(closed: Stack) -> None:
    """A function URL has no authorizer, so it must serve webhooks and no other route."""
    for name in closed.functions_with_url:
        for path in ("api/conversations", "api/messages/1", "api/admin/keys"):
            assert call("GET", closed.function_url(name) + path).status == 405
            assert call("POST", closed.function_url(name) + path, "{}").status == 404


def with_short_cache(route: Route) -> Route:
    if route.authorizer is None:
        return route
    return replace(route, authorizer=replace(route.authorizer, cache_seconds=1))


def test_a_revoked_key_is_forbidden_once_the_cached_decision_expires(closed: Stack) -> None:
    routes = [with_short_cache(route) for route in closed.template.routes]
    server = Server("127.0.0.1", 0, Gateway(routes, closed.functions, lambda _: None, auth=True).respond)
    server.start()
    try:
        key, url = make(closed, "read"), f"{server.url}/api/conversations"
        assert call("GET", url, headers=key.headers).status == 200
        revoke(closed, key)
        eventually(lambda: call("GET", url, headers=key.headers).status == 403)
    finally:
        server.stop()


def test_an_unavailable_database_does_not_cache_a_denial(closed: Stack) -> None:
    """The gateway caches a denial, so the authorizer fails instead, and is called again."""
    key = make(closed, "read")
    read = Target("GET", "/api/conversations", "read")
    closed.stop_postgres()
    assert ask(closed, read, key.headers) == Answer(500, {"message": "Internal Server Error"})
    closed.start_postgres()
    eventually(lambda: ask(closed, read, key.headers).status == 200)
