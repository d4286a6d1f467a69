"""Webhooks while the database is unavailable: what was answered 2xx is stored once later, or it was 503."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from threading import Event
from time import monotonic
from urllib.parse import urlsplit

import psutil
import pytest
from standardwebhooks import Webhook

from local import Options, Stack, running
from local.commands.replay import replay
from tests.e2e.faults import LONG
from tests.support import processes
from tests.support.database import Database
from tests.support.faults import result_tables
from tests.support.http_client import JSON, Answer, call, post
from tests.support.stack import CUSTOMER, assert_problem
from tests.support.waiting import eventually

WEBHOOKS, SECONDS = (500, 60) if LONG else (100, 5)
SPOOL_SECONDS = 2 * SECONDS + 60
"""Seconds within which a spooled request is delivered again: its waits double."""
BUCKET = "messaging-inboundrequests"
TIMEOUT = 20
"""The functions' timeout in seconds."""


@pytest.fixture(scope="module")
def outage_stack() -> Iterator[Stack]:
    """A stack whose database may be stopped."""
    with running(relay_every=0, concurrency=4) as stack:
        yield stack


def receive(stack: Stack, contact: str, id: str, body: str = "Hi") -> Answer:
    fields = {"from": contact, "to": CUSTOMER, "type": "sms", "messaging_provider_id": id, "body": body}
    return post(f"{stack.url}/api/webhooks/sms", fields)


def received(stack: Stack, contact: str) -> Counter[str]:
    """How often each message of a contact is stored, by the provider's id."""
    of_contact = (
        "FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE c.contact_address = :contact"
    )
    with closing(Database(stack.database_url)) as database:
        return Counter(
            str(id) for [id] in database.rows(f"SELECT id_at_provider(m) {of_contact}", contact=contact)
        )


def requests(stack: Stack) -> int:
    with closing(Database(stack.database_url)) as database:
        return int(str(database.value("SELECT count(*) FROM webhook_requests")))


def queued_records(stack: Stack) -> int:
    """The number of records in the queue."""
    sqs = stack.sqs()
    url = sqs.get_queue_url(QueueName="messaging-sms-inbound")["QueueUrl"]
    attributes = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(attributes[name]) for name in attributes if name.startswith("ApproximateNumberOfMessages"))


def test_webhooks_during_an_outage_of_postgres_are_each_stored_once(
    outage_stack: Stack, contact: str
) -> None:
    before = requests(outage_stack)
    ids = [f"{contact}-{n}" for n in range(WEBHOOKS)]
    pace = Event()
    outage_stack.stop_postgres()
    try:
        with ThreadPoolExecutor(8) as threads:
            posted = []
            for n, id in enumerate(ids):
                posted += [
                    threads.submit(receive, outage_stack, contact, id) for _ in range(1 + (n % 5 == 0))
                ]
                pace.wait(SECONDS / WEBHOOKS)
        answers = Counter(future.result().status for future in posted)
    finally:
        outage_stack.start_postgres()
    started = monotonic()
    eventually(lambda: sum(received(outage_stack, contact).values()) >= WEBHOOKS, SPOOL_SECONDS)
    took = monotonic() - started
    eventually(lambda: queued_records(outage_stack) == 0, SPOOL_SECONDS)
    assert answers == {202: WEBHOOKS + len(ids[::5])}
    assert received(outage_stack, contact) == Counter(ids)
    assert requests(outage_stack) - before == WEBHOOKS
    rows = [
        ("seconds unavailable", "posted", "answered 202", "stored", "seconds until all were"),
        (SECONDS, len(posted), answers[202], WEBHOOKS, round(took)),
    ]
    result_tables.add("Postgres unavailable under webhooks", rows)


