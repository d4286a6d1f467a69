"""No log line contains a secret or any part of a message, whatever is sent and however it ends."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, suppress
from typing import Any

import pytest

from local import Behaviour, Stack, running
from local.errors import CannotStart
from local.http.client import invoke
from tests.support.api import CONTACT, CUSTOMER, EMAIL, SMS, signed
from tests.support.api_keys import bearer, make, revoke
from tests.support.database import Database
from tests.support.http_client import call, post
from tests.support.secret_markers import Marks
from tests.support.waiting import eventually

CUSTOMER_EMAIL, CONTACT_EMAIL = "user@example.com", "contact@example.org"
UNFINISHED = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"

Body = Callable[[], dict[str, Any]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack with the most detailed log level."""
    with running(auth=True, relay_every=0.5, parameters={"LogLevel": "DEBUG"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def marks() -> Marks:
    return Marks()


def bodies(marks: Marks) -> Mapping[str, Body]:
    """Return functions that make a valid body for a path, with new marks in every text."""

    def text_message(**more: object) -> dict[str, Any]:
        return {"body": marks.new(), "attachments": [f"https://example.com/{marks.new()}"], **more}

    def mail(**more: object) -> dict[str, Any]:
        return text_message(**{"subject": marks.new(), "html": f"<p>{marks.new()}</p>", **more})

    return {
        SMS: lambda: text_message(**{"from": CUSTOMER, "to": CONTACT, "type": "mms"}),
        EMAIL: lambda: mail(**{"from": CUSTOMER_EMAIL, "to": CONTACT_EMAIL}),
        "/api/webhooks/sms": lambda: text_message(
            **{"from": CONTACT, "to": CUSTOMER, "type": "mms", "messaging_provider_id": marks.new()}
        ),
        "/api/webhooks/email": lambda: mail(
            **{"from": CONTACT_EMAIL, "to": CUSTOMER_EMAIL, "xillio_id": marks.new()}
        ),
        "/api/admin/accounts": lambda: {"name": marks.new()},
        "/api/admin/keys": lambda: {"account_id": 1, "scopes": ["read"], "name": marks.new()},
        "/api/admin/addresses": lambda: {"account_id": 1, "address": CUSTOMER_EMAIL},
    }


def valid_and_invalid_bodies(marks: Marks, make_valid: Body | None) -> list[bytes]:
    """Return a valid body, and bodies that are invalid in different ways."""
    fields = make_valid() if make_valid else {"body": marks.new()}
    return [
        json.dumps(fields).encode(),
        json.dumps({name: [value] for name, value in fields.items()}).encode(),
        json.dumps({**fields, marks.new(): marks.new(), "type": marks.new()}).encode(),
        json.dumps({**fields, "from": marks.new(), "to": marks.new()}).encode(),
        json.dumps([marks.new()]).encode(),
        f'{{"body": "{marks.new()}'.encode(),
        f'{{"body": "{marks.new()}'.encode() + b'\xff"}',
        marks.new().encode(),
    ]


def headers(stack: Stack, marks: Marks) -> list[dict[str, str]]:
    """Return headers without a key, with invalid keys, and with keys of some and of all scopes."""
    keys = [make(stack, *scopes) for scopes in (["read"], ["send", "read", "admin"], ["read"])]
    for key in keys:
        marks.add(key.text.partition("_")[2].partition("_")[2])
    revoke(stack, keys.pop())
    bad = (f"mk_1_{marks.new()}", f"mk_{marks.new()}_", marks.new(), f"mk_1_{marks.new() + marks.new()}"[:48])
    return [{}, *map(bearer, bad), {"Authorization": f"Basic {marks.new()}"}, *(key.headers for key in keys)]


def wait_for_deliveries(stack: Stack) -> None:
    with closing(Database(stack.database_url)) as database:
        eventually(lambda: database.value(UNFINISHED) == 0, 60)


def requests(stack: Stack, valid: Mapping[str, Body]) -> Iterator[tuple[str, str, Body | None]]:
    """Return each route's method and URL, and the function that makes a valid body for it."""
    for route in stack.template.routes:
        channel = "email" if "/email" in route.path else "sms"
        path = (route.path or "/nothing").replace("{provider}", channel).replace("{number}", "99")
        for parameter in ("{id}", "{address}", "{path+}"):
            path = path.replace(parameter, "1")
        make_body = valid.get(path.removesuffix(f"/{channel}") if "{provider}" in route.path else path)
        yield route.method or "GET", stack.url + path, make_body


def test_no_request_leaks_into_a_log_line(stack: Stack, marks: Marks) -> None:
    marks.add((stack.folder / "signing-secret").read_text().removeprefix("whsec_"))
    valid = bodies(marks)
    for caller in headers(stack, marks):
        for method, url, make_body in requests(stack, valid):
            mark = marks.new()
            query = f"?cursor={mark}&address={mark}&limit={mark}&{mark}={mark}"
            call(method, url + query, headers=caller)
            for body in valid_and_invalid_bodies(marks, make_body) if method in ("POST", "PATCH") else ():
                kind = {"content-type": "application/json", "idempotency-key": marks.new()}
                call(method, url, body, {**kind, **caller})
    wait_for_deliveries(stack)
    assert all(stack.log(name) for name in ("SendMessage", "SmsWebhook", "EmailWebhook", "Authorizer"))
    assert_no_leak(stack, marks)


def test_no_webhook_at_a_function_url_leaks_into_a_log_line(stack: Stack, marks: Marks) -> None:
    secret = (stack.folder / "signing-secret").read_text()
    for name, path in (("SmsWebhook", "/api/webhooks/sms"), ("EmailWebhook", "/api/webhooks/email")):
        for body in valid_and_invalid_bodies(marks, bodies(marks)[path]):
            call("POST", stack.function_url(name), body, {"content-type": "application/json"})
            forged = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": f"v1,{marks.new()}"}
            call("POST", stack.function_url(name), body, forged)
            if b"\xff" not in body:
                proof = signed(body, secret)
                marks.add(proof["webhook-signature"].removeprefix("v1,"))
                call("POST", stack.function_url(name), body, proof)
    assert_no_leak(stack, marks)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 503])
