"""What stands before the functions: the HTTP API's routes, and their own URLs (/lambda-url/<name>/)."""

import time
from collections.abc import Callable, Mapping
from typing import Any

from local.functions.environment import FunctionError
from local.functions.function import Function, StillRunning
from local.http.server import Request, Response, json_response
from local.template.routes import Route, Routes
from local.triggers import payload
from local.triggers.authorizer import OPERATOR, Gate, Refused

PATIENCE = 30
"""Seconds that an HTTP API waits for a function. A function URL waits as long as the function may run."""
URL_PREFIX = "/lambda-url/"


class Gateway:
    def __init__(
        self,
        routes: list[Route],
        functions: Mapping[str, Function],
        show: Callable[[str], None],
        patience: float = PATIENCE,
        *,
        auth: bool = False,
    ) -> None:
        """Unless `auth`, no authorizer is asked, and every request is the operator's."""
        self._routes = Routes(routes)
        self._functions = functions
        self._show = show
        self._patience = patience
        self._gate = Gate(functions) if auth else None

    def answer(self, request: Request) -> Response:
        started = time.monotonic()
        serve = self._url if request.path.startswith(URL_PREFIX) else self._api
        response = serve(request)
        milliseconds = (time.monotonic() - started) * 1000
        self._show(f"{request.method} {request.path} {response.status} in {milliseconds:.0f} ms")
        return response

    def _api(self, request: Request) -> Response:
        match = self._routes.match(request.method, request.path)
        if match is None:
            return json_response(404, {"message": "Not Found"})
        route = match.route
        event = payload.event(request, payload.HTTP_API, request.path, route.key, match.variables)
        try:
            if route.authorizer is not None:
                caller = self._gate.caller(route.authorizer, event) if self._gate else OPERATOR
                event = payload.authorized(event, caller)
            return _response(self._functions[route.function], event, self._patience)
        except Refused as refused:
            return refused.response
        except StillRunning:
            return json_response(503, {"message": "Service Unavailable"})
        except (FunctionError, payload.BadResponseError):
            return json_response(500, {"message": "Internal Server Error"})

    def _url(self, request: Request) -> Response:
        name, _, rest = request.path.removeprefix(URL_PREFIX).partition("/")
        function = self._functions.get(name)
        if function is None or not function.declared.has_url:
            return json_response(404, {"Message": None})
        try:
            return _response(function, payload.event(request, payload.function_url(name), f"/{rest}"))
        except (FunctionError, payload.BadResponseError):
            return Response(502, b"Internal Server Error", [("content-type", "application/json")])


def _response(function: Function, event: dict[str, Any], patience: float = float("inf")) -> Response:
    result = function.invoke(event, patience)
    try:
        return payload.response(result)
    except payload.BadResponseError as error:
        function.note(f"[ERROR] no response can be made of the result: {error}")
        raise
