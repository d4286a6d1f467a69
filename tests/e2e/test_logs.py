"""No secret and no word of a message is in any log line, whatever is sent and however it ends."""

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

OURS, THEIRS = "user@example.com", "contact@example.org"
UNDER_WAY = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"

Body = Callable[[], dict[str, Any]]


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """As talkative as a deployment can be told to be."""
    with running(auth=True, relay_every=0.5, parameters={"LogLevel": "DEBUG"}) as stack:
        yield stack


@pytest.fixture(scope="module")
def marks() -> Marks:
    return Marks()


def bodies(marks: Marks) -> Mapping[str, Body]:
    """What a route takes, every text of it marked; made anew each time."""

    def words(**more: object) -> dict[str, Any]:
        return {"body": marks.new(), "attachments": [f"https://example.com/{marks.new()}"], **more}

    def mail(**more: object) -> dict[str, Any]:
        return words(**{"subject": marks.new(), "html": f"<p>{marks.new()}</p>", **more})

    return {
        SMS: lambda: words(**{"from": CUSTOMER, "to": CONTACT, "type": "mms"}),
        EMAIL: lambda: mail(**{"from": OURS, "to": THEIRS}),
        "/api/webhooks/sms": lambda: words(
            **{"from": CONTACT, "to": CUSTOMER, "type": "mms", "messaging_provider_id": marks.new()}
        ),
        "/api/webhooks/email": lambda: mail(**{"from": THEIRS, "to": OURS, "xillio_id": marks.new()}),
        "/api/admin/accounts": lambda: {"name": marks.new()},
        "/api/admin/keys": lambda: {"account_id": 1, "scopes": ["read"], "name": marks.new()},
        "/api/admin/addresses": lambda: {"account_id": 1, "address": OURS},
    }


def written(marks: Marks, good: Body | None) -> list[bytes]:
    """A body that is right, and those that are wrong in each way."""
    fields = good() if good else {"body": marks.new()}
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
    """Of nobody, of those who are refused, of one who may read, and of one who may do anything."""
    keys = [make(stack, *scopes) for scopes in (["read"], ["send", "read", "admin"], ["read"])]
    for key in keys:
        marks.known(key.text.partition("_")[2].partition("_")[2])
    revoke(stack, keys.pop())
    bad = (f"mk_1_{marks.new()}", f"mk_{marks.new()}_", marks.new(), f"mk_1_{marks.new() + marks.new()}"[:48])
    return [{}, *map(bearer, bad), {"Authorization": f"Basic {marks.new()}"}, *(key.headers for key in keys)]


def settle(stack: Stack) -> None:
    with closing(Database(stack.database_url)) as database:
        eventually(lambda: database.value(UNDER_WAY) == 0, 60)


def requests(stack: Stack, good: Mapping[str, Body]) -> Iterator[tuple[str, str, Body | None]]:
    """Every route, where it leads, and what it takes."""
    for route in stack.template.routes:
        channel = "email" if "/email" in route.path else "sms"
        path = (route.path or "/nothing").replace("{provider}", channel).replace("{number}", "99")
        for place in ("{id}", "{address}", "{path+}"):
            path = path.replace(place, "1")
        takes = good.get(path.removesuffix(f"/{channel}") if "{provider}" in route.path else path)
        yield route.method or "GET", stack.url + path, takes


def test_nothing_of_what_was_sent_is_in_a_log_line(stack: Stack, marks: Marks) -> None:
    marks.known((stack.folder / "signing-secret").read_text().removeprefix("whsec_"))
    good = bodies(marks)
    for caller in headers(stack, marks):
        for method, url, takes in requests(stack, good):
            mark = marks.new()
            query = f"?cursor={mark}&address={mark}&limit={mark}&{mark}={mark}"
            call(method, url + query, headers=caller)
            for body in written(marks, takes) if method in ("POST", "PATCH") else ():
                kind = {"content-type": "application/json", "idempotency-key": marks.new()}
                call(method, url, body, {**kind, **caller})
    settle(stack)
    assert all(stack.log(name) for name in ("SendMessage", "SmsWebhook", "EmailWebhook", "Authorizer"))
    silent(stack, marks)


def test_nor_of_what_a_provider_posts_to_a_function_s_own_url(stack: Stack, marks: Marks) -> None:
    secret = (stack.folder / "signing-secret").read_text()
    for name, path in (("SmsWebhook", "/api/webhooks/sms"), ("EmailWebhook", "/api/webhooks/email")):
        for body in written(marks, bodies(marks)[path]):
            call("POST", stack.function_url(name), body, {"content-type": "application/json"})
            forged = {"webhook-id": "1", "webhook-timestamp": "1", "webhook-signature": f"v1,{marks.new()}"}
            call("POST", stack.function_url(name), body, forged)
            if b"\xff" not in body:
                proof = signed(body, secret)
                marks.known(proof["webhook-signature"].removeprefix("v1,"))
                call("POST", stack.function_url(name), body, proof)
    silent(stack, marks)


@pytest.mark.parametrize("status", [200, 400, 401, 429, 503])
def test_nor_of_what_a_provider_answers(stack: Stack, marks: Marks, status: int) -> None:
    """It may quote what it was sent."""
    key = make(stack, "send").headers
    sent = bodies(marks)
    told = {"error": marks.new(), "code": marks.new(), "detail": marks.new()}
    stack.provider.behave(
        Behaviour(status=status, body=told, times=2), Behaviour(status=status, body=marks.new(), times=2)
    )
    for path in (SMS, EMAIL, SMS, EMAIL):
        assert post(stack.url + path, sent[path](), key).status == 202
    settle(stack)
    stack.provider.behave()
    silent(stack, marks)


@pytest.mark.parametrize("name", ["SendMessage", "DeliverMessage", "SmsWebhook", "Conversations", "Admin"])
def test_nor_of_an_event_that_is_none(stack: Stack, marks: Marks, name: str) -> None:
    record = {"messageId": "1", "body": marks.new(), "attributes": {}, "eventSource": "aws:sqs"}
    for event in (
        {"Records": [record]},
        {"operator": f"POST /api/admin/keys?{marks.new()}", "body": marks.new()},
    ):
        with suppress(CannotStart):  # it fails, and is to say so without a word of that
            invoke(stack.lambda_url, name, event)
    silent(stack, marks)


def test_nor_while_the_database_is_away(stack: Stack, marks: Marks) -> None:
    key, good = make(stack, "send", "read", "admin"), bodies(marks)
    marks.known(key.text.partition("_")[2].partition("_")[2])
    assert call("GET", f"{stack.url}/api/conversations", headers=key.headers).status == 200
    stack.stop_postgres()
    for path, body in good.items():
        post(stack.url + path, body(), key.headers)
    assert call("GET", f"{stack.url}/api/conversations", headers=bearer(marks.new())).status in (403, 500)
    stack.start_postgres()
    eventually(lambda: call("GET", f"{stack.url}/healthz").status == 200)
    silent(stack, marks)


def silent(stack: Stack, marks: Marks) -> None:
    for name in stack.functions:
        log = stack.log(name)
        assert {
            part: [line for line in log.splitlines() if part in line] for part in marks.parts_in(log)
        } == {}
