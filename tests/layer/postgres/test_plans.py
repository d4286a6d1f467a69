"""What each statement reads of 100,000 rows, as Postgres tells of the statements that it really ran."""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.conversations import reads
from messaging.inbound import store as inbound_store
from messaging.inbound.store import Selector
from messaging.models import MAX_ID, Channel, Status
from messaging.outbound import attempts, circuits, store
from messaging.postgres import cursor
from messaging.postgres import database as product
from tests.support import messages
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.messages import ACCOUNT

pytestmark = pytest.mark.slow

ROWS = 100_000
CROWDED = 60_000
"""Messages of the first conversation, the oldest ones; the others have one each, as far as they last."""
BATCH = 10
"""What is asked for in one call: few enough for all plans of a call to be kept (by the driver, 100)."""

FILL = f"""
INSERT INTO accounts (name) SELECT 'account ' || n FROM generate_series(2, {ROWS}) n;
INSERT INTO account_addresses (address, account_id) SELECT '+1999' || n, n FROM generate_series(2, {ROWS}) n;
INSERT INTO contacts SELECT FROM generate_series(1, {ROWS});
INSERT INTO contact_addresses (address, contact_id) SELECT '+1804' || n, n FROM generate_series(1, {ROWS}) n;
INSERT INTO conversations (customer_address, contact_address, contact_id, types, last_message_at)
SELECT CASE n % 2 WHEN 0 THEN '{messages.CUSTOMER}' ELSE '+1201' || n END, '+1804' || n, n,
       CASE WHEN n % 1000 = 0 THEN '{{email}}' WHEN n % 10 = 0 THEN '{{sms,mms}}' ELSE '{{sms}}' END::text[],
       now() - n * interval '1 second'
  FROM generate_series(1, {ROWS}) n;
INSERT INTO messages (conversation_id, direction, type, status, body, attachments, "timestamp", size,
                      provider, providers, provider_message_id, inbound_key, attempt_count)
SELECT greatest(n - {CROWDED}, 1), CASE n % 2 WHEN 0 THEN 'inbound' ELSE 'outbound' END, 'sms',
       CASE WHEN n % 2 = 0 THEN 'received' WHEN n % 5 = 0 THEN 'queued'
            WHEN n = 1 OR n % 5 = 1 AND n > {CROWDED} + 1 THEN 'sending' ELSE 'delivered' END,
       'body', '[]', now(), 100, 'sms', '{{sms}}', 'm-' || n, CASE n % 2 WHEN 0 THEN 'sms=m-' || n END, n % 2
  FROM generate_series(1, {ROWS}) n;
INSERT INTO outbound_queue (conversation_id, message_id, next_attempt_at, dispatch_at)
SELECT conversation_id, id, now() - interval '1 day', now() + id * interval '1 hour' - interval '1 day'
  FROM messages WHERE status = 'queued';
INSERT INTO leases (conversation_id, message_id, expires_at)
SELECT conversation_id, id, now() + id * interval '1 hour' - interval '1 day'
  FROM messages WHERE status = 'sending';
INSERT INTO attempts (message_id, number, token, provider, provider_message_id, outcome, ended_at)
SELECT id, 1, gen_random_uuid(), 'sms', provider_message_id, 'sent',
       -- Still to come: so they all are of the last minute, however late a test looks.
       now() + interval '1 hour' - id * interval '1 ms'
  FROM messages WHERE direction = 'outbound';
INSERT INTO provider_message_ids
SELECT account_id, provider, provider_message_id, message_id, number FROM attempts;
INSERT INTO message_events (message_id, attempt, kind, provider, occurred_at)
SELECT id, 1, 'attempt', 'sms', now() FROM messages;
INSERT INTO pending_reports (provider, provider_message_id, status, occurred_at)
SELECT 'sms', 'p-' || n, 'sent', now() FROM generate_series(1, {ROWS}) n;
INSERT INTO webhook_requests (route, provider, received_at, verified_at, url, query, headers, body,
                              digest, fault)
SELECT 'sms', 'sms', at, at, '', '', '{{}}', '', sha256(n::text::bytea),
       CASE WHEN n % 1000 = 0 THEN 'Invalid' END
  FROM generate_series(1, {ROWS}) n,
       LATERAL (SELECT now() + n * interval '1 hour' - interval '32 days' AS at) AS t;
INSERT INTO idempotency_keys (route, key, fingerprint, message_id, created_at)
SELECT '/api/messages/sms', 'key-' || n, 'print', n, now() + n * interval '1 hour' - interval '2 days'
  FROM generate_series(1, {ROWS}) n
"""

