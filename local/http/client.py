"""HTTP calls to this machine. They bypass the proxy that the environment may name."""

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from local.errors import CannotStart

opener = build_opener(ProxyHandler({}))

SIGNED = "AWS4-HMAC-SHA256 "
"""The prefix of the Authorization header of AWS clients. A web page needs a CORS preflight to send it."""


def invoke(url: str, function: str, event: object) -> Any:
    """Return a function's result, from the Invoke API of a running service. Raises CannotStart."""
    path = f"/2015-03-31/functions/{function}/invocations"
    request = Request(url + path, json.dumps(event).encode(), {"Authorization": f"{SIGNED}Credential=local"})
    try:
        with opener.open(request, timeout=60) as response:
            result = json.loads(response.read())
    except OSError as error:
        raise CannotStart(f"{url}: {error}; is the service running? see --lambda-port") from error
    if response.headers["X-Amz-Function-Error"]:
        raise CannotStart(f"{function}: {result['errorMessage']}")
    return result
