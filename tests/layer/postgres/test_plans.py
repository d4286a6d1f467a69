"""No statement reads more rows than it needs of tables with 100,000 rows.

Postgres itself logs the plan of each statement that runs (auto_explain).
"""

import json
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.conversations import reads
from messaging.inbound import store as inbound_store
from messaging.inbound import unread
from messaging.inbound.store import Selector
from messaging.inbound.unread import UnreadFilter
from messaging.models import MAX_ID, Channel, Status
from messaging.outbound import attempts, circuits, store
from messaging.outbound.attempts import AttemptRecord
from messaging.postgres import cursor
from messaging.postgres import database as product
from tests.support import messages
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.messages import ACCOUNT

pytestmark = pytest.mark.slow

ROWS = 100_000
IN_FIRST_CONVERSATION = 60_000
"""The oldest messages, which belong to the first conversation. Each other message has a conversation."""
BATCH = 10
"""Rows that one call asks for. The driver keeps 100 notices, so the plans of a call fit in."""

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
                      provider, providers, delivery_policy, provider_message_id, inbound_key, attempt_count)
SELECT greatest(n - {IN_FIRST_CONVERSATION}, 1), CASE n % 2 WHEN 0 THEN 'inbound' ELSE 'outbound' END, 'sms',
       CASE WHEN n % 2 = 0 THEN 'received' WHEN n % 5 = 0 THEN 'queued'
            WHEN n = 1 OR n % 5 = 1 AND n > {IN_FIRST_CONVERSATION} + 1 THEN 'sending' ELSE 'delivered' END,
       'body', '[]', now(), 100, 'sms', '{{sms}}', 'at_most_once',
       CASE n % 2 WHEN 1 THEN 'm-' || n END, CASE n % 2 WHEN 0 THEN 'sms=m-' || n END, n % 2
  FROM generate_series(1, {ROWS}) n;
INSERT INTO outbound_queue (conversation_id, message_id, next_attempt_at, dispatch_at)
SELECT conversation_id, id, now() - interval '1 day', now() + id * interval '1 hour' - interval '1 day'
  FROM messages WHERE status = 'queued';
INSERT INTO leases (conversation_id, message_id, expires_at)
SELECT conversation_id, id, now() + id * interval '1 hour' - interval '1 day'
  FROM messages WHERE status = 'sending';
INSERT INTO attempts (message_id, number, token, provider, provider_message_id, outcome, ended_at)
SELECT id, 1, gen_random_uuid(), 'sms', provider_message_id, 'sent',
       -- In the future, so that they belong to the last minute whenever a test runs.
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

AUTO_EXPLAIN = {
    "client_min_messages": "log",
    "auto_explain.log_min_duration": "0",
    "auto_explain.log_nested_statements": "on",
    "auto_explain.log_analyze": "on",
    "auto_explain.log_timing": "off",
    "auto_explain.log_format": "json",
}


@pytest.fixture(scope="module")
def filled(database_url: str) -> Iterator[Database]:
    """A database with many rows. The connection under test logs the plan of each statement."""
    with pytest.MonkeyPatch.context() as monkeypatch:
        Configure(monkeypatch)(DATABASE_URL=database_url)
        admin = Database(database_url)
        admin.clear()
        admin.rows("SET session_replication_role = replica")  # skips the checks of the valid foreign keys
        admin.rows(FILL)
        admin.rows("ANALYZE")
        product.run("LOAD 'auto_explain'")
        for name, value in AUTO_EXPLAIN.items():
            product.run(f"SET {name} = {value}")
        yield admin
        admin.close()
        product.disconnect()
    Configure(monkeypatch)()


Node = Mapping[str, Any]


