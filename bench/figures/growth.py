"""The same requests to ten thousand messages, a hundred thousand and a million, of which one conversation
holds a tenth: what they take, and how many of Postgres' pages they touch."""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from functools import partial
from itertools import count
from typing import Any
from urllib.parse import quote

from bench.figure import AT_MOST, Figure, middle, of_rounds
from bench.harness.database import Database
from bench.harness.environment import Environment, Ran, times
from bench.harness.rounds import in_turn
from bench.harness.stage import LIST, WEBHOOK, Stage, frame

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
LIMIT = 1.3
BLOCK = 40
ROUNDS = 7
DEEP = 0.9  # of the crowded conversation

_runs = count()


def figures(stage: Stage) -> Iterator[Figure]:
    with ExitStack() as undo:
        databases = {}
        for name, messages in SIZES.items():
            stage.say(f"        filling {messages:,} messages")
            databases[name] = undo.enter_context(stage.server.database(f"growth_{name}", messages))
        reading = {
            name: undo.enter_context(stage.environment("conversations", one.url))
            for name, one in databases.items()
        }
        writing = {
            name: undo.enter_context(stage.environment("sms_webhook", one.url))
            for name, one in databases.items()
        }
        deep = _deep(databases["1m"])
        contenders: dict[str, Callable[[], Ran]] = {}
        for name in SIZES:
            contenders[f"list {name}"] = partial(_read, reading[name], frame("GET", LIST))
            contenders[f"page {name}"] = partial(_read, reading[name], _page())
            contenders[f"webhook {name}"] = partial(_write, writing[name])
        contenders["deep 1m"] = partial(_read, reading["1m"], _page(deep))
        gave = in_turn(contenders, ROUNDS)
        touched = _touched(databases, deep)
        yield _ratio(gave, touched, "deep page, times the first one's", "deep 1m", "page 1m")
        yield _ratio(gave, touched, "list at 1 million, times at 10 thousand", "list 1m", "list 10k")
        yield _ratio(gave, touched, "first page at 1 million, times at 10 thousand", "page 1m", "page 10k")
        yield _ratio(gave, touched, "webhook at 1 million, times at 10 thousand", "webhook 1m", "webhook 10k")
        yield from _memory(reading)


def _deep(database: Database) -> str:
    """The cursor of a page far into the crowded conversation."""
    from messaging.postgres import cursor

    [[id]] = database.rows(
        "SELECT id FROM messages WHERE conversation_id = 1 ORDER BY id OFFSET :place LIMIT 1",
        place=int(SIZES["1m"] / 10 * DEEP),
    )
    return cursor.encode(["messages", 1, "asc"], id)


def _page(cursor: str = "") -> Any:
    target = f"{LIST}/1/messages" + (f"?cursor={quote(cursor)}" if cursor else "")
    return frame("GET", target, f"{LIST}/{{id}}/messages", id="1")


def _read(environment: Environment, event: Any) -> Ran:
    environment.prepare(event, count=BLOCK)
    return environment.run()


def _write(environment: Environment) -> Ran:
    fields = {"run": f"growth-{next(_runs)}", "contacts": (2, 900)}
    environment.prepare(frame("POST", WEBHOOK), "webhooks", BLOCK, **fields)
    return environment.run()


def _ratio(gave: dict[str, list[Ran]], touched: Mapping[str, int], name: str, one: str, other: str) -> Figure:
    ratios = [ran.p50 / base.p50 for ran, base in zip(gave[one], gave[other], strict=True)]
    failures = [failure for ran in (*gave[one], *gave[other]) for failure in ran.failures]
    assert not failures, failures[:3]
    pages = f"; {touched[one]} and {touched[other]} buffers" if one in touched else ""
    return of_rounds(
        name,
        ratios,
        unit="x",
        wanted=(AT_MOST, LIMIT),
        **times(gave[one]),
        note=f"{middle(ran.p50 for ran in gave[other]):.2f} ms there{pages}",
        more={"buffers": {key: touched[key] for key in (one, other) if key in touched}},
    )


def _memory(reading: Mapping[str, Environment]) -> Iterator[Figure]:
    small, large = reading["10k"].memory, reading["1m"].memory
    yield Figure(
        "memory of an environment that reads, at 1 million over at 10 thousand messages",
        large - small,
        "MiB",
        note=f"{large:.1f} and {small:.1f} MiB",
    )


def _touched(databases: Mapping[str, Database], deep: str) -> dict[str, int]:
    """Buffers, by the statements that the product makes: a figure without noise."""
    from messaging.conversations import reads as conversations_reads

    reads: dict[str, Callable[[], object]] = {
        **{f"list {name}": lambda: conversations_reads.list_conversations(1, 50) for name in databases},
        **{f"page {name}": lambda: conversations_reads.list_messages(1, 1, 50) for name in databases},
        "deep 1m": lambda: conversations_reads.list_messages(1, 1, 50, deep),
    }
    return {name: _buffers(databases[name.split()[1]], read) for name, read in reads.items()}


TOLD = {"log_min_duration": "0", "log_analyze": "on", "log_buffers": "on", "log_format": "json"}


def _buffers(database: Database, read: Callable[[], object]) -> int:
    """By Postgres' own account of the statement that it ran."""
    import os

    from messaging import settings
    from messaging.postgres import database as product

    product.disconnect()
    os.environ["DATABASE_URL"] = database.url
    settings.settings.cache_clear()
    product.run("LOAD 'auto_explain'")
    product.run("SET client_min_messages = log")
    for name, value in TOLD.items():
        product.run(f"SET auto_explain.{name} = {value}")
    notices = product.connection().notices
    for _ in range(2):  # the second time nothing is read from the disk, and no catalog is
        notices.clear()
        read()
    [told] = [notice[b"M"].decode() for notice in notices]
    plan = json.loads(told.partition(" plan:\n")[2])["Plan"]
    product.disconnect()
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