def test_no_response_of_a_provider_leaks_into_a_log_line(stack: Stack, marks: Marks, status: int) -> None:
    """A provider may quote what it received."""
    key = make(stack, "send").headers
    sent = bodies(marks)
    body = {"error": marks.new(), "code": marks.new(), "detail": marks.new()}
    stack.provider.behave(
        Behaviour(status=status, body=body, times=2), Behaviour(status=status, body=marks.new(), times=2)
    )
    for path in (SMS, EMAIL, SMS, EMAIL):
        assert post(stack.url + path, sent[path](), key).status == 202
    wait_for_deliveries(stack)
    stack.provider.behave()
    assert_no_leak(stack, marks)


@pytest.mark.parametrize("name", ["SendMessage", "DeliverMessage", "SmsWebhook", "Conversations", "Admin"])
def test_no_malformed_event_leaks_into_a_log_line(stack: Stack, marks: Marks, name: str) -> None:
    record = {"messageId": "1", "body": marks.new(), "attributes": {}, "eventSource": "aws:sqs"}
    for event in (
        {"Records": [record]},
        {"operator": f"POST /api/admin/keys?{marks.new()}", "body": marks.new()},
    ):
        with suppress(CannotStart):  # the function fails, and must not log the event
            invoke(stack.lambda_url, name, event)
    assert_no_leak(stack, marks)


def test_nothing_leaks_while_the_database_is_unavailable(stack: Stack, marks: Marks) -> None:
    key, valid = make(stack, "send", "read", "admin"), bodies(marks)
    marks.add(key.text.partition("_")[2].partition("_")[2])
    assert call("GET", f"{stack.url}/api/conversations", headers=key.headers).status == 200
    stack.stop_postgres()
    for path, body in valid.items():
        post(stack.url + path, body(), key.headers)
    assert call("GET", f"{stack.url}/api/conversations", headers=bearer(marks.new())).status in (403, 500)
    stack.start_postgres()
    eventually(lambda: call("GET", f"{stack.url}/healthz").status == 200)
    assert_no_leak(stack, marks)


def assert_no_leak(stack: Stack, marks: Marks) -> None:
    for name in stack.functions:
        log = stack.log(name)
        for part in marks.parts_in(log):
            leaking = [line for line in log.splitlines() if part in line]
            pytest.fail(f"{name} logged {part}: {leaking}")
