"""What the framework takes of a warm webhook, its parts apart, in microseconds of CPU.

`measure` runs inside an environment of sms_webhook, which has nothing of ours but bench.requests to import.
"""

import time
from collections.abc import Callable, Iterator
from statistics import median
from types import ModuleType
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from bench.figure import Figure
    from bench.harness.stage import Stage

TURNS, CALLS = 9, 300
LIMIT = 200  # microseconds, of all parts


def figures(stage: "Stage") -> Iterator["Figure"]:
    from bench.figure import AT_MOST, Figure
    from bench.harness import requests
    from bench.harness.stage import WEBHOOK, frame

    event = next(requests.webhooks(frame("POST", WEBHOOK), "powertools", (1, 1)))
    with (
        stage.server.database("powertools") as database,
        stage.environment("sms_webhook", database.url) as environment,
    ):
        parts: dict[str, float] = environment.do("measure", module=__name__, frame=event)
    yield Figure(
        "Powertools on a warm webhook, CPU",
        sum(parts.values()),
        "us",
        wanted=(AT_MOST, LIMIT),
        note=", ".join(f"{part} {taken:.0f}" for part, taken in parts.items()),
        more=parts,
    )


def measure(function: ModuleType, event: dict[str, Any], context: Any) -> dict[str, float]:
    """Microseconds of each part of what sms_webhook does beside its own work."""
    from messaging.handlers import http
    from messaging.inbound import receive
    from messaging.providers.provider import WebhookResponse
    from messaging.telemetry import count, flush, logger

    kept = receive.receive
    answered = WebhookResponse('{"id": 1}')
    receive.receive = lambda *_: answered
    bare = http.handler(lambda *_: {"statusCode": 200, "headers": {}, "body": ""})
    try:
        whole = _microseconds(lambda: function.handler(event, context))
        framed = _microseconds(lambda: bare(event, context))
    finally:
        receive.receive = kept

    def counted() -> None:
        count("Inbound")
        flush()

    line = _microseconds(
        lambda: logger.info("Message received", extra={"message_id": 1, "outcome": "created"})
    )
    return {
        "routing": max(whole - framed, 0),  # by hand, with the reading of the request
        "logger": framed + line,  # the context of each invocation, and its one line
        "metrics": _microseconds(counted),
    }


def _microseconds(call: Callable[[], object]) -> float:
    for _ in range(CALLS):
        call()
    turns = []
    for _ in range(TURNS):
        began = time.process_time()
        for _ in range(CALLS):
            call()
        turns.append((time.process_time() - began) / CALLS * 1e6)
    return median(turns)
