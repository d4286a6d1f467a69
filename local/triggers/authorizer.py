"""The Lambda authorizer of the HTTP API: which caller a request is from.

https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html
"""

import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from local.functions.environment import FunctionError
from local.functions.function import Function, StillRunning
from local.http.server import json_response
from local.template.routes import Authorizer
from local.triggers.payload import ARN

Caller = Mapping[str, Any]

OPERATOR: Caller = {"account": "1", "scopes": "admin read send", "key": "0"}
"""The caller if no authorizer is called: the first account, with every scope."""
WAIT_SECONDS = 10
"""How long an HTTP API waits for an authorizer."""
_FIELDS_OF_THE_BODY = ("body", "isBase64Encoded")


class Rejection(Exception):
    """The request does not reach its function. `response` is the gateway's answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response = json_response(status, {"message": message})


class _Decision(NamedTuple):
    caller: Caller | None
    """None if the authorizer denies access."""
    expires: float


class Authorizers:
    """Calls authorizers, and caches their decisions, but not errors, for all routes by identity."""

    def __init__(self, functions: Mapping[str, Function], wait_seconds: float = WAIT_SECONDS) -> None:
        self._functions = functions
        self._wait_seconds = wait_seconds
        self._decisions: dict[tuple[str, ...], _Decision] = {}
        self._lock = threading.Lock()

    def caller(self, authorizer: Authorizer, event: Mapping[str, Any]) -> Caller:
        """Return the caller of the event, which the function has not received yet. Raises Rejection."""
        identity = [event["headers"].get(header.lower(), "") for header in authorizer.headers]
        if not all(identity):
            raise Rejection(401, "Unauthorized")
        key = (authorizer.function, *identity)
        decision = self._decisions.get(key)
        if decision is None or decision.expires < time.monotonic():
            caller = self._decide(authorizer, event, identity)
            decision = _Decision(caller, time.monotonic() + authorizer.cache_seconds)
            self._cache(key, decision)
        if decision.caller is None:
            raise Rejection(403, "Forbidden")
        return decision.caller

    def _cache(self, key: tuple[str, ...], decision: _Decision) -> None:
        """Add a decision, and drop the ones that have expired."""
        now = time.monotonic()
        with self._lock:
            valid = {key: value for key, value in self._decisions.items() if value.expires > now}
            self._decisions = {**valid, key: decision}

    def _decide(
        self, authorizer: Authorizer, event: Mapping[str, Any], identity: Sequence[str]
    ) -> Caller | None:
        context = event["requestContext"]
        http = context["http"]
        request = {name: value for name, value in event.items() if name not in _FIELDS_OF_THE_BODY}
        request |= {
            "type": "REQUEST",
            "routeArn": f"{ARN}/{context['stage']}/{http['method']}{http['path']}",
            "identitySource": identity,
        }
        function = self._functions[authorizer.function]
        try:
            response = function.invoke(request, self._wait_seconds)
        except (FunctionError, StillRunning):
            raise Rejection(500, "Internal Server Error") from None
        match response:
            case {"isAuthorized": False}:
                return None
            case {"isAuthorized": True, "context": dict() as caller}:
                return caller
            case {"isAuthorized": True}:
                return {}
        function.log(f"[ERROR] the simple response of an authorizer must have isAuthorized: {response!r}")
        raise Rejection(500, "Internal Server Error")
