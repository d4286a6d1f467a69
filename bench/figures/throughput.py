"""Webhooks per second: the complete handler in its process, beside the same write by pgbench."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from itertools import count
from statistics import median
from typing import Any

from bench.figure import AT_LEAST, EXACTLY, Figure, figure_of_rounds
from bench.harness import pgbench
from bench.harness.database import Database
from bench.harness.environment import (
    Environment,
    RunResult,
    run_concurrently,
    start_environments,
    time_fields,
)
from bench.harness.pgbench import PgbenchResult
from bench.harness.rounds import run_in_turn
from bench.harness.testbed import FOLDER, WEBHOOK, Testbed, http_event

SECONDS = 1  # short rounds, so that other load affects both sides of a ratio
ROUNDS = 9
MANY = 8
NAME = "webhooks a second with {}, as a share of pgbench's"
MESSAGES = 100_000
CONVERSATIONS = MESSAGES // 10
ENOUGH = 2500
"""More requests than one environment handles in a second."""

_runs = count()


def figures(testbed: Testbed) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(testbed.server.database("throughput", MESSAGES))
        variables = testbed.variables(database.url)
        lambdas = undo.enter_context(start_environments(MANY, testbed.runtime, "sms_webhook", variables))
        spread = f"random(1, {CONVERSATIONS})"
        runs: dict[str, Callable[[], RunResult | PgbenchResult]] = {
            "1": lambda: webhooks(testbed, lambdas[:1]),
            "8": lambda: webhooks(testbed, lambdas),
            "into eight": lambda: webhooks(testbed, lambdas, [(n + 2, n + 2) for n in range(MANY)]),
            "into one": lambda: webhooks(testbed, lambdas, [(1, 1)] * MANY),
        }
        limits: dict[str, Callable[[], RunResult | PgbenchResult]] = {
            "pgbench 1": lambda: pgbench.run(database.url, FOLDER, 1, SECONDS, spread),
            "pgbench 8": lambda: pgbench.run(database.url, FOLDER, MANY, SECONDS, spread),
        }
        has_pgbench = pgbench.program() is not None
        results = run_in_turn(runs | limits if has_pgbench else runs, ROUNDS)
        for clients, target in ((1, 0.45), (MANY, 0.25)):
            yield _share(results, clients, target, has_pgbench=has_pgbench)
        yield _contention(results)
        failures: list[str] = []
        total = 0
        for name in runs:
            for result in _run_results(results[name]):
                failures += result.failures
                total += len(result.milliseconds)
        yield Figure(
            "failures under load",
            len(failures),
            wanted=(EXACTLY, 0),
            note=f"of {total:,} webhooks",
            more={"first": failures[:3]},
        )
        yield _stored(database)


def webhooks(
    testbed: Testbed, environments: list[Environment], contacts: list[tuple[int, int]] | None = None
) -> RunResult:
    """Run webhooks in several environments. Without `contacts`, each has conversations of its own."""
    share = CONVERSATIONS // MANY
    number = ENOUGH * SECONDS if len(environments) == 1 else ENOUGH * SECONDS // 5
    for index, environment in enumerate(environments):
        senders = contacts[index] if contacts else (index * share + 1, (index + 1) * share)
        environment.prepare(
            http_event("POST", WEBHOOK), "webhooks", number, run=f"run-{next(_runs)}", contacts=senders
        )
    before = testbed.server.cpu()
    result = run_concurrently(environments, SECONDS)
    milliseconds = (testbed.server.cpu() - before) * 1000 / len(result.milliseconds)
    return result._replace(postgres=milliseconds)


def _run_results(results: Iterable[RunResult | PgbenchResult]) -> list[RunResult]:
    return [result for result in results if isinstance(result, RunResult)]


def _share(
    results: dict[str, list[RunResult | PgbenchResult]], clients: int, target: float, *, has_pgbench: bool
) -> Figure:
    runs = _run_results(results[str(clients)])
    fields: dict[str, Any] = {
        "unit": "x",
        "wanted": (AT_LEAST, target),
        **time_fields(runs),
        "more": {
            "webhooks a second": [run.rate for run in runs],
            "Postgres' CPU ms": [run.postgres for run in runs],
        },
    }
    plural = "" if clients == 1 else "s"
    name = NAME.format(f"{clients} connection{plural}")
    rate = median(run.rate for run in runs)
    if not has_pgbench:
        return Figure(name, None, note=f"pgbench is not installed; {rate:,.0f} webhooks a second", **fields)
    limits = results[f"pgbench {clients}"]
    fields["more"]["pgbench's a second"] = [limit.rate for limit in limits]
    fields["bars"] = {"this": rate, "pgbench": median(limit.rate for limit in limits)}
    fields["note"] = f"{rate:,.0f} of {median(limit.rate for limit in limits):,.0f};"
    fields["note"] += f" and {median(run.postgres for run in runs):.2g} ms of CPU in Postgres"
    shares = [run.rate / limit.rate for run, limit in zip(runs, limits, strict=True)]
    return figure_of_rounds(name, shares, **fields)


def _contention(results: dict[str, list[RunResult | PgbenchResult]]) -> Figure:
    into_one, into_eight = results["into one"], results["into eight"]
    shares = [one_run.rate / eight_run.rate for one_run, eight_run in zip(into_one, into_eight, strict=True)]
    rate_into_one = median(result.rate for result in into_one)
    rate_into_eight = median(result.rate for result in into_eight)
    return figure_of_rounds(
        "8 writers into one conversation, as a share of into eight",
        shares,
        unit="x",
        note=f"{rate_into_one:,.0f} of {rate_into_eight:,.0f} webhooks a second",
        **time_fields(_run_results(into_one)),
    )


def _stored(database: Database) -> Figure:
    """The size of a webhook in Postgres: the message, and its request, which expires (RAW_RETENTION_DAYS)."""
    database.settle()
    messages = database.value("SELECT count(*) FROM messages")
    requests = database.value("SELECT count(*) FROM webhook_requests")
    raw = database.bytes("webhook_requests") / requests
    return Figure(
        "bytes of a received message, with indexes",
        database.bytes("messages") / messages,
        "bytes",
        note=f"with a body of 95 characters; and {raw:,.0f} for its request, for 30 days",
        more={"request": raw},
    )
