"""The HTTP API's Lambda authorizer: who a request is from, asked as API Gateway asks."""

import threading
import time
from collections.abc import Mapping
from typing import Any, NamedTuple

from local.functions.environment import FunctionError
from local.functions.function import Function, StillRunning
from local.http.server import Response, json_response
from local.template.routes import Authorizer
from local.triggers.payload import ARN

Caller = Mapping[str, Any]

OPERATOR: Caller = {"account": "1", "scopes": "admin read send", "key": "0"}
"""Whoever sits here, where no authorizer is asked: the first account, and all that one may do."""
PATIENCE = 10
"""Seconds that an HTTP API waits for an authorizer."""
_NOT_FOR_IT = ("body", "isBase64Encoded")


class Refused(Exception):  # no error: it is an answer
    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.response: Response = json_response(status, {"message": message})


class _Said(NamedTuple):
    caller: Caller | None
    """None is a no."""
    until: float


class Gate:
    """Asks an authorizer, and keeps what it says: a yes and a no alike, for every route, by the identity
    sources. A fault is not kept."""

    def __init__(self, functions: Mapping[str, Function], patience: float = PATIENCE) -> None:
        self._functions = functions
        self._patience = patience
        self._kept: dict[tuple[str, ...], _Said] = {}
        self._changing = threading.Lock()

    def caller(self, authorizer: Authorizer, event: Mapping[str, Any]) -> Caller:
        """`event` is the function's to be. Raises Refused."""
        identity = [event["headers"].get(header.lower(), "") for header in authorizer.headers]
        if not all(identity):
            raise Refused(401, "Unauthorized")
        key = (authorizer.function, *identity)
        said = self._kept.get(key)
        if said is None or said.until < time.monotonic():
            said = _Said(self._ask(authorizer, event, identity), time.monotonic() + authorizer.seconds)
            with self._changing:
                self._kept = {k: v for k, v in self._kept.items() if v.until > time.monotonic()} | {key: said}
        if said.caller is None:
            raise Refused(403, "Forbidden")
        return said.caller

    def _ask(self, authorizer: Authorizer, event: Mapping[str, Any], identity: list[str]) -> Caller | None:
        """https://docs.aws.amazon.com/apigateway/latest/developerguide/http-api-lambda-authorizer.html"""
        http = event["requestContext"]["http"]
        question = {name: value for name, value in event.items() if name not in _NOT_FOR_IT} | {
            "type": "REQUEST",
            "routeArn": f"{ARN}/{event['requestContext']['stage']}/{http['method']}{http['path']}",
            "identitySource": identity,
        }
        function = self._functions[authorizer.function]
        try:
            answer = function.invoke(question, self._patience)
        except (FunctionError, StillRunning):
            raise Refused(500, "Internal Server Error") from None
        match answer:
            case {"isAuthorized": False}:
                return None
            case {"isAuthorized": True, "context": dict() as caller}:
                return caller
            case {"isAuthorized": True}:
                return {}
        function.note(f"[ERROR] an authorizer's simple response has isAuthorized: {answer!r}")
        raise Refused(500, "Internal Server Error")
