"""Has the functions that receive read again what they have kept, in a service that runs here."""

import json
from collections import Counter
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
    any_failed = False
    for function in template.functions:
        if function.has_url:  # providers call these, and no other
            done = _all(f"http://{options.host}:{options.port}", function.name, chosen)
            said = f"{function.name}: {done['replayed']} replayed, {done['failed']} failed"
            if left := done["not_configured"]:
                said += f", {left} left as they were: their providers are not configured"
            say(said)
            any_failed |= done["failed"] > 0
    return 1 if any_failed else 0


def _all(url: str, function: str, chosen: Mapping[str, Any]) -> Counter[str]:
    """Each invocation does what there is time for."""
    done: Counter[str] = Counter()
    after = 0
    while after is not None:
        answer = _invoke(url, function, {"replay": {**chosen, "after": after}})
        after = answer.pop("after")
        done.update(answer)
    return done


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
