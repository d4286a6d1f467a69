"""Has the functions that receive read again what they have kept, in a service that runs here."""

import json
from collections.abc import Callable, Mapping
from typing import Any
from urllib.request import Request

from local.backing import Options
from local.client import opener
from local.errors import CannotStart
from local.template import Template


def replay(options: Options, chosen: Mapping[str, Any], say: Callable[[str], None]) -> int:
    """Gives 1 where some could still not be read. Raises CannotStart."""
    template = Template(options.template, options.parameters, {}, endpoint="", gateway="")
    failed = 0
    for function in template.functions:
        if function.has_url:  # providers call these, and no other
            replayed, still_failed = _all(f"http://{options.host}:{options.port}", function.name, chosen)
            say(f"{function.name}: {replayed} replayed, {still_failed} failed")
            failed += still_failed
    return 1 if failed else 0


def _all(url: str, function: str, chosen: Mapping[str, Any]) -> tuple[int, int]:
    """Each invocation does what there is time for."""
    replayed, failed, after = 0, 0, 0
    while after is not None:
        done = _invoke(url, function, {"replay": {**chosen, "after": after}})
        replayed, failed, after = replayed + done["replayed"], failed + done["failed"], done["after"]
    return replayed, failed


def _invoke(url: str, function: str, event: object) -> Any:
    request = Request(f"{url}/2015-03-31/functions/{function}/invocations", json.dumps(event).encode())
    try:
        with opener.open(request, timeout=60) as response:
            answer = json.loads(response.read())
    except OSError as error:
        raise CannotStart(f"{url}: {error}; is it running? see --port") from error
    if response.headers["X-Amz-Function-Error"]:
        raise CannotStart(f"{function}: {answer['errorMessage']}")
    return answer
