"""The HTTP API with its routes, and the functions' own URLs (/lambda-url/<name>/)."""

import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from local.functions.environment import FunctionError
from local.functions.function import Function, StillRunning
from local.http.server import Request, Response, json_response
from local.template.routes import Route, Routes
from local.triggers import payload
from local.triggers.authorizer import OPERATOR, Authorizers, Caller, Rejection

WAIT_SECONDS = 30
"""How long an HTTP API waits for a function. A function URL waits until the function's own timeout."""
URL_PREFIX = "/lambda-url/"


class Gateway:
    def __init__(
        self,
        routes: Sequence[Route],
        functions: Mapping[str, Function],
        show: Callable[[str], None],
        wait_seconds: float = WAIT_SECONDS,
        *,
        auth: bool = False,
    ) -> None:
        """Without `auth`, no authorizer is called, and every caller is the operator."""
        self._routes = Routes(routes)
        self._functions = functions
        self._show = show
        self._wait_seconds = wait_seconds
        self._authorizers = Authorizers(functions) if auth else None

    def respond(self, request: Request) -> Response:
        started = time.monotonic()
        if request.path.startswith(URL_PREFIX):
            response = self._serve_function_url(request)
        else:
            response = self._serve_api(request)
        milliseconds = (time.monotonic() - started) * 1000
        self._show(f"{request.method} {request.path} {response.status} in {milliseconds:.0f} ms")
        return response

    def _serve_api(self, request: Request) -> Response:
        match = self._routes.match(request.method, request.path)
        if match is None:
            return json_response(404, {"message": "Not Found"})
        route = match.route
        event = payload.http_event(request, payload.HTTP_API, request.path, route.key, match.variables)
        try:
            if route.authorizer is not None:
                event = payload.with_caller(event, self._caller(route, event))
            return _invoke(self._functions[route.function], event, self._wait_seconds)
        except Rejection as rejection:
            return rejection.response
        except StillRunning:
            return json_response(503, {"message": "Service Unavailable"})
        except (FunctionError, payload.BadResponseError):
            return json_response(500, {"message": "Internal Server Error"})

    def _caller(self, route: Route, event: Mapping[str, Any]) -> Caller:
        if self._authorizers is None or route.authorizer is None:
            return OPERATOR
        return self._authorizers.caller(route.authorizer, event)

    def _serve_function_url(self, request: Request) -> Response:
        name, _, path = request.path.removeprefix(URL_PREFIX).partition("/")
        function = self._functions.get(name)
        if function is None or not function.declared.has_url:
            return json_response(404, {"Message": None})
        event = payload.http_event(request, payload.function_url(name), f"/{path}")
        try:
            return _invoke(function, event)
        except (FunctionError, payload.BadResponseError):
            return Response(502, b"Internal Server Error", [("content-type", "application/json")])


def _invoke(function: Function, event: dict[str, Any], wait_seconds: float = float("inf")) -> Response:
    result = function.invoke(event, wait_seconds)
    try:
        return payload.http_response(result)
    except payload.BadResponseError as error:
        function.log(f"[ERROR] the result is not an HTTP response: {error}")
        raise
