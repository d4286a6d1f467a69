"""Lets a running service read its stored webhook requests again."""

from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any

from local.http.client import invoke
from local.options import Options
from local.template.template import Template


def replay(options: Options, filters: Mapping[str, Any], say: Callable[[str], None]) -> int:
    """Replay the requests that match the filters: `unparsed`, `since`, `until` and `provider`.

    Returns 1 if a request could still not be parsed, or else 0. Raises CannotStart.
    """
    template = Template(options.template, options.parameters, {}, endpoint="", gateway="")
    url = f"http://{options.host}:{options.lambda_port}"
    any_failed = False
    for function in template.functions:
        if not function.has_url:  # only the functions that receive webhooks have a URL
            continue
        counts = _replay_all(url, function.name, filters)
        line = f"{function.name}: {counts['replayed']} replayed, {counts['failed']} failed"
        if counts["not_configured"]:
            line += f", {counts['not_configured']} skipped because their providers are not configured"
        say(line)
        if counts["failed"]:
            any_failed = True
    return 1 if any_failed else 0


def _replay_all(url: str, function: str, filters: Mapping[str, Any]) -> Counter[str]:
    """Invoke the function until it has replayed everything. One invocation replays what it has time for."""
    counts: Counter[str] = Counter()
    after = 0
    while after is not None:
        result = invoke(url, function, {"replay": {**filters, "after": after}})
        after = result.pop("after")
        counts.update(result)
    return counts
