"""The CPU time of the framework in a warm webhook, part by part, in microseconds.

`measure` runs inside an environment of sms_webhook. Of this package, it can import only what needs no tools.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.figure import Figure
    from bench.harness.testbed import Testbed

TURNS, CALLS = 9, 300
LIMIT = 200  # microseconds, of all parts


def figures(testbed: "Testbed") -> Iterator["Figure"]:
    from bench.figure import AT_MOST, Figure
    from bench.harness import events
    from bench.harness.testbed import WEBHOOK, http_event

    event = next(events.webhooks(http_event("POST", WEBHOOK), "powertools", (1, 1)))
    with (
        testbed.server.database("powertools") as database,
        testbed.environment("sms_webhook", database.url) as environment,
    ):
        parts: dict[str, float] = environment.call("measure", module=__name__, event=event)
    yield Figure(
        "Powertools on a warm webhook, CPU",
        sum(parts.values()),
        "us",
        wanted=(AT_MOST, LIMIT),
        note=", ".join(f"{part} {microseconds:.0f}" for part, microseconds in parts.items()),
        more=parts,
    )


def measure(function: ModuleType, event: dict[str, Any], context: Any) -> dict[str, float]:
    """Return the microseconds of each part of the framework in sms_webhook."""
    from messaging.handlers import http
    from messaging.inbound import receive
    from messaging.providers.provider import WebhookResponse
    from messaging.telemetry import count, flush, logger

    original = receive.receive
    response = WebhookResponse('{"id": 1}')
    receive.receive = lambda *_: response
    bare = http.handler(lambda *_: {"statusCode": 200, "headers": {}, "body": ""})
    try:
        total = _microseconds(lambda: function.handler(event, context))
        decorated = _microseconds(lambda: bare(event, context))
    finally:
        receive.receive = original

    def count_metric() -> None:
        count("Inbound")
        flush()

    line = _microseconds(
        lambda: logger.info("Message received", extra={"message_id": 1, "outcome": "created"})
    )
    return {
        "routing": max(total - decorated, 0),  # our own routing, with the parsing of the request
        "logger": decorated + line,  # the context of each invocation, and one line
        "metrics": _microseconds(count_metric),
    }


def _microseconds(call: Callable[[], object]) -> float:
    for _ in range(CALLS):
        call()
    turns = []
    for _ in range(TURNS):
        started = time.process_time()
        for _ in range(CALLS):
            call()
        turns.append((time.process_time() - started) / CALLS * 1e6)
    return median(turns)