def scans(call: Callable[[], object]) -> list[Node]:
    """Return the nodes of the plans that read a table, also those inside database functions."""
    notices = product.connection().notices
    notices.clear()
    call()
    assert len(notices) < notices.maxlen, "the driver dropped some plans"
    texts = [notice[b"M"].decode() for notice in notices]
    plans = [json.loads(plan.partition(" plan:\n")[2]) for plan in texts if " plan:\n" in plan]
    result = []
    for plan in plans:
        for node in nodes(plan["Plan"]):
            # There are only as many circuits as providers, so reading all of them is fine.
            reads_table = node.get("Relation Name", "circuits") != "circuits"
            if reads_table and node["Node Type"] != "ModifyTable":
                result.append(node)
    return result


def nodes(plan: Node) -> Iterator[Node]:
    yield plan
    for part in plan.get("Plans", []):
        yield from nodes(part)


def rows_read(node: Node) -> float:
    """The number of rows that the node read, with those that it filtered out."""
    filtered_out = sum(value for key, value in node.items() if key.startswith("Rows Removed by"))
    return float(node["Actual Rows"] + filtered_out) * float(node["Actual Loops"])


def since(seconds: int) -> datetime:
    return datetime.now(UTC) - timedelta(seconds=seconds)


def cursor_in_the_middle(*filters: str | None) -> str:
    return cursor.encode(["conversations", *(filters or (None, None, None))], since(ROWS // 2), 7)


READS: dict[str, Callable[[], object]] = {
    "unread webhooks": lambda: unread.list_webhooks(UnreadFilter(), BATCH, MAX_ID),
    "unread webhooks of a provider": lambda: unread.list_webhooks(
        UnreadFilter(provider="sms"), BATCH, MAX_ID
    ),
    "an unread webhook": lambda: unread.get_webhook(7000),
    "conversations": lambda: reads.list_conversations(ACCOUNT, BATCH),
    "conversations, deep": lambda: reads.list_conversations(ACCOUNT, BATCH, cursor_in_the_middle()),
    "conversations of our busiest address": lambda: reads.list_conversations(
        ACCOUNT, BATCH, address=messages.CUSTOMER
    ),
    "conversations of our busiest address, deep": lambda: reads.list_conversations(
        ACCOUNT, BATCH, cursor_in_the_middle(messages.CUSTOMER, None, None), address=messages.CUSTOMER
    ),
    "conversations of a contact": lambda: reads.list_conversations(ACCOUNT, BATCH, address="+180477"),
    "conversations of an unknown address": lambda: reads.list_conversations(ACCOUNT, BATCH, address="+1"),
    "conversations of a common type": lambda: reads.list_conversations(ACCOUNT, BATCH, type=Channel.SMS),
    "conversations of a rare type": lambda: reads.list_conversations(ACCOUNT, BATCH, type=Channel.EMAIL),
    "conversations of a rare type, deep": lambda: reads.list_conversations(
        ACCOUNT, BATCH, cursor_in_the_middle(None, "email", None), type=Channel.EMAIL
    ),
    "conversations since a past time": lambda: reads.list_conversations(
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
        ACCOUNT, 1, BATCH, cursor.encode(["messages", 1, "asc"], IN_FIRST_CONVERSATION // 2)
    ),
    "messages, at the end": lambda: reads.list_messages(
        ACCOUNT, 1, BATCH, cursor.encode(["messages", 1, "asc"], IN_FIRST_CONVERSATION + 1)
    ),
    "messages, newest first": lambda: reads.list_messages(ACCOUNT, 1, BATCH, newest_first=True),
    "messages, newest first, deep": lambda: reads.list_messages(
        ACCOUNT,
        1,
        BATCH,
        cursor.encode(["messages", 1, "desc"], IN_FIRST_CONVERSATION // 2),
        newest_first=True,
    ),
    "messages of a quiet conversation": lambda: reads.list_messages(ACCOUNT, 9, BATCH, newest_first=True),
    "messages of no conversation": lambda: reads.list_messages(ACCOUNT, MAX_ID, BATCH),
    "open circuits": circuits.list_open,
    "the health of the providers": lambda: circuits.list_health(["sms", "email"]),
    "requests that could not be parsed": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, unparsed=True), ROWS // 2, BATCH
    ),
    "requests of a time": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, since=since(7200), until=since(0)), 0, BATCH
    ),
    "requests by their ids": lambda: inbound_store.list_requests(
        Selector(Channel.SMS, ids=[5, 7, 9]), 0, BATCH
    ),
    "whether a request is stored": lambda: inbound_store.is_stored("sms", b"digest"),
}

