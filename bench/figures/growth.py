"""The same requests with ten thousand, a hundred thousand and a million messages: their time, and the pages
that they touch in Postgres. One conversation holds a tenth of the messages."""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack
from functools import partial
from itertools import count
from statistics import median
from typing import Any
from urllib.parse import quote

from bench.figure import AT_MOST, Figure, figure_of_rounds
from bench.harness.database import Database
from bench.harness.environment import Environment, RunResult, time_fields
from bench.harness.rounds import run_in_turn
from bench.harness.testbed import LIST, WEBHOOK, Testbed, http_event

SIZES = {"10k": 10_000, "100k": 100_000, "1m": 1_000_000}
LIMIT = 1.3
BLOCK = 40
ROUNDS = 7
DEEP = 0.9  # the position of the deep page in the large conversation

_runs = count()


def figures(testbed: Testbed) -> Iterator[Figure]:
    with ExitStack() as undo:
        databases = {}
        for name, messages in SIZES.items():
            testbed.say(f"        filling {messages:,} messages")
            databases[name] = undo.enter_context(testbed.server.database(f"growth_{name}", messages))
        reading = {
            name: undo.enter_context(testbed.environment("conversations", database.url))
            for name, database in databases.items()
        }
        writing = {
            name: undo.enter_context(testbed.environment("sms_webhook", database.url))
            for name, database in databases.items()
        }
        deep = _deep(databases["1m"])
        contenders: dict[str, Callable[[], RunResult]] = {}
        for name in SIZES:
            contenders[f"list {name}"] = partial(_read, reading[name], http_event("GET", LIST))
            contenders[f"page {name}"] = partial(_read, reading[name], _page())
            contenders[f"webhook {name}"] = partial(_write, writing[name])
        contenders["deep 1m"] = partial(_read, reading["1m"], _page(deep))
        results = run_in_turn(contenders, ROUNDS)
        touched = _touched(databases, deep)
        yield _ratio(results, touched, "deep page, times the first one's", "deep 1m", "page 1m")
        yield _ratio(results, touched, "list at 1 million, times at 10 thousand", "list 1m", "list 10k")
        yield _ratio(results, touched, "first page at 1 million, times at 10 thousand", "page 1m", "page 10k")
        yield _ratio(
            results, touched, "webhook at 1 million, times at 10 thousand", "webhook 1m", "webhook 10k"
        )
        yield from _memory(reading)


def _deep(database: Database) -> str:
    """Return the cursor of a page far into the large conversation."""
    from messaging.postgres import cursor

    [[id]] = database.rows(
        "SELECT id FROM messages WHERE conversation_id = 1 ORDER BY id OFFSET :position LIMIT 1",
        position=int(SIZES["1m"] / 10 * DEEP),
    )
    return cursor.encode(["messages", 1, "asc"], id)


def _page(cursor: str = "") -> Any:
    target = f"{LIST}/1/messages" + (f"?cursor={quote(cursor)}" if cursor else "")
    return http_event("GET", target, f"{LIST}/{{id}}/messages", id="1")


def _read(environment: Environment, event: Any) -> RunResult:
    environment.prepare(event, count=BLOCK)
    return environment.run()


def _write(environment: Environment) -> RunResult:
    fields = {"run": f"growth-{next(_runs)}", "contacts": (2, 900)}
    environment.prepare(http_event("POST", WEBHOOK), "webhooks", BLOCK, **fields)
    return environment.run()


def _ratio(
    results: Mapping[str, Sequence[RunResult]],
    touched: Mapping[str, int],
    name: str,
    subject: str,
    base: str,
) -> Figure:
    """Return the time of a subject as a multiple of the base's."""
    pairs = list(zip(results[subject], results[base], strict=True))
    for pair in pairs:
        for result in pair:
            assert not result.failures, result.failures[:3]
    ratios = [result.p50 / base_result.p50 for result, base_result in pairs]
    pages = f"; {touched[subject]} and {touched[base]} buffers" if subject in touched else ""
    return figure_of_rounds(
        name,
        ratios,
        unit="x",
        wanted=(AT_MOST, LIMIT),
        **time_fields(results[subject]),
        note=f"beside {median(result.p50 for result in results[base]):.2f} ms{pages}",
        more={"buffers": {key: touched[key] for key in (subject, base) if key in touched}},
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
    """Return the buffers that the product's statements touch, which is a figure without noise."""
    from messaging.conversations import reads as conversations_reads

    reads: dict[str, Callable[[], object]] = {
        **{f"list {name}": lambda: conversations_reads.list_conversations(1, 50) for name in databases},
        **{f"page {name}": lambda: conversations_reads.list_messages(1, 1, 50) for name in databases},
        "deep 1m": lambda: conversations_reads.list_messages(1, 1, 50, deep),
    }
    return {name: _buffers(databases[name.split()[1]], read) for name, read in reads.items()}


AUTO_EXPLAIN = {"log_min_duration": "0", "log_analyze": "on", "log_buffers": "on", "log_format": "json"}


def _buffers(database: Database, read: Callable[[], object]) -> int:
    """Return the buffers of a statement, as auto_explain counts them."""
    import os

    from messaging import settings
    from messaging.postgres import database as product

    product.disconnect()
    os.environ["DATABASE_URL"] = database.url
    settings.settings.cache_clear()
    product.run("LOAD 'auto_explain'")
    product.run("SET client_min_messages = log")
    for name, value in AUTO_EXPLAIN.items():
        product.run(f"SET auto_explain.{name} = {value}")
    notices = product.connection().notices
    for _ in range(2):  # the second time, tables and catalogs are in memory
        notices.clear()
        read()
    [notice] = [notice[b"M"].decode() for notice in notices]
    plan = json.loads(notice.partition(" plan:\n")[2])["Plan"]
    product.disconnect()
    return int(plan["Shared Hit Blocks"] + plan["Shared Read Blocks"])
