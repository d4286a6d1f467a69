"""What a sent message with two reports writes among a million others.

WAL after a checkpoint, when the first change of a page writes the whole page (compressed, as
docs/operations.md recommends); transaction ids; and the share of updates that are HOT: they write no index.
"""

import os
import random
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from typing import NamedTuple

from bench.figure import AT_LEAST, AT_MOST, Figure
from bench.harness.database import Database
from bench.harness.testbed import Testbed, queue_event
from local.simulators.behaviour import Behaviour

MESSAGES = 1_000_000
SENT = 3_000
"""The messages of five minutes, Postgres' default between two checkpoints, at ten per second."""
FIRST = 300
"""The first messages, which write the most pages."""
BATCH = 10
DELIVERED = 200
RESPONSE_SECONDS = 0.1
"""How long the provider simulator takes to respond."""
LEASE = timedelta(minutes=1)
HISTORY = """
INSERT INTO attempts (message_id, number, token, provider, provider_message_id, outcome, ended_at)
SELECT n, 1, gen_random_uuid(), 'sms', md5('out' || n), 'sent', now()
  FROM generate_series(4, {messages}, 4) AS n;
INSERT INTO provider_message_ids (provider, provider_message_id, message_id, attempt)
SELECT 'sms', md5('out' || n), n, 1 FROM generate_series(4, {messages}, 4) AS n;
INSERT INTO message_events (message_id, attempt, kind, provider, status, occurred_at)
SELECT n, 1, kind, 'sms', status, now() FROM generate_series(4, {messages}, 4) AS n,
       (VALUES ('attempt', 'sent'), ('report', 'sent'), ('report', 'delivered')) AS event (kind, status);
INSERT INTO webhook_requests (
    route, provider, received_at, verified_at, url, query, headers, body, message_id, digest)
SELECT 'sms', 'sms', now(), now(), 'https://api.example.com/', '', '{{}}', '', n,
       substring(sha256((n || status)::bytea), 1, 16)
  FROM generate_series(4, {messages}, 4) AS n, unnest(ARRAY['sent', 'delivered']) AS status
"""
"""Sends a quarter of the messages, and stores the requests of their reports. The ids of providers are random,
so that new ones change pages everywhere in their index."""


class Counters(NamedTuple):
    """What a step has written."""

    wal: int = 0
    """Bytes."""
    transaction_ids: int = 0
    updates: int = 0
    hot: int = 0


Steps = Mapping[str, Counters]


