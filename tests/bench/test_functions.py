"""The functions that ours are compared with do the same work."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.harness import bare, events, pgbench
from bench.harness.testbed import SEND, WEBHOOK, http_event
from messaging.postgres import database as product
from tests.support.api import answer, invoke
from tests.support.database import Database

PAIR = (1, 1)


@pytest.fixture
def _bare(database: Database) -> None:
    bare.connection.cache_clear()


def stored(database: Database) -> list[Any]:
    """Return what a webhook has stored, without times and headers."""
    return database.rows(
        "SELECT direction, type, status, m.body, attachments, timestamp, size, inbound_key, extra,"
        "       encode(r.body, 'escape'), r.url, r.query, encode(r.digest, 'hex'), r.fault, r.replay_token"
        "  FROM messages m, webhook_requests r ORDER BY m.id, r.id"
    )


@pytest.mark.usefixtures("providers", "_bare")
def test_the_smallest_function_stores_the_same_as_sms_webhook(database: Database) -> None:
    [event] = islice(events.webhooks(http_event("POST", WEBHOOK), "run", PAIR), 1)
    assert invoke("sms_webhook", event)["statusCode"] == 200
    expected = stored(database)
    database.clear()
    response = bare.handler(event, None)
    bare.connection().close()
    assert response["statusCode"] == 200
    assert json.loads(response["body"])["body"] == events.BODY
    assert stored(database) == expected


@pytest.mark.usefixtures("providers")
def test_the_benchmark_s_message_is_accepted(database: Database) -> None:
    [event] = islice(events.sends(http_event("POST", SEND), PAIR), 1)
    assert answer(invoke("send_message", event)).status == 202


@pytest.mark.usefixtures("providers")
def test_pgbench_stores_the_same_as_a_webhook(database: Database, tmp_path: Path) -> None:
    result = pgbench.run(database.url, tmp_path, clients=2, seconds=1, contacts="random(1, 3)")
    assert result.rate > 0
    messages = database.value("SELECT count(*) FROM messages WHERE status = 'received'")
    assert isinstance(messages, int)
    assert messages > 0
    assert messages == database.value("SELECT count(*) FROM webhook_requests WHERE fault IS NULL")
    assert 1 <= database.value("SELECT count(*) FROM conversations") <= 3  # type: ignore[operator]  # a number
    product.disconnect()