TELLING = {
    "client_min_messages": "log",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}


@pytest.fixture(scope="module")
def filled(database_url: str) -> Iterator[Database]:
    """The product's connection tells the plan of every statement that it runs, with what it touched."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        Configure(monkeypatch)(DATABASE_URL=database_url)
        own = Database(database_url)
        own.clear()
        own.rows("SET session_replication_role = replica")  # no look-up of foreign keys, which are right
        own.rows(FILL)
        own.rows("ANALYZE")
        product.run("LOAD 'auto_explain'")
        for name, value in TELLING.items():
            product.run(f"SET {name} = {value}")
        yield own
        own.close()
        product.disconnect()
    Configure(monkeypatch)()


Node = Mapping[str, Any]


def scans(act: Callable[[], object]) -> list[Node]:
    """The places where the statements of a call read a table, those inside database functions included."""
    notices = product.connection().notices
    notices.clear()
    act()
    assert len(notices) < notices.maxlen, "some plans were forgotten"
    told = [notice[b"M"].decode() for notice in notices]
    plans = [json.loads(plan.partition(" plan:\n")[2]) for plan in told if " plan:\n" in plan]
    found = [node for plan in plans for node in nodes(plan["Plan"]) if node["Node Type"] != "ModifyTable"]
    # Of circuits there are no more than providers: they are read as a whole, in one page.
    return [node for node in found if node.get("Relation Name", "circuits") != "circuits"]


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def touched(node: Node) -> float:
    """Rows that were read, also those that were then passed over."""
    passed_over = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
    return float(node["Actual Rows"] + passed_over) * float(node["Actual Loops"])


def since(seconds: int) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def deep_in_conversations(*filters: str | None) -> str:
    return cursor.encode(["conversations", *(filters or (None, None, None))], since(ROWS // 2), 7)


READS: dict[str, Callable[[], object]] = {
    "conversations": lambda: reads.list_conversations(ACCOUNT, BATCH),
    "conversations, deep": lambda: reads.list_conversations(ACCOUNT, BATCH, deep_in_conversations()),
    "conversations of our busiest address": lambda: reads.list_conversations(
        ACCOUNT, BATCH, address=messages.CUSTOMER
    ),
    "conversations of our busiest address, deep": lambda: reads.list_conversations(
        ACCOUNT, BATCH, deep_in_conversations(messages.CUSTOMER, None, None), address=messages.CUSTOMER
    ),
    "conversations of a contact": lambda: reads.list_conversations(ACCOUNT, BATCH, address="+180477"),
    "conversations of nobody": lambda: reads.list_conversations(ACCOUNT, BATCH, address="+1"),
    "conversations of a common type": lambda: reads.list_conversations(ACCOUNT, BATCH, type=Channel.SMS),
    "conversations of a rare type": lambda: reads.list_conversations(ACCOUNT, BATCH, type=Channel.EMAIL),
    "conversations of a rare type, deep": lambda: reads.list_conversations(
        ACCOUNT, BATCH, deep_in_conversations(None, "email", None), type=Channel.EMAIL
    ),
    "conversations since then": lambda: reads.list_conversations(
        ACCOUNT, BATCH, updated_since=since(ROWS // 2)
    ),
    "conversations since now": lambda: reads.list_conversations(ACCOUNT, BATCH, updated_since=since(0)),
    "conversations of an address and a type": lambda: reads.list_conversations(
        ACCOUNT, BATCH, address=messages.CUSTOMER, type=Channel.EMAIL, updated_since=since(ROWS // 2)
    ),
    "a conversation": lambda: reads.get_conversation(ACCOUNT, 1),
    "a message": lambda: reads.get_message(ACCOUNT, ROWS // 2),
    "messages, oldest first": lambda: reads.list_messages(ACCOUNT, 1, BATCH),
    "messages, oldest first, deep": lambda: reads.list_messages(
        ACCOUNT, 1, BATCH, cursor.encode(["messages", 1, "asc"], CROWDED // 2)
    ),
    "messages, all seen": lambda: reads.list_messages(
        ACCOUNT, 1, BATCH, cursor.encode(["messages", 1, "asc"], CROWDED + 1)
    ),
    "messages, newest first": lambda: reads.list_messages(ACCOUNT, 1, BATCH, newest_first=True),
    "messages, newest first, deep": lambda: reads.list_messages(
        ACCOUNT, 1, BATCH, cursor.encode(["messages", 1, "desc"], CROWDED // 2), newest_first=True
    ),
    "messages of a quiet conversation": lambda: reads.list_messages(ACCOUNT, 9, BATCH, newest_first=True),
    "messages of no conversation": lambda: reads.list_messages(ACCOUNT, MAX_ID, BATCH),
    "open circuits": circuits.list_open,
    "how the providers are": lambda: circuits.list_health(["sms", "email"]),
    "requests that could not be read": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, unparsed=True), ROWS // 2, BATCH
    ),
    "requests of a time": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, since=since(7200), until=since(0)), 0, BATCH
    ),
    "requests by their ids": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, ids=[5, 7, 9]), 0, BATCH
    ),
    "whether a request is kept": lambda: inbound_store.is_stored("sms", b"digest"),
}

WRITES: dict[str, Callable[[], object]] = {
    "accepting": messages.accept,
    "accepting under a new key": lambda: messages.accept(under=messages.key("new")),
    "accepting under a key that was used": lambda: messages.accept(under=messages.key("key-777")),
    "receiving": lambda: messages.receive(f"new-{datetime.now(UTC)}"),
    "receiving a duplicate": lambda: messages.receive("m-778"),
    "claiming": lambda: attempts.claim([messages.accept(messages.apart())[1].id, 5, 15], messages.LEASE),
    "recording": lambda: attempts.record(messages.claimed().token, Status.SENT, provider_message_id="p-9"),
    "recording a failure": lambda: attempts.record(
        messages.claimed().token, Status.QUEUED, failure="temporary", wait=messages.LEASE
    ),
    "claiming what is of unknown outcome": lambda: attempts.claim([messages.lost().id], messages.LEASE),
    "settling": lambda: attempts.resolve(messages.lost().token, Status.QUEUED, "not_found", ""),
    "a report by the provider's id": lambda: messages.report(Status.SENT, "m-777"),
    "a report by our id": lambda: messages.report(Status.SENT, reference=777),
    "a report that is parked": lambda: messages.report(Status.SENT, "p-778"),
    "nudging soon": lambda: attempts.leave_to_relay([5, 15]),
    "taking due dispatches": lambda: attempts.take_due_dispatches(BATCH),
    "expiring leases": lambda: attempts.expire_leases(BATCH),
    "forgetting keys": lambda: store.delete_expired_keys(BATCH),
    "looking at parked reports": lambda: inbound_store.apply_pending_reports(BATCH),
    "forgetting parked reports": lambda: inbound_store.delete_pending_reports(BATCH),
    "forgetting requests": lambda: inbound_store.delete_requests(timedelta(days=30), BATCH),
}


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_reads_by_index_and_no_more_than_it_was_asked_for(filled: Database, name: str) -> None:
    filled.rows("UPDATE attempts SET ended_at = now() WHERE ended_at IS NULL")  # of other tests
    # Seven times: by then Postgres has decided whether a function's statement keeps one plan for all.
    for _ in range(7):
        for scan in scans((READS | WRITES)[name]):
            assert "Index" in scan["Node Type"] or scan["Node Type"] == "Bitmap Heap Scan", scan
            assert touched(scan) <= 2 * BATCH + 1, json.dumps(scan)


@pytest.mark.usefixtures("filled")
def test_a_circuit_looks_at_twenty_of_the_last_minute_s_attempts() -> None:
    looks = [
        scan
        for scan in scans(WRITES["recording a failure"])
        if scan.get("Index Name") == "attempts_recent_idx"
    ]
    assert [touched(look) for look in looks] == [20]


@pytest.mark.usefixtures("filled")
def test_would_notice_a_table_that_is_read_as_a_whole() -> None:
    """The yardstick of the test before: the statement counts rows, and no index has to be there for that."""
    [scan] = scans(lambda: product.run("SELECT count(body) FROM messages WHERE body <> ''"))
    assert scan["Node Type"] == "Seq Scan"
    assert touched(scan) >= ROWS
