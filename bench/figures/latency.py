"""One warm webhook over a network: the whole handler, beside the barest function with the same statement."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

from bench.figure import AT_MOST, Figure, of_rounds
from bench.harness import network, requests
from bench.harness.database import Database
from bench.harness.environment import Environment, Ran, times
from bench.harness.rounds import in_turn
from bench.harness.stage import LIST, SEND, WEBHOOK, Stage, frame, records
from local.simulators.behaviour import Behaviour

DELAY = 0.001  # seconds of a round trip
WEBHOOK_NAME = "webhook at 1 ms, times the barest function's"
NAIVE_NAME = "the naive stack's, times the barest function's"
BLOCK = 20
ROUNDS = 15
CONTACTS = (1, 1000)

_runs = count()


def figures(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(stage.server.database("latency", 10_000))
        url = undo.enter_context(network.apart(database.url, DELAY))
        names = [
            "sms_webhook",
            "bench.harness.bare",
            *(["bench.harness.naive"] if stage.runtime.built else []),
        ]
        lambdas = {name: undo.enter_context(stage.environment(name, url)) for name in names}
        contenders = {name: partial(_webhooks, one) for name, one in lambdas.items()}
        gave = in_turn(contenders, ROUNDS)
        log = _prepared(lambdas["sms_webhook"]).printed()
        yield _against_bare(gave, "sms_webhook", WEBHOOK_NAME, (AT_MOST, 1.8), log)
        if "bench.harness.naive" in gave:
            yield _against_bare(gave, "bench.harness.naive", NAIVE_NAME, None, 0)
        yield from _others(stage, url, database)


def _prepared(environment: Environment) -> Environment:
    fields = {"run": f"block-{next(_runs)}", "contacts": CONTACTS}
    environment.prepare(frame("POST", WEBHOOK), "webhooks", BLOCK, **fields)
    return environment


def _webhooks(environment: Environment) -> Ran:
    return _prepared(environment).run()


def _against_bare(
    gave: dict[str, list[Ran]], name: str, title: str, wanted: tuple[str, float] | None, log: int
) -> Figure:
    ours, floor = gave[name], gave["bench.harness.bare"]
    failures = [failure for ran in (*ours, *floor) for failure in ran.failures]
    assert not failures, failures[:3]
    limit = times(floor)
    return of_rounds(
        title,
        [ran.p50 / other.p50 for ran, other in zip(ours, floor, strict=True)],
        unit="x",
        wanted=wanted,
        **times(ours),
        note=f"{limit['p50']:.2f} ms and {limit['cpu']:.2f} ms of CPU there",
        bars={"this" if wanted else "naive": times(ours)["p50"], "barest": limit["p50"]},
        more={"log": log},
    )


# --- The other requests, for what they cost ----------------------------------------------------------


def _others(stage: Stage, url: str, database: Database) -> Iterator[Figure]:
    stage.provider.behave(Behaviour(reports=()))
    page = frame("GET", f"{LIST}/1/messages", f"{LIST}/{{id}}/messages", id="1")
    with (
        stage.environment("send_message", url) as sending,
        stage.environment("deliver_message", url) as delivering,
        stage.environment("conversations", url) as reading,
        stage.environment("sms_webhook", url) as reported,
    ):
        prepare: dict[str, Callable[[], Environment]] = {
            "send": lambda: _sends(sending),
            "delivery of one": lambda: _deliveries(delivering, database),
            "report": lambda: _reports(reported),
            "list": lambda: _again(reading, frame("GET", LIST)),
            "page": lambda: _again(reading, page),
        }
        gave = in_turn({name: partial(_run, make) for name, make in prepare.items()})
        for name, rans in gave.items():
            failures = [failure for ran in rans for failure in ran.failures]
            assert not failures, failures[:3]
            mine = times(rans)
            yield Figure(
                f"{name} at 1 ms", mine["p50"], "ms", **mine, more={"log": prepare[name]().printed()}
            )
    stage.provider.behave()


def _run(prepare: Callable[[], Environment]) -> Ran:
    return prepare().run()


def _again(environment: Environment, event: Any) -> Environment:
    environment.prepare([event] * BLOCK, "these")
    return environment


def _sends(environment: Environment) -> Environment:
    environment.prepare(frame("POST", SEND), "sends", BLOCK, contacts=CONTACTS)
    return environment


def _deliveries(environment: Environment, database: Database) -> Environment:
    first = 1_000_000 + next(_runs) * BLOCK
    ids = database.queue(range(first, first + BLOCK))
    environment.prepare([records([id]) for id in ids], "these")
    return environment


def _reports(environment: Environment) -> Environment:
    """Of messages that nobody sent: they are parked, and that is a little less work."""
    run = next(_runs)
    events = [
        requests.signed(
            frame("POST", WEBHOOK),
            {"messaging_provider_id": f"report-{run}-{number}", "status": "delivered"},
            f"msg_{run}_{number}",
        )
        for number in range(BLOCK)
    ]
    environment.prepare(events, "these")
    return environment
