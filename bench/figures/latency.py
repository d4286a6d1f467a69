"""A warm webhook over a network: the complete handler, beside a minimal function with its statement."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any

from bench.figure import AT_MOST, Figure, figure_of_rounds
from bench.harness import events, network
from bench.harness.database import Database
from bench.harness.environment import Environment, RunResult, time_fields
from bench.harness.rounds import run_in_turn
from bench.harness.testbed import LIST, SEND, WEBHOOK, Testbed, http_event, queue_event
from local.simulators.behaviour import Behaviour

DELAY = 0.001  # seconds of a round trip
WEBHOOK_NAME = "webhook at 1 ms, times the barest function's"
NAIVE_NAME = "the naive stack's, times the barest function's"
BLOCK = 20
ROUNDS = 15
CONTACTS = (1, 1000)

_runs = count()


def figures(testbed: Testbed) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(testbed.server.database("latency", 10_000))
        url = undo.enter_context(network.delayed(database.url, DELAY))
        names = ["sms_webhook", "bench.harness.bare"]
        if testbed.runtime.built:
            names.append("bench.harness.naive")
        lambdas = {name: undo.enter_context(testbed.environment(name, url)) for name in names}
        contenders = {name: partial(_webhooks, environment) for name, environment in lambdas.items()}
        results = run_in_turn(contenders, ROUNDS)
        log = _prepared(lambdas["sms_webhook"]).log_size()
        yield _against_bare(results, "sms_webhook", WEBHOOK_NAME, (AT_MOST, 1.8), log)
        if "bench.harness.naive" in results:
            yield _against_bare(results, "bench.harness.naive", NAIVE_NAME, None, 0)
        yield from _others(testbed, url, database)


def _prepared(environment: Environment) -> Environment:
    fields = {"run": f"block-{next(_runs)}", "contacts": CONTACTS}
    environment.prepare(http_event("POST", WEBHOOK), "webhooks", BLOCK, **fields)
    return environment


def _webhooks(environment: Environment) -> RunResult:
    return _prepared(environment).run()


def _against_bare(
    results: dict[str, list[RunResult]], name: str, title: str, target: tuple[str, float] | None, log: int
) -> Figure:
    runs, bare_runs = results[name], results["bench.harness.bare"]
    _assert_no_failures([*runs, *bare_runs])
    limit = time_fields(bare_runs)
    return figure_of_rounds(
        title,
        [run.p50 / bare_run.p50 for run, bare_run in zip(runs, bare_runs, strict=True)],
        unit="x",
        wanted=target,
        **time_fields(runs),
        note=f"beside {limit['p50']:.2f} ms, and {limit['cpu']:.2f} ms of CPU",
        bars={"this" if target else "naive": time_fields(runs)["p50"], "barest": limit["p50"]},
        more={"log": log},
    )


def _assert_no_failures(results: Iterable[RunResult]) -> None:
    for result in results:
        assert not result.failures, result.failures[:3]


# --- Other requests, for their cost ------------------------------------------------------------------


def _others(testbed: Testbed, url: str, database: Database) -> Iterator[Figure]:
    testbed.provider.behave(Behaviour(reports=()))
    page = http_event("GET", f"{LIST}/1/messages", f"{LIST}/{{id}}/messages", id="1")
    with (
        testbed.environment("send_message", url) as sending,
        testbed.environment("deliver_message", url) as delivering,
        testbed.environment("conversations", url) as reading,
        testbed.environment("sms_webhook", url) as reported,
    ):
        prepare: dict[str, Callable[[], Environment]] = {
            "send": lambda: _sends(sending),
            "delivery of one": lambda: _deliveries(delivering, database),
            "report": lambda: _reports(reported),
            "list": lambda: _repeated(reading, http_event("GET", LIST)),
            "page": lambda: _repeated(reading, page),
        }
        results = run_in_turn({name: partial(_run, make) for name, make in prepare.items()})
        for name, runs in results.items():
            _assert_no_failures(runs)
            fields = time_fields(runs)
            log = prepare[name]().log_size()
            yield Figure(f"{name} at 1 ms", fields["p50"], "ms", **fields, more={"log": log})
    testbed.provider.behave()


def _run(prepare: Callable[[], Environment]) -> RunResult:
    return prepare().run()


def _repeated(environment: Environment, event: Any) -> Environment:
    environment.prepare([event] * BLOCK, "list")
    return environment


def _sends(environment: Environment) -> Environment:
    environment.prepare(http_event("POST", SEND), "sends", BLOCK, contacts=CONTACTS)
    return environment


def _deliveries(environment: Environment, database: Database) -> Environment:
    first = 1_000_000 + next(_runs) * BLOCK
    ids = database.queue(range(first, first + BLOCK))
    environment.prepare([queue_event([id]) for id in ids], "list")
    return environment


def _reports(environment: Environment) -> Environment:
    """Reports on unknown messages: they become pending reports, which is a little less work."""
    run = next(_runs)
    reports = [
        events.signed(
            http_event("POST", WEBHOOK),
            {"messaging_provider_id": f"report-{run}-{number}", "status": "delivered"},
            f"msg_{run}_{number}",
        )
        for number in range(BLOCK)
    ]
    environment.prepare(reports, "list")
    return environment
