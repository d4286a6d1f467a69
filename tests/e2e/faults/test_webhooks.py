"""Webhooks while the database is away: what was answered 2xx is there afterwards, once; else it was 503."""

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
PUT_OFF = 2 * SECONDS + 60
"""Seconds within which what was held is given again: its waits double."""
BUCKET = "messaging-inboundrequests"
TIMEOUT = 20
"""Of the functions, in seconds."""


@pytest.fixture(scope="module")
def away() -> Iterator[Stack]:
    """A stack whose database may be taken away."""
    with running(relay_every=0, concurrency=4) as stack:
        yield stack


def receive(stack: Stack, contact: str, id: str, body: str = "Hi") -> Answer:
    fields = {"from": contact, "to": CUSTOMER, "type": "sms", "messaging_provider_id": id, "body": body}
    return post(f"{stack.url}/api/webhooks/sms", fields)


def received(stack: Stack, contact: str) -> Counter[str]:
    """How often each message of a contact is there, by its provider's id."""
    own = (
        "FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE c.contact_address = :contact"
    )
    with closing(Database(stack.database_url)) as database:
        return Counter(
            str(id) for [id] in database.rows(f"SELECT m.provider_message_id {own}", contact=contact)
        )


def requests(stack: Stack) -> int:
    with closing(Database(stack.database_url)) as database:
        return int(str(database.value("SELECT count(*) FROM webhook_requests")))


def left(stack: Stack) -> int:
    """How many records the queue still holds."""
    sqs = stack.sqs()
    url = sqs.get_queue_url(QueueName="messaging-sms-inbound")["QueueUrl"]
    found = sqs.get_queue_attributes(QueueUrl=url, AttributeNames=["All"])["Attributes"]
    return sum(int(found[name]) for name in found if name.startswith("ApproximateNumberOfMessages"))


def test_webhooks_while_postgres_is_away_are_each_kept_once_when_it_is_back(
    away: Stack, contact: str
) -> None:
    before = requests(away)
    ids = [f"{contact}-{n}" for n in range(WEBHOOKS)]
    pace = Event()
    away.stop_postgres()
    try:
        with ThreadPoolExecutor(8) as threads:
            posted = []
            for n, id in enumerate(ids):
                posted += [threads.submit(receive, away, contact, id) for _ in range(1 + (n % 5 == 0))]
                pace.wait(SECONDS / WEBHOOKS)
        answers = Counter(one.result().status for one in posted)
    finally:
        away.start_postgres()
    began = monotonic()
    eventually(lambda: sum(received(away, contact).values()) >= WEBHOOKS, PUT_OFF)
    took = monotonic() - began
    eventually(lambda: left(away) == 0, PUT_OFF)
    assert answers == {202: WEBHOOKS + len(ids[::5])}
    assert received(away, contact) == Counter(ids)
    assert requests(away) - before == WEBHOOKS
    rows = [
        ("seconds away", "posted", "answered 202", "kept", "seconds until all were"),
        (SECONDS, len(posted), answers[202], WEBHOOKS, round(took)),
    ]
    result_tables.tell("Postgres away under webhooks", rows)


def test_where_the_queue_is_away_as_well_the_provider_is_told_to_come_back(away: Stack, contact: str) -> None:
    before = requests(away)
    away.stop_postgres()
    try:
        away.stop_aws()
        try:
            refused = [receive(away, contact, contact, body) for body in ("Hi", "x" * 300_000)]
        finally:
            away.start_aws()
        assert left(away) == 0
    finally:
        away.start_postgres()
    for answer in refused:
        assert_problem(answer, 503)
        assert int(answer.headers["retry-after"]) > 0
    assert received(away, contact) == {}
    assert receive(away, contact, contact).status == 200
    assert requests(away) - before == 1


def test_what_is_too_long_for_the_queue_comes_by_the_bucket(away: Stack, contact: str) -> None:
    body = "x" * 1_000_000
    objects = partial(away.s3().list_objects_v2, Bucket=BUCKET)
    away.stop_postgres()
    try:
        assert receive(away, contact, contact, body).status == 202
        assert objects()["KeyCount"] == 1
    finally:
        away.start_postgres()
    eventually(lambda: received(away, contact) == {contact: 1}, PUT_OFF)
    eventually(lambda: objects()["KeyCount"] == 0)
    assert receive(away, contact, contact, body).body["body"] == body


def test_a_database_that_says_nothing_at_all_costs_a_webhook_less_than_its_time(
    away: Stack, contact: str
) -> None:
    assert receive(away, contact, "warm").status == 200
    [server] = processes.listening_on(urlsplit(away.database_url).port or 0)
    all_of_it = [server, *(child.pid for child in psutil.Process(server).children(recursive=True))]
    with processes.held(all_of_it):
        began = monotonic()
        answers = [receive(away, contact, "held"), receive(away, contact, "long", "x" * 300_000)]
        assert monotonic() - began < len(answers) * TIMEOUT
    assert [answer.status for answer in answers] == [202, 202]
    eventually(lambda: received(away, contact) == {"warm": 1, "held": 1, "long": 1}, PUT_OFF)


def test_what_is_signed_and_cannot_be_read_is_replayed_after_the_fix(tmp_path: Path) -> None:
    """Here the fault is the deployment's: it does not say which country's numbers come without a +."""
    with running(folder=tmp_path, relay_every=0) as stack:
        body = json.dumps({"from": "8045551234", "to": CUSTOMER, "type": "sms", "body": "Hi"})
        told = body.replace("{", '{"messaging_provider_id": "message-1", ', 1)
        for _ in range(2):
            answer = call("POST", f"{stack.url}/api/webhooks/sms", told, signed(stack, told))
            assert (answer.status, answer.body.keys()) == (202, {"detail"})
        assert requests(stack) == 1
        assert said(stack) == ["SmsWebhook: 0 replayed, 1 failed", "EmailWebhook: 0 replayed, 0 failed"]
        assert received(stack, "+18045551234") == {}
    with running(folder=tmp_path, relay_every=0, parameters={"DefaultRegion": "US"}) as stack:
        for times in (1, 0):
            assert said(stack)[0] == f"SmsWebhook: {times} replayed, 0 failed"
        assert received(stack, "+18045551234") == {"message-1": 1}


def said(stack: Stack) -> list[str]:
    """By `python -m local replay --unparsed`."""
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
