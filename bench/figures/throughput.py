"""Webhooks a second: the whole handler in its process, beside the same write by pgbench."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import count
from typing import Any

from bench.figure import AT_LEAST, EXACTLY, Figure, middle, of_rounds
from bench.harness import pgbench
from bench.harness.database import Database
from bench.harness.environment import Environment, Ran, several, times, together
from bench.harness.pgbench import Write
from bench.harness.rounds import in_turn
from bench.harness.stage import FOLDER, WEBHOOK, Stage, frame

SECONDS = 1  # at a time: what else goes on has both sides of a ratio then
ROUNDS = 9
MANY = 8
NAME = "webhooks a second with {}, as a share of pgbench's"
MESSAGES = 100_000
CONVERSATIONS = MESSAGES // 10
ENOUGH = 2500
"""Requests a second that an environment alone is prepared for; of many it is a part."""

_runs = count()


def figures(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as undo:
        database = undo.enter_context(stage.server.database("throughput", MESSAGES))
        variables = stage.variables(database.url)
        lambdas = undo.enter_context(several(MANY, stage.runtime, "sms_webhook", variables))
        spread = f"random(1, {CONVERSATIONS})"
        ours: dict[str, Callable[[], Ran | Write]] = {
            "1": lambda: webhooks(stage, lambdas[:1]),
            "8": lambda: webhooks(stage, lambdas),
            "into eight": lambda: webhooks(stage, lambdas, [(n + 2, n + 2) for n in range(MANY)]),
            "into one": lambda: webhooks(stage, lambdas, [(1, 1)] * MANY),
        }
        limits: dict[str, Callable[[], Ran | Write]] = {
            "pgbench 1": lambda: pgbench.run(database.url, FOLDER, 1, SECONDS, spread),
            "pgbench 8": lambda: pgbench.run(database.url, FOLDER, MANY, SECONDS, spread),
        }
        can = pgbench.program() is not None
        gave = in_turn(ours | limits if can else ours, ROUNDS)
        for clients, mark in ((1, 0.45), (MANY, 0.25)):
            yield _share(gave, clients, mark, can=can)
        yield _contention(gave)
        ran = [one for name in ours for one in gave[name] if isinstance(one, Ran)]
        failures = [failure for one in ran for failure in one.failures]
        total = sum(len(one.taken) for one in ran)
        yield Figure(
            "failures under load",
            len(failures),
            wanted=(EXACTLY, 0),
            note=f"of {total:,} webhooks",
            more={"first": failures[:3]},
        )
        yield _stored(database)


def webhooks(
    stage: Stage, environments: list[Environment], contacts: list[tuple[int, int]] | None = None
) -> Ran:
    """Of as many environments at once, each into its own conversations unless told otherwise."""
    each = CONVERSATIONS // MANY
    number = ENOUGH * SECONDS if len(environments) == 1 else ENOUGH * SECONDS // 5
    for place, environment in enumerate(environments):
        into = contacts[place] if contacts else (place * each + 1, (place + 1) * each)
        environment.prepare(
            frame("POST", WEBHOOK), "webhooks", number, run=f"run-{next(_runs)}", contacts=into
        )
    before = stage.server.cpu()
    ran = together(environments, SECONDS)
    return ran._replace(postgres=(stage.server.cpu() - before) * 1000 / len(ran.taken))


def _share(gave: dict[str, list[Ran | Write]], clients: int, mark: float, *, can: bool) -> Figure:
    ran = [one for one in gave[str(clients)] if isinstance(one, Ran)]
    fields: dict[str, Any] = {
        "unit": "x",
        "wanted": (AT_LEAST, mark),
        **times(ran),
        "more": {
            "webhooks a second": [one.rate for one in ran],
            "Postgres' CPU ms": [one.postgres for one in ran],
        },
    }
    plural = "" if clients == 1 else "s"
    name = NAME.format(f"{clients} connection{plural}")
    rate = middle(one.rate for one in ran)
    if not can:
        return Figure(name, None, note=f"there is no pgbench; {rate:,.0f} webhooks a second", **fields)
    limit = gave[f"pgbench {clients}"]
    fields["more"]["pgbench's a second"] = [one.rate for one in limit]
    fields["bars"] = {"this": rate, "pgbench": middle(one.rate for one in limit)}
    fields["note"] = f"{rate:,.0f} of {middle(one.rate for one in limit):,.0f};"
    fields["note"] += f" and {middle(one.postgres for one in ran):.2g} ms of CPU in Postgres"
    shares = [one.rate / other.rate for one, other in zip(ran, limit, strict=True)]
    return of_rounds(name, shares, **fields)


def _contention(gave: dict[str, list[Ran | Write]]) -> Figure:
    one, eight = gave["into one"], gave["into eight"]
    shares = [of_one.rate / of_eight.rate for of_one, of_eight in zip(one, eight, strict=True)]
    rates = [middle(ran.rate for ran in rans) for rans in (one, eight)]
    return of_rounds(
        "8 writers into one conversation, as a share of into eight",
        shares,
        unit="x",
        note="{:,.0f} of {:,.0f} webhooks a second".format(*rates),
        **times([ran for ran in one if isinstance(ran, Ran)]),
    )


def _stored(database: Database) -> Figure:
    """What Postgres keeps of a webhook: the message, for good, and the request, for RAW_RETENTION_DAYS."""
    database.settle()
    messages = database.value("SELECT count(*) FROM messages")
    requests = database.value("SELECT count(*) FROM webhook_requests")
    raw = database.bytes("webhook_requests") / requests
    return Figure(
        "bytes kept of a received message, with indexes",
        database.bytes("messages") / messages,
        "bytes",
        note=f"a body of 95 characters; and {raw:,.0f} of its request for 30 days",
        more={"request": raw},
    )
