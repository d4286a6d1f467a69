"""HTTP calls to this machine, which a proxy that the environment names must not get to see."""

import json
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from local.errors import CannotStart

opener = build_opener(ProxyHandler({}))

SIGNED = "AWS4-HMAC-SHA256 "
"""How AWS' clients begin their Authorization. A page in a browser cannot send one without asking before."""


def invoke(url: str, function: str, event: object) -> Any:
    """A function's result, by Lambda's API of a service that runs here. Raises CannotStart."""
    path = f"/2015-03-31/functions/{function}/invocations"
    request = Request(url + path, json.dumps(event).encode(), {"Authorization": f"{SIGNED}Credential=local"})
    try:
        with opener.open(request, timeout=60) as response:
            answer = json.loads(response.read())
    except OSError as error:
        raise CannotStart(f"{url}: {error}; is it running? see --lambda-port") from error
    if response.headers["X-Amz-Function-Error"]:
        raise CannotStart(f"{function}: {answer['errorMessage']}")
    return answer
