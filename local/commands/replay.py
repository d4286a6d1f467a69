"""Has the functions that receive read again what they have kept, in a service that runs here."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from local.http.client import invoke
from local.options import Options
from local.template.template import Template


def replay(options: Options, chosen: Mapping[str, Any], say: Callable[[str], None]) -> int:
    """Gives 1 where some could still not be read. Raises CannotStart."""
    template = Template(options.template, options.parameters, {}, endpoint="", gateway="")
    any_failed = False
    for function in template.functions:
        if function.has_url:  # providers call these, and no other
            done = _all(f"http://{options.host}:{options.lambda_port}", function.name, chosen)
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
        answer = invoke(url, function, {"replay": {**chosen, "after": after}})
        after = answer.pop("after")
        done.update(answer)
    return done