def test_webhooks_are_answered_503_while_postgres_and_the_queue_are_unavailable(
    outage_stack: Stack, contact: str
) -> None:
    before = requests(outage_stack)
    outage_stack.stop_postgres()
    try:
        outage_stack.stop_aws()
        try:
            refused = [receive(outage_stack, contact, contact, body) for body in ("Hi", "x" * 300_000)]
        finally:
            outage_stack.start_aws()
        assert queued_records(outage_stack) == 0
    finally:
        outage_stack.start_postgres()
    for answer in refused:
        assert_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    assert received(outage_stack, contact) == {}
    assert receive(outage_stack, contact, contact).status == 200
    assert requests(outage_stack) - before == 1


def test_a_request_too_large_for_the_queue_goes_through_the_bucket(outage_stack: Stack, contact: str) -> None:
    body = "x" * 1_000_000
    objects = partial(outage_stack.s3().list_objects_v2, Bucket=BUCKET)
    outage_stack.stop_postgres()
    try:
        assert receive(outage_stack, contact, contact, body).status == 202
        assert objects()["KeyCount"] == 1
    finally:
        outage_stack.start_postgres()
    eventually(lambda: received(outage_stack, contact) == {contact: 1}, SPOOL_SECONDS)
    eventually(lambda: objects()["KeyCount"] == 0)
    assert receive(outage_stack, contact, contact, body).body["body"] == body


def test_a_hanging_database_delays_a_webhook_by_less_than_the_timeout(
    outage_stack: Stack, contact: str
) -> None:
    assert receive(outage_stack, contact, "warm").status == 200
    [server] = processes.listening_on(urlsplit(outage_stack.database_url).port or 0)
    all_of_it = [server, *(child.pid for child in psutil.Process(server).children(recursive=True))]
    with processes.suspended(all_of_it):
        started = monotonic()
        answers = [
            receive(outage_stack, contact, "held"),
            receive(outage_stack, contact, "long", "x" * 300_000),
        ]
        assert monotonic() - started < len(answers) * TIMEOUT
    assert [answer.status for answer in answers] == [202, 202]
    eventually(lambda: received(outage_stack, contact) == {"warm": 1, "held": 1, "long": 1}, SPOOL_SECONDS)


def test_a_signed_webhook_that_cannot_be_stored_is_replayed_after_the_fix(tmp_path: Path) -> None:
    """A constraint that a migration added by mistake refuses the message."""
    with running(folder=tmp_path, relay_every=0) as stack:
        change_schema(stack, "ALTER TABLE messages ADD CONSTRAINT mistake CHECK (body <> 'Hi')")
        fields = {"from": "+18045551234", "to": CUSTOMER, "type": "sms", "body": "Hi"}
        body = json.dumps(fields | {"messaging_provider_id": "message-1"})
        for _ in range(2):
            answer = call("POST", f"{stack.url}/api/webhooks/sms", body, signed(stack, body))
            assert (answer.status, answer.body.keys()) == (202, {"detail"})
        assert requests(stack) == 1
        assert replay_output(stack) == [
            "SmsWebhook: 0 replayed, 1 failed",
            "EmailWebhook: 0 replayed, 0 failed",
        ]
        assert received(stack, "+18045551234") == {}
        change_schema(stack, "ALTER TABLE messages DROP CONSTRAINT mistake")
    with running(folder=tmp_path, relay_every=0) as stack:
        for times in (1, 0):
            assert replay_output(stack)[0] == f"SmsWebhook: {times} replayed, 0 failed"
        assert received(stack, "+18045551234") == {"message-1": 1}


def change_schema(stack: Stack, statement: str) -> None:
    with closing(Database(stack.database_url)) as database:
        database.rows(statement)


def replay_output(stack: Stack) -> list[str]:
    """The output of `python -m local replay --unparsed`."""
    lines: list[str] = []
    replay(Options(lambda_port=urlsplit(stack.lambda_url).port or 0), {"unparsed": True}, lines.append)
    return lines


def signed(stack: Stack, body: str) -> dict[str, str]:
    now = datetime.now(UTC)
    secret = (stack.folder / "signing-secret").read_text()
    return {
        "content-type": JSON,
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign("msg_1", now, body),
    }
