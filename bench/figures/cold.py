"""First invocations, each in a process of its own: over TLS at 1 ms, beside the naive stack's."""

import json
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, NamedTuple

import psutil

from bench.figure import AT_MOST, Figure, middle, of_rounds
from bench.figures import imports
from bench.harness import network, requests
from bench.harness.database import Database
from bench.harness.rounds import in_turn
from bench.harness.stage import LIST, SEND, WEBHOOK, Stage, frame, records
from tests.support.certificates import Authority

DELAY = 0.001
ROUNDS = 5
NAME = "first webhook, start to answer, as a share of the naive stack's"
BUDGETS = {"sms_webhook": 320, "conversations": 340, "deliver_message": 480, "send_message": 560}
"""CPU milliseconds of import and first answer, over a bare interpreter."""
NAIVE = "bench.harness.naive"
UNBUDGETED = ("email_webhook", "relay")
SHARE = 0.5
MEMORY = 65

_runs = count()


class Start(NamedTuple):
    """Milliseconds."""

    wall: float
    cpu: float
    imports: float
    """CPU of them alone."""
    second: float
    """On the wall, of the second invocation."""
    memory: float
    """MiB."""


def figures(stage: Stage) -> Iterator[Figure]:
    if not stage.runtime.built:
        yield Figure(NAME, None, wanted=(AT_MOST, SHARE), note="there is no CPython 3.13")
        return
    with ExitStack() as undo:
        folder = Path(undo.enter_context(TemporaryDirectory(prefix="bench-")))
        authority = Authority(folder, "authority")
        database = undo.enter_context(stage.server.database("cold", 10_000))
        served = tuple(authority.certify("127.0.0.1"))
        url = undo.enter_context(network.apart(database.url, DELAY, (served[0], served[1])))
        variables = stage.variables(url, DATABASE_CA_FILE=str(authority.bundle))
        start = {
            name: partial(_start, stage, name, variables, _events(database, name))
            for name in (*BUDGETS, NAIVE)
        }
        gave = in_turn(start, ROUNDS)
        gave |= {name: [_start(stage, name, variables, _events(database, name))] for name in UNBUDGETED}
        yield _share(gave)
        for name, budget in BUDGETS.items():
            order = _order(stage, name, _events(database, name))
            yield _budget(gave[name], name, budget, imports.shares(stage, order, variables))
        yield _memory(gave)


def _events(database: Database, function: str) -> Callable[[], list[Any]]:
    """Two of them, made anew for each start."""

    def webhooks() -> list[Any]:
        run = f"cold-{next(_runs)}"
        made = requests.webhooks(frame("POST", WEBHOOK), run, (1, 900))
        return [next(made), next(made)]

    def sends() -> list[Any]:
        return [next(requests.sends(frame("POST", SEND), (1, 900)))] * 2

    def deliveries() -> list[Any]:
        run = 2 * next(_runs)
        return [records([id]) for id in database.queue([900_000 + run, 900_001 + run])]

    return {
        "sms_webhook": webhooks,
        NAIVE: webhooks,
        "send_message": sends,
        "deliver_message": deliveries,
        "conversations": lambda: [frame("GET", LIST)] * 2,
        "email_webhook": _mails,
        "relay": lambda: [{}, {}],
    }[function]


def _mails() -> list[Any]:
    run = next(_runs)
    fields = {"from": "contact@example.org", "to": "user@example.com", "body": requests.BODY}
    return [
        requests.signed(
            frame("POST", "/api/webhooks/email"), fields | {"xillio_id": f"cold-{run}-{n}"}, f"msg_{run}_{n}"
        )
        for n in range(2)
    ]


def _start(
    stage: Stage, function: str, variables: Mapping[str, str], events: Callable[[], list[Any]]
) -> Start:
    with subprocess.Popen(
        [stage.runtime.python, "-I", "-B", imports.FIRST],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        env=dict(variables),
        text=True,
    ) as process:
        assert process.stdin
        assert process.stdout
        process.stdin.write(json.dumps(_order(stage, function, events)) + "\n")
        process.stdin.flush()
        told = json.loads(process.stdout.readline())
        memory = psutil.Process(process.pid).memory_info().rss / 2**20
    assert not told["failed"], told
    [wall, cpu], [[first_wall, first_cpu], [second, _]] = told["init"], told["events"]
    return Start(wall + first_wall, cpu + first_cpu, cpu, second, memory)


def _order(stage: Stage, function: str, events: Callable[[], list[Any]]) -> dict[str, Any]:
    """What first.py is to do."""
    ours = "." not in function
    folders = [*([stage.runtime.folder(function)] if ours else []), *stage.runtime.path]
    folders += [] if ours else [Path(__file__).parents[2]]
    return {"module": "app" if ours else function, "path": list(map(str, folders)), "events": events()}


def _share(gave: dict[str, list[Start]]) -> Figure:
    ours, naive = gave["sms_webhook"], gave[NAIVE]
    there, its_cpu = middle(one.wall for one in naive), middle(one.cpu for one in naive)
    return of_rounds(
        NAME,
        [one.wall / other.wall for one, other in zip(ours, naive, strict=True)],
        unit="x",
        wanted=(AT_MOST, SHARE),
        p50=middle(one.wall for one in ours),
        p99=max(one.wall for one in ours),
        cpu=middle(one.cpu for one in ours),
        bars={
            "this": middle(one.wall for one in ours),
            "naive": there,
        },
        note=f"{there:,.0f} ms and {its_cpu:,.0f} ms of CPU there",
    )


def _budget(starts: list[Start], name: str, budget: float, shares: Mapping[str, float]) -> Figure:
    imported = middle(one.imports for one in starts)
    return of_rounds(
        f"cold start of {name}, CPU",
        [one.cpu for one in starts],
        unit="ms",
        wanted=(AT_MOST, budget),
        p50=middle(one.wall for one in starts),
        p99=max(one.wall for one in starts),
        cpu=middle(one.cpu for one in starts),
        note=f"{imported:,.0f} ms of it until the handler is there",
        more={"imports": shares},
    )


def _memory(gave: dict[str, list[Start]]) -> Figure:
    largest = {name: middle(one.memory for one in starts) for name, starts in gave.items()}
    ours = {name: value or 0 for name, value in largest.items() if "." not in name}
    name = max(ours, key=lambda one: ours[one])
    return Figure(
        "memory of one environment, the largest",
        ours[name],
        "MiB",
        wanted=(AT_MOST, MEMORY),
        note=", ".join(f"{one} {value:.0f}" for one, value in sorted(ours.items())),
    )