def figures(testbed: Testbed) -> Iterator[Figure]:
    testbed.say(f"        filling {MESSAGES:,} messages")
    with testbed.server.database("writes", MESSAGES) as database, _product(database):
        for statement in HISTORY.format(messages=MESSAGES).split(";\n"):
            database.rows(statement)
        database.settle()
        contacts = random.Random(1).sample(range(2, MESSAGES // 10), SENT + FIRST)
        first, steps = _send(database, contacts[:SENT])
        delivery = _delivery(testbed, database)
        _turn_off_compression(database)
        uncompressed, _ = _send(database, contacts[SENT:])
    shares = ", ".join(f"{name} {step.wal / FIRST / 1000:.1f}" for name, step in first.items())
    yield Figure(
        f"WAL of a sent message with two reports, the first {FIRST} after a checkpoint at 1 million messages",
        _total(first).wal / FIRST / 1000,
        "kB",
        wanted=(AT_MOST, 25),
        note=f"{shares}; over {SENT:,}: {_total(steps).wal / SENT / 1000:.1f};"
        f" without wal_compression: {_total(uncompressed).wal / FIRST / 1000:.1f}",
    )
    accept, reports = (steps[name].transaction_ids / SENT for name in ("accept", "reports"))
    yield Figure(
        "transaction ids of a sent message with two reports",
        accept + delivery + reports,
        wanted=(AT_MOST, 4),
        note=f"accept {accept:.2g}, delivery in tens {delivery:.2g}, reports {reports:.2g}",
    )
    for name in ("claim", "record", "reports"):
        step = steps[name]
        yield Figure(f"HOT updates of {name}", step.hot / step.updates, wanted=(AT_LEAST, 0.8))


def _total(steps: Steps) -> Counters:
    return Counters(*map(sum, zip(*steps.values(), strict=True)))


@contextmanager
def _product(database: Database) -> Iterator[None]:
    """Configure the product to use this database."""
    from messaging import settings
    from messaging.postgres import database as product

    product.disconnect()
    os.environ["DATABASE_URL"] = database.url
    settings.settings.cache_clear()
    yield
    product.disconnect()


def _turn_off_compression(database: Database) -> None:
    """Turn it off for our connection and for the product's."""
    from messaging.postgres.database import run

    for execute in (database.rows, run):
        execute("SET wal_compression = off")


def _send(database: Database, contacts: Sequence[int]) -> tuple[Steps, Steps]:
    """Send a message to each contact after a checkpoint.

    Return what each step has written for the FIRST messages, and in total.
    """
    steps = dict.fromkeys(("accept", "claim", "record", "reports"), Counters())
    first: Steps = steps

    def measure(name: str, step: Callable[[], None]) -> None:
        before = _counters(database)
        step()
        counted = zip(steps[name], before, _counters(database), strict=True)
        steps[name] = Counters(*(total + after - before for total, before, after in counted))

    database.rows("CHECKPOINT")
    for start in range(0, len(contacts), BATCH):
        if start == FIRST:
            first = dict(steps)
        batch = Batch(database, contacts[start : start + BATCH])
        measure("accept", batch.accept)
        measure("claim", batch.claim)
        measure("record", batch.record)
        measure("reports", batch.report)
    return first, steps


def _delivery(testbed: Testbed, database: Database) -> float:
    """Return the transaction ids per message of deliveries in tens, with a provider that takes 100 ms."""
    testbed.provider.behave(Behaviour(delay=RESPONSE_SECONDS, reports=()))
    with testbed.environment("deliver_message", database.url) as environment:
        before = _counters(database).transaction_ids
        for start in range(2, 2 + DELIVERED, BATCH):
            ids: list[int] = []
            for contact in range(start, start + BATCH):
                ids += database.queue([contact])
            environment.prepare(queue_event(ids))
            assert not environment.run().failures
        after = _counters(database).transaction_ids
    testbed.provider.behave()
    assert database.value("SELECT count(*) FROM messages WHERE status = 'sent'") == DELIVERED
    return (after - before) / DELIVERED - 1  # without the one that accepts the message


def _counters(database: Database) -> Counters:
    """Return the counters, after the product's connection has reported its updates."""
    from messaging.postgres.database import run

    run("SELECT pg_stat_force_next_flush()")
    run("SELECT 1")
    [row] = database.rows(
        "SELECT pg_wal_lsn_diff(pg_current_wal_insert_lsn(), '0/0')::bigint,"
        "       pg_snapshot_xmax(pg_current_snapshot())::text::bigint,"
        "       sum(n_tup_upd)::bigint, sum(n_tup_hot_upd)::bigint FROM pg_stat_user_tables"
    )
    return Counters(*row)


class Batch:
    """Messages from their acceptance to their second report."""

    def __init__(self, database: Database, contacts: Sequence[int]) -> None:
        self._database = database
        self._contacts = contacts

    def accept(self) -> None:
        """Accept each message in a transaction of its own, as the function does."""
        self._ids: list[int] = []
        for contact in self._contacts:
            self._ids += self._database.queue([contact])

    def claim(self) -> None:
        from messaging.outbound import attempts

        self._claimed = attempts.claim(self._ids, LEASE).messages
        assert len(self._claimed) == len(self._contacts)

    def record(self) -> None:
        from messaging.models import Status
        from messaging.outbound import attempts

        for message in self._claimed:
            attempts.record(message.token, Status.SENT, provider_message_id=_provider_id(message.id))

    def report(self) -> None:
        """Store each report as a request of its own."""
        from messaging.models import Status

        for status in (Status.SENT, Status.DELIVERED):
            for message in self._claimed:
                _report(message.id, status)


def _report(id: int, status: str) -> None:
    from messaging.inbound import store
    from messaging.inbound.webhook_request import WebhookRequest
    from messaging.models import DeliveryReport

    now = datetime.now(UTC)
    report = DeliveryReport.model_validate(
        {"provider_message_id": _provider_id(id), "reference": id, "status": status, "timestamp": now}
    )
    request = WebhookRequest.model_validate(
        {
            "route": "sms",
            "provider": "sms",
            "url": "https://api.example.com/api/webhooks/sms",
            "query": "",
            "headers": {"content-type": "application/json", "user-agent": "provider/1.0"},
            "body": report.model_dump_json().encode(),
            "received_at": now,
            "verified_at": now,
        }
    )
    [stored] = store.store_request(request, [report])
    assert stored.outcome == "moved"


def _provider_id(id: int) -> str:
    """Return a random id, as most providers use."""
    return sha256(str(id).encode()).hexdigest()[:32]
