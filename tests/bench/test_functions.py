"""The functions that ours are measured against do the same work."""

import json
from itertools import islice
from pathlib import Path
from typing import Any

import pytest

from bench.harness import bare, pgbench, requests
from bench.harness.stage import SEND, WEBHOOK, frame
from messaging.postgres import database as product
from tests.support.api import answer, invoke
from tests.support.database import Database

PAIR = (1, 1)


@pytest.fixture
def _bare(database: Database) -> None:
    bare.connection.cache_clear()


def kept(database: Database) -> list[Any]:
    """What a webhook left, but for its times and what its headers are."""
    return database.rows(
        "SELECT direction, type, status, m.body, attachments, timestamp, size, provider_message_id, extra,"
        "       encode(r.body, 'escape'), r.url, r.query, encode(r.digest, 'hex'), r.fault, r.replay_token"
        "  FROM messages m, webhook_requests r ORDER BY m.id, r.id"
    )


@pytest.mark.usefixtures("providers", "_bare")
def test_the_barest_function_keeps_what_ours_keeps(database: Database) -> None:
    [event] = islice(requests.webhooks(frame("POST", WEBHOOK), "run", PAIR), 1)
    assert invoke("sms_webhook", event)["statusCode"] == 200
    ours = kept(database)
    database.clear()
    told = bare.handler(event, None)
    bare.connection().close()
    assert told["statusCode"] == 200
    assert json.loads(told["body"])["body"] == requests.BODY
    assert kept(database) == ours


@pytest.mark.usefixtures("providers")
def test_a_send_is_one_that_is_accepted(database: Database) -> None:
    [event] = islice(requests.sends(frame("POST", SEND), PAIR), 1)
    assert answer(invoke("send_message", event)).status == 202


@pytest.mark.usefixtures("providers")
def test_pgbench_writes_what_a_webhook_does(database: Database, tmp_path: Path) -> None:
    done = pgbench.run(database.url, tmp_path, clients=2, seconds=1, contacts="random(1, 3)")
    assert done.rate > 0
    written = database.value("SELECT count(*) FROM messages WHERE status = 'received'")
    assert isinstance(written, int)
    assert written > 0
    assert written == database.value("SELECT count(*) FROM webhook_requests WHERE fault IS NULL")
    assert 1 <= database.value("SELECT count(*) FROM conversations") <= 3  # type: ignore[operator]  # a number
    product.disconnect()
