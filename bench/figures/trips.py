"""Round trips between a warm function and Postgres."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from bench.figure import EXACTLY, Figure
from bench.harness import events, network
from bench.harness.database import Database
from bench.harness.environment import Environment
from bench.harness.network import Network
from bench.harness.testbed import LIST, SEND, WEBHOOK, Testbed, http_event, queue_event
from local.simulators.behaviour import Behaviour

TEN = 10


def figures(testbed: Testbed) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(testbed.server.database("trips", 1000))
        counted = Network((urlsplit(database.url).hostname or "", urlsplit(database.url).port or 0))
        url = network.url_at(database.url, counted.port)
        lambdas = {
            name: undo.enter_context(testbed.environment(name, url))
            for name in ("sms_webhook", "send_message", "deliver_message", "conversations")
        }

        def trips(function: str, event: Any) -> int:
            lambdas[function].prepare(event)
            before = counted.round_trips
            result = lambdas[function].run()
            assert not result.failures, result.failures
            return counted.round_trips - before

        yield from _requests(lambdas, trips)
        claim, record = _delivery(testbed, database, trips)
        yield _figure("claim of ten", claim)
        yield _figure("record", record)


def _requests(lambdas: Mapping[str, Environment], trips: Any) -> Iterator[Figure]:
    webhook = http_event("POST", WEBHOOK)
    webhooks = events.webhooks(webhook, "trips", (50, 50))
    first, second = next(webhooks), next(webhooks)
    send = next(events.sends(http_event("POST", SEND), (2001, 2001)))
    keyed = {**send, "headers": {**send["headers"], "idempotency-key": "trips"}}
    page = http_event("GET", f"{LIST}/1/messages", f"{LIST}/{{id}}/messages", id="1")
    trips("sms_webhook", first)  # opens the connection
    yield _figure("webhook", trips("sms_webhook", second))
    yield _figure(
        "webhook, first of a pair",
        trips("sms_webhook", next(events.webhooks(webhook, "elsewhere", (2000, 2000)))),
    )
    yield _figure("duplicate", trips("sms_webhook", second))
    trips("send_message", send)
    yield _figure("send", trips("send_message", send))
    yield _figure("send with an Idempotency-Key", trips("send_message", keyed))
    trips("conversations", http_event("GET", LIST))
    yield _figure("list", trips("conversations", http_event("GET", LIST)))
    yield _figure("page", trips("conversations", page))
    message = http_event("GET", "/api/messages/1", "/api/messages/{id}", id="1")
    yield _figure("one message", trips("conversations", message))


def _delivery(testbed: Testbed, database: Database, trips: Any) -> tuple[int, int]:
    """Of a claim and of a record."""
    testbed.provider.behave(Behaviour(reports=()))
    queued = database.queue(range(3000, 3000 + 2 + TEN))
    trips("deliver_message", queue_event(queued[:1]))
    of_one = trips("deliver_message", queue_event(queued[1:2]))
    of_ten = trips("deliver_message", queue_event(queued[2 : 2 + TEN]))
    of_none = trips("deliver_message", queue_event(queued[:1]))
    assert of_none < of_ten <= of_none + TEN  # those that end together are recorded together
    return of_none, of_one - of_none


def _figure(name: str, trips: int) -> Figure:
    return Figure(f"round trips: {name}", trips, wanted=(EXACTLY, 1))
