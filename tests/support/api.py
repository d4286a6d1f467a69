"""Requests through the functions' own handlers in this process, by the routes that template.yaml declares."""

import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import cache
from types import ModuleType
from typing import Any

from standardwebhooks import Webhook

from local.commands.openapi import ROOT, load
from local.http.server import Request
from local.template.routes import Routes
from local.template.template import Template
from local.triggers import payload
from local.triggers.authorizer import OPERATOR
from tests.support.configuration import SIGNING_SECRET
from tests.support.lambda_context import Context

SMS, EMAIL = "/api/messages/sms", "/api/messages/email"
CUSTOMER, CONTACT = "+12016661234", "+18045551234"
NEW_SMS = {"from": CUSTOMER, "to": CONTACT, "type": "sms", "body": "Hello"}
NEW_EMAIL = {"from": "user@example.com", "to": "contact@example.org", "subject": "Hi", "body": "Hello"}
INBOUND_SMS = {
    "from": CONTACT,
    "to": CUSTOMER,
    "type": "sms",
    "messaging_provider_id": "message-1",
    "body": "in",
}
INBOUND_EMAIL = {
    "from": "contact@example.org",
    "to": "user@example.com",
    "xillio_id": "message-3",
    "body": "in",
}


@dataclass(frozen=True)
class Answer:
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    @property
    def fields(self) -> list[str]:
        """The fields that a problem names."""
        return [error["field"] for error in self.json.get("errors", [])]


@cache
def function(folder: str) -> ModuleType:
    """The module of a function, imported once, as in a warm environment."""
    return load(folder)


@cache
def template() -> Template:
    return Template(ROOT / "template.yaml", {}, {}, endpoint="", gateway="")


def invoke(folder: str, event: Mapping[str, Any], seconds: float = 30) -> Any:
    return function(folder).handler(dict(event), Context(seconds))


def call(
    method: str,
    target: str,
    body: object = b"",
    headers: Mapping[str, str] | None = None,
    *,
    caller: Mapping[str, str] | None = OPERATOR,
    **changes: object,
) -> Answer:
    """Call a function through its route, as the HTTP API does.

    `body` is sent as it is if it is bytes, else as JSON. `caller` is the authorizer's context. `changes` are
    made to the event; `body_changed_to` replaces the event's body.
    """
    path = target.partition("?")[0]
    match = Routes(template().routes).match(method, path)
    assert match
    folders = {declared.name: declared.folder.name for declared in template().functions}
    folder = folders[match.route.function]
    event = payload.http_event(
        _request(method, target, body, headers),
        payload.HTTP_API,
        path,
        match.route.key,
        match.variables,
    )
    if match.route.authorizer and caller is not None:
        event = payload.with_caller(event, caller)
    if "body_changed_to" in changes:
        changes["body"] = changes.pop("body_changed_to")
    return answer(invoke(folder, event | changes))


def call_url(
    folder: str, method: str, target: str, body: object = b"", headers: Mapping[str, str] | None = None
) -> Answer:
    """Call a function through its function URL."""
    request = _request(method, target, body, headers)
    return answer(invoke(folder, payload.http_event(request, payload.function_url(folder), request.path)))


def answer(result: object) -> Answer:
    response = payload.http_response(result)
    return Answer(response.status, dict(response.headers), response.body)


def _request(method: str, target: str, body: object, headers: Mapping[str, str] | None) -> Request:
    path, _, query = target.partition("?")
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    sent = {"content-type": "application/json"} | dict(headers or {}) if content else dict(headers or {})
    return Request(method, path, query, list(sent.items()), content, "203.0.113.7", "HTTP/1.1")


def signed(
    body: object, secret: str = SIGNING_SECRET, age: timedelta = timedelta(), id: str = "msg_1"
) -> dict[str, str]:
    """The headers with which a JSON gateway signs this body, made by the specification's own library."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    signed_at = datetime.now(UTC) - age
    return {
        "webhook-id": id,
        "webhook-timestamp": str(int(signed_at.timestamp())),
        "webhook-signature": Webhook(secret).sign(id, signed_at, content.decode()),
    }


def deliver(*ids: object, seconds: float = 30) -> list[str]:
    """Invoke deliver_message with these ids. Returns the records (`record-<id>`) that stay in the queue."""
    records = [{"messageId": f"record-{id}", "body": str(id)} for id in ids]
    result = invoke("deliver_message", {"Records": records}, seconds)
    return [failure["itemIdentifier"] for failure in result["batchItemFailures"]]


def message(id: int) -> Any:
    """The message with its events, as the API returns it."""
    return call("GET", f"/api/messages/{id}").json