WRITES: dict[str, Callable[[], object]] = {
    "accepting": messages.accept,
    "accepting with a new key": lambda: messages.accept(under=messages.key("new")),
    "accepting with a used key": lambda: messages.accept(under=messages.key("key-777")),
    "receiving": lambda: messages.receive(f"new-{datetime.now(UTC)}"),
    "receiving a duplicate": lambda: messages.receive("m-778"),
    "claiming": lambda: attempts.claim(
        [messages.accept(messages.sms_to_new_contact())[1].id, 5, 15], messages.LEASE
    ),
    "recording": lambda: attempts.record(messages.claim_new().token, Status.SENT, provider_message_id="p-9"),
    "recording several": lambda: attempts.record_all(
        [AttemptRecord(messages.claim_new().token, Status.SENT, f"s-{datetime.now(UTC)}") for _ in range(2)]
    ),
    "recording a failure": lambda: attempts.record(
        messages.claim_new().token, Status.QUEUED, failure="temporary", wait=messages.LEASE
    ),
    "claiming an unknown outcome": lambda: attempts.claim([messages.unknown_outcome().id], messages.LEASE),
    "resolving": lambda: attempts.resolve(messages.unknown_outcome().token, Status.QUEUED, "not_found", ""),
    "a report by the provider's id": lambda: messages.report(Status.SENT, "m-777"),
    "a report by our id": lambda: messages.report(Status.SENT, reference=777),
    "a pending report": lambda: messages.report(Status.SENT, "p-778"),
    "postponing dispatches to the relay": lambda: attempts.leave_to_relay([5, 15]),
    "taking due dispatches": lambda: attempts.take_due_dispatches(BATCH),
    "expiring leases": lambda: attempts.expire_leases(BATCH),
    "deleting expired keys": lambda: store.delete_expired_keys(BATCH),
    "applying pending reports": lambda: inbound_store.apply_pending_reports(BATCH),
    "deleting pending reports": lambda: inbound_store.delete_pending_reports(BATCH),
    "a message with the id of another": lambda: messages.receive("m-777", body="other"),
    "opening an unread webhook": lambda: unread.open_webhook("operator", 7000, "downloaded"),
    "dismissing an unread webhook": lambda: unread.dismiss_webhook("operator", 8000),
    "deleting old requests": lambda: inbound_store.delete_requests(timedelta(days=30), BATCH),
}


@pytest.mark.parametrize("name", [*READS, *WRITES])
def test_a_statement_uses_indexes_and_reads_few_rows(filled: Database, name: str) -> None:
    # End the attempts of earlier tests.
    filled.rows("UPDATE attempts SET ended_at = now() WHERE ended_at IS NULL")
    # After five executions Postgres may switch to a generic plan, so each statement runs seven times.
    for _ in range(7):
        for scan in scans((READS | WRITES)[name]):
            assert "Index" in scan["Node Type"] or scan["Node Type"] == "Bitmap Heap Scan", scan
            assert rows_read(scan) <= 2 * BATCH + 1, json.dumps(scan)


@pytest.mark.usefixtures("filled")
def test_a_circuit_reads_twenty_recent_attempts() -> None:
    circuit_scans = [
        scan
        for scan in scans(WRITES["recording a failure"])
        if scan.get("Index Name") == "attempts_recent_idx"
    ]
    assert [rows_read(scan) for scan in circuit_scans] == [20]


@pytest.mark.usefixtures("filled")
def test_a_sequential_scan_is_noticed() -> None:
    """Checks the test above: this statement has no index that it could use."""
    [scan] = scans(lambda: product.run("SELECT count(body) FROM messages WHERE body <> ''"))
    assert scan["Node Type"] == "Seq Scan"
    assert rows_read(scan) >= ROWS
