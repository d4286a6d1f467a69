"""Lambda's Invoke API, for `python -m local keys` and `replay`, and for `aws lambda invoke --endpoint-url`.

Anyone who can invoke functions can do anything, so this API has a port of its own. A tunnel to the HTTP API
does not lead to it.

https://docs.aws.amazon.com/lambda/latest/api/API_Invoke.html
"""

import json
import re
from collections.abc import Callable, Mapping

from local.functions.environment import FunctionError
from local.functions.function import Function
from local.http.client import SIGNED
from local.http.server import Request, Response, json_response

_PATH = re.compile("/2015-03-31/functions/([^/]+)/invocations")


class Invocations:
    def __init__(self, functions: Mapping[str, Function], show: Callable[[str], None]) -> None:
        self._functions = functions
        self._show = show

    def respond(self, request: Request) -> Response:
        response = self._invoke(request)
        self._show(f"{request.method} {request.path} {response.status}")
        return response

    def _invoke(self, request: Request) -> Response:
        headers = {name.lower(): value for name, value in request.headers}
        if not headers.get("authorization", "").startswith(SIGNED):
            return json_response(403, {"message": "Missing Authentication Token"})
        match = _PATH.fullmatch(request.path)
        name = match[1] if match else ""
        function = self._functions.get(name)
        if function is None:
            return json_response(404, {"Message": f"Function not found: {name}"})
        try:
            return json_response(200, function.invoke(json.loads(request.body or b"{}")))
        except ValueError:
            return json_response(400, {"Message": "Could not parse request body into json"})
        except FunctionError as error:
            details = {"errorType": error.error_type, "errorMessage": error.message}
            return json_response(200, details, [("X-Amz-Function-Error", "Unhandled")])
