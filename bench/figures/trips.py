"""Round trips to Postgres, counted between a warm function and the database."""

from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from typing import Any
from urllib.parse import urlsplit

from bench.figure import EXACTLY, Figure
from bench.harness import network, requests
from bench.harness.database import Database
from bench.harness.environment import Environment
from bench.harness.network import Network
from bench.harness.stage import LIST, SEND, WEBHOOK, Stage, frame, records
from local.simulators.behaviour import Behaviour

TEN = 10


def figures(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(stage.server.database("trips", 1000))
        counted = Network((urlsplit(database.url).hostname or "", urlsplit(database.url).port or 0))
        url = network.at(database.url, counted.port)
        lambdas = {
            name: undo.enter_context(stage.environment(name, url))
            for name in ("sms_webhook", "send_message", "deliver_message", "conversations")
        }

        def trips(function: str, event: Any) -> int:
            lambdas[function].prepare(event)
            before = counted.round_trips
            ran = lambdas[function].run()
            assert not ran.failures, ran.failures
            return counted.round_trips - before

        yield from _requests(lambdas, trips)
        claim, record = _delivery(stage, database, trips)
        yield _figure("claim of ten", claim)
        yield _figure("record", record)


def _requests(lambdas: Mapping[str, Environment], trips: Any) -> Iterator[Figure]:
    webhook = frame("POST", WEBHOOK)
    made = requests.webhooks(webhook, "trips", (50, 50))
    first, second = next(made), next(made)
    send = next(requests.sends(frame("POST", SEND), (2001, 2001)))
    keyed = {**send, "headers": {**send["headers"], "idempotency-key": "trips"}}
    page = frame("GET", f"{LIST}/1/messages", f"{LIST}/{{id}}/messages", id="1")
    trips("sms_webhook", first)  # it connects
    yield _figure("webhook", trips("sms_webhook", second))
    yield _figure(
        "webhook, first of a pair",
        trips("sms_webhook", next(requests.webhooks(webhook, "elsewhere", (2000, 2000)))),
    )
    yield _figure("duplicate", trips("sms_webhook", second))
    trips("send_message", send)
    yield _figure("send", trips("send_message", send))
    yield _figure("send with an Idempotency-Key", trips("send_message", keyed))
    trips("conversations", frame("GET", LIST))
    yield _figure("list", trips("conversations", frame("GET", LIST)))
    yield _figure("page", trips("conversations", page))
    one = frame("GET", "/api/messages/1", "/api/messages/{id}", id="1")
    yield _figure("one message", trips("conversations", one))


def _delivery(stage: Stage, database: Database, trips: Any) -> tuple[int, int]:
    """Of a claim and of a record."""
    stage.provider.behave(Behaviour(reports=()))
    queued = database.queue(range(3000, 3000 + 2 + TEN))
    trips("deliver_message", records(queued[:1]))
    of_one = trips("deliver_message", records(queued[1:2]))
    of_ten = trips("deliver_message", records(queued[2 : 2 + TEN]))
    of_none = trips("deliver_message", records(queued[:1]))
    assert of_none < of_ten <= of_none + TEN  # those that end together are recorded together
    return of_none, of_one - of_none


def _figure(name: str, trips: int) -> Figure:
    return Figure(f"round trips: {name}", trips, wanted=(EXACTLY, 1))
