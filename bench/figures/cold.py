"""Cold starts: first invocations in new processes, with TLS to Postgres at 1 ms, beside the naive stack."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil

from bench.figure import AT_MOST, Figure, figure_of_rounds
from bench.figures import imports
from bench.harness import events, network
from bench.harness.database import Database
from bench.harness.rounds import run_in_turn
from bench.harness.testbed import LIST, SEND, WEBHOOK, Testbed, http_event, queue_event
from tests.support.certificates import Authority

DELAY = 0.001
ROUNDS = 5
NAME = "first webhook, start to answer, as a share of the naive stack's"
BUDGETS = {"sms_webhook": 320, "conversations": 340, "deliver_message": 480, "send_message": 560}
"""CPU milliseconds of the imports and the first response, without those of the interpreter."""
NAIVE = "bench.harness.naive"
UNBUDGETED = ("email_webhook", "relay")
SHARE = 0.5
MEMORY = 65

_runs = count()


class Start(NamedTuple):
    """A cold start, in milliseconds."""

    wall: float
    cpu: float
    imports: float
    """CPU time of the imports."""
    second: float
    """Wall-clock time of the second invocation."""
    memory: float
    """MiB."""


def figures(testbed: Testbed) -> Iterator[Figure]:
    if not testbed.runtime.built:
        yield Figure(NAME, None, wanted=(AT_MOST, SHARE), note="there is no CPython 3.13")
        return
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory(prefix="bench-")))
        authority = Authority(folder, "authority")
        database = undo.enter_context(testbed.server.database("cold", 10_000))
        served = authority.certify("127.0.0.1")
        url = undo.enter_context(network.delayed(database.url, DELAY, (served.certificate, served.key)))
        variables = testbed.variables(url, DATABASE_CA_FILE=str(authority.bundle))
        start = {
            name: partial(_start, testbed, name, variables, _events(database, name))
            for name in (*BUDGETS, NAIVE)
        }
        results = run_in_turn(start, ROUNDS)
        results |= {name: [_start(testbed, name, variables, _events(database, name))] for name in UNBUDGETED}
        yield _share(results)
        for name, budget in BUDGETS.items():
            start_input = _start_input(testbed, name, _events(database, name))
            shares = imports.shares(testbed, start_input, variables)
            yield _budget(results[name], name, budget, shares)
        yield _memory(results)


def _events(database: Database, function: str) -> Callable[[], list[Any]]:
    """Return a function that makes two new events for each start."""

    def webhooks() -> list[Any]:
        run = f"cold-{next(_runs)}"
        webhook_events = events.webhooks(http_event("POST", WEBHOOK), run, (1, 900))
        return [next(webhook_events), next(webhook_events)]

    def sends() -> list[Any]:
        return [next(events.sends(http_event("POST", SEND), (1, 900)))] * 2

    def deliveries() -> list[Any]:
        run = 2 * next(_runs)
        return [queue_event([id]) for id in database.queue([900_000 + run, 900_001 + run])]

    return {
        "sms_webhook": webhooks,
        NAIVE: webhooks,
        "send_message": sends,
        "deliver_message": deliveries,
        "conversations": lambda: [http_event("GET", LIST)] * 2,
        "email_webhook": _mails,
        "relay": lambda: [{}, {}],
    }[function]


def _mails() -> list[Any]:
    run = next(_runs)
    fields = {"from": "contact@example.org", "to": "user@example.com", "body": events.BODY}
    return [
        events.signed(
            http_event("POST", "/api/webhooks/email"),
            fields | {"xillio_id": f"cold-{run}-{n}"},
            f"msg_{run}_{n}",
        )
        for n in range(2)
    ]


def _start(
    testbed: Testbed, function: str, variables: Mapping[str, str], events: Callable[[], list[Any]]
) -> Start:
    with subprocess.Popen(
        [testbed.runtime.python, "-I", "-B", imports.COLD_START],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(variables),
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(_start_input(testbed, function, events)) + "\n")
        process.stdin.flush()
        result = json.loads(process.stdout.readline())
        memory = psutil.Process(process.pid).memory_info().rss / 2**20
    assert not result["failed"], result
    [wall, cpu], [[first_wall, first_cpu], [second, _]] = result["init"], result["events"]
    return Start(wall + first_wall, cpu + first_cpu, cpu, second, memory)


def _start_input(testbed: Testbed, function: str, make_events: Callable[[], list[Any]]) -> dict[str, Any]:
    """Return the input of cold_start.py."""
    if "." in function:
        module, folders = function, [*testbed.runtime.path, Path(__file__).parents[2]]
    else:
        module, folders = "app", [testbed.runtime.folder(function), *testbed.runtime.path]
    return {"module": module, "path": [str(folder) for folder in folders], "events": make_events()}


def _share(results: dict[str, list[Start]]) -> Figure:
    starts, naive_starts = results["sms_webhook"], results[NAIVE]
    naive_wall = median(start.wall for start in naive_starts)
    naive_cpu = median(start.cpu for start in naive_starts)
    return figure_of_rounds(
        NAME,
        [start.wall / naive.wall for start, naive in zip(starts, naive_starts, strict=True)],
        unit="x",
        wanted=(AT_MOST, SHARE),
        p50=median(start.wall for start in starts),
        p99=max(start.wall for start in starts),
        cpu=median(start.cpu for start in starts),
        bars={
            "this": median(start.wall for start in starts),
            "naive": naive_wall,
        },
        note=f"beside {naive_wall:,.0f} ms, and {naive_cpu:,.0f} ms of CPU",
    )


def _budget(starts: list[Start], name: str, budget: float, shares: Mapping[str, float]) -> Figure:
    import_cpu = median(start.imports for start in starts)
    return figure_of_rounds(
        f"cold start of {name}, CPU",
        [start.cpu for start in starts],
        unit="ms",
        wanted=(AT_MOST, budget),
        p50=median(start.wall for start in starts),
        p99=max(start.wall for start in starts),
        cpu=median(start.cpu for start in starts),
        note=f"{import_cpu:,.0f} ms of it for the imports",
        more={"imports": shares},
    )


def _memory(results: dict[str, list[Start]]) -> Figure:
    memory: dict[str, float] = {}
    for name, starts in results.items():
        if name != NAIVE:
            memory[name] = median(start.memory for start in starts)
    return Figure(
        "memory of one environment, the largest",
        max(memory.values()),
        "MiB",
        wanted=(AT_MOST, MEMORY),
        note=", ".join(f"{name} {value:.0f}" for name, value in sorted(memory.items())),
    )
