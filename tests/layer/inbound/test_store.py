"""A request and its parts are stored together and once, in any order and by any number of processes."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.inbound import spool, store
from messaging.inbound.faults import Fault, FaultKind
from messaging.inbound.store import PartOutcome, Selector
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel, DeliveryReport, InboundMessage, Status
from messaging.postgres import database as product
from messaging.problems import SignatureRejected
from tests.support import messages
from tests.support.database import Database
from tests.support.waiting import eventually

REQUESTS = "SELECT count(*) FROM webhook_requests"
FAULT = "SELECT fault FROM webhook_requests"
INVALID = Fault(FaultKind.UNREADABLE, "Invalid")
Parts = Sequence[InboundMessage | DeliveryReport]


def report(status: Status, id: str | None = None, **fields: object) -> DeliveryReport:
    defaults = {
        "provider_message_id": id,
        "reference": None,
        "status": status,
        "timestamp": datetime.now(UTC),
    }
    return DeliveryReport.model_validate(defaults | fields)


def store_parts(
    parts: Parts, request: WebhookRequest | None = None, parse_fault: Fault | None = None
) -> list[PartOutcome]:
    return [part.outcome for part in store.store_request(request or messages.request(), parts, parse_fault)]


def test_a_request_is_stored_as_it_arrived_but_without_credentials(database: Database) -> None:
    headers = {"authorization": "Basic x", "cookie": "x", "x-token": "y\0\ud800", "webhook-id": "msg_1"}
    request = messages.request(b"\x00\xff", headers=headers, query="a=\0b")
    store_parts([], request)
    [(_, stored)] = store.list_requests(Selector(Channel.SMS, ids=[1]), 0, 10)
    assert stored == request
    assert stored.headers == {"x-token": "y?", "webhook-id": "msg_1"}
    assert (stored.body, stored.query) == (b"\x00\xff", "a=b")


def test_outcomes_have_the_order_of_the_parts(database: Database) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    parts: Parts = [
        report(Status.DELIVERED, "unheard-of"),
        messages.inbound("b", **{"from": "+18045559999"}),
        report(Status.DELIVERED, "p-1"),
        messages.inbound("a"),
        messages.inbound("b", **{"from": "+18045559999"}),
        report(Status.SENT, "p-1"),
        report(Status.SENT, reference=99),
    ]
    stored_parts = store.store_request(messages.request(), parts)
    assert [part.outcome for part in stored_parts] == [
        "pending",
        "created",
        "moved",
        "created",
        "duplicate",
        "noted",
        "unmatched",
    ]
    ids = [part.message and json.loads(part.message)["provider_message_id"] for part in stored_parts]
    assert ids == [None, "b", "p-1", "a", "b", "p-1", None]


def test_the_same_request_again_adds_nothing(database: Database) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    for body, expected in ((b"1", 1), (b"1", 1), (b"2", 2)):
        moment = datetime.now(UTC)
        request = messages.request(body, received_at=moment)
        store_parts([messages.inbound(), report(Status.DELIVERED, "p-1", timestamp=moment)], request)
        assert database.value(REQUESTS) == expected
    assert database.value("SELECT count(*) FROM messages WHERE direction = 'inbound'") == 1
    # A report without a time of its own has the time of its request's first arrival.
    assert database.value("SELECT count(*) FROM message_events WHERE kind = 'report'") == 2


REFERENCE = 1
REPEATED: dict[str, tuple[dict[str, Any], Parts]] = {
    "a report with our id": ({}, [report(Status.SENT, reference=REFERENCE)]),
    "a report with both ids": ({}, [report(Status.SENT, "p-1", reference=REFERENCE)]),
    "a report with the provider's id": ({}, [report(Status.SENT, "p-1")]),
    "a report of no message": ({}, [report(Status.SENT, reference=99)]),
    "reports of two messages": ({}, [report(Status.SENT, reference=n) for n in (REFERENCE, 99)]),
    "a report and a message": ({}, [report(Status.SENT, reference=REFERENCE), messages.inbound()]),
    "a message and a report": ({}, [messages.inbound(), report(Status.SENT, reference=REFERENCE)]),
    "a message": ({}, [messages.inbound()]),
    "a long request": ({"body": b"x" * 50_000}, [report(Status.SENT, reference=REFERENCE)]),
    "a replay token": ({"replay_token": "token"}, [report(Status.SENT, reference=REFERENCE)]),
}


def repeated(fields: dict[str, Any], minutes: int) -> WebhookRequest:
    moment = datetime.now(UTC) + timedelta(minutes=minutes)
    return messages.request(**{"body": b"body", "received_at": moment, **fields})


@pytest.mark.parametrize(("fields", "parts"), REPEATED.values(), ids=REPEATED)
def test_a_redelivery_adds_nothing(database: Database, fields: dict[str, Any], parts: Parts) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    store_parts(parts, repeated(fields, 0))
    stored = messages.read(REFERENCE)
    for minutes in (1, 2):
        store_parts(parts, repeated(fields, minutes))
    assert database.value(REQUESTS) == 1
    assert messages.read(REFERENCE) == stored


@pytest.mark.parametrize("minutes", [0, 1], ids=["replay", "redelivery"])
@pytest.mark.parametrize(("fields", "parts"), REPEATED.values(), ids=REPEATED)
def test_a_request_that_can_be_read_at_last_loses_its_fault(
    database: Database, fields: dict[str, Any], parts: Parts, minutes: int
) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    first = repeated(fields, 0)
    again = first.model_copy(update={"received_at": first.received_at + timedelta(minutes=minutes)})
    for parse_fault, expected in ((INVALID, "Invalid"), (None, None), (None, None)):
        if parse_fault:
            store_parts(parts[1:], first, parse_fault)
        else:
            store_parts(parts, again)
        assert database.rows(FAULT) == [[expected]]


@pytest.mark.parametrize(("fields", "parts"), REPEATED.values(), ids=REPEATED)
def test_a_request_that_was_read_gets_no_fault_by_a_replay(
    database: Database, fields: dict[str, Any], parts: Parts
) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    request = repeated(fields, 0)
    store_parts(parts, request)
    for _ in range(2):
        store_parts([], request, INVALID)
    assert database.rows(FAULT) == [[None]]


def test_a_redelivery_that_cannot_be_read_is_not_taken_for_another_request_with_its_token(
    database: Database,
) -> None:
    fields, parts = REPEATED["a replay token"]
    store_parts(parts, repeated(fields, 0))
    store_parts([], repeated(fields, 1), INVALID)
    assert database.rows(FAULT) == [[None]]


def test_the_reports_of_a_message_are_a_request_each(database: Database) -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    for body, provider in ((b"1", "sms"), (b"2", "sms"), (b"1", "other")):
        store_parts([report(Status.SENT, reference=id)], messages.request(body, provider=provider))
    assert database.value(REQUESTS) == 3


def test_a_request_that_the_spool_puts_into_its_bucket_can_be_looked_up_by_its_digest(
    database: Database,
) -> None:
    for size in (49_999, 50_000, 200_000):
        long_text = "\u00e4" * 8_000  # longer than the URL and the headers that AWS passes on
        request = messages.request(bytes(size), query=long_text, headers={"user-agent": long_text})
        store_parts([report(Status.SENT, reference=1)], request)
        is_in_bucket = len(json.dumps(request.model_dump(mode="json"))) > spool.MAX_RECORD
        assert store.is_stored("sms", request.digest) or not is_in_bucket
    assert is_in_bucket


@pytest.mark.slow
def test_concurrent_deliveries_of_a_report_store_one_request_and_one_event(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    outcomes = list(environments.map(store_report, [id] * 40))
    assert outcomes.count(PartOutcome.MOVED) == 1
    assert database.value(REQUESTS) == 1
    assert database.value("SELECT count(*) FROM message_events WHERE kind = 'report'") == 1


def store_report(id: int) -> PartOutcome:
    moment = datetime.now(UTC)  # a report without a time of its own
    [outcome] = store_parts(
        [report(Status.DELIVERED, reference=id, timestamp=moment)],
        messages.request(b"body", received_at=moment),
    )
    return outcome


def test_the_same_body_from_another_provider_or_with_another_query_is_another_request(
    database: Database,
) -> None:
    for fields in ({}, {"provider": "other"}, {"query": "a=1"}):
        store_parts([], messages.request(b"body", **fields))
    assert database.value(REQUESTS) == 3


def test_a_replay_token_is_valid_for_one_request_only(database: Database) -> None:
    first = messages.request(b"1", replay_token="token")
    for _ in range(2):
        store_parts([messages.inbound("a")], first)
    store_parts([messages.inbound("b")], messages.request(b"2", replay_token="other"))
    for provider in ("sms", "sms", "another"):
        with pytest.raises(SignatureRejected):
            store_parts(
                [messages.inbound("c")], messages.request(b"3", replay_token="token", provider=provider)
            )
    assert database.rows("SELECT id_at_provider(m) FROM messages m ORDER BY id") == [["a"], ["b"]]
    assert database.value(REQUESTS) == 2


@pytest.mark.slow
def test_one_of_many_concurrent_requests_with_the_same_replay_token_is_accepted(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    assert sum(environments.map(is_accepted, range(40))) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def is_accepted(n: int) -> bool:
    try:
        store_parts([messages.inbound(f"id-{n}")], messages.request(str(n).encode(), replay_token="token"))
    except SignatureRejected:
        return False
    return True


def test_a_part_that_the_database_rejects_does_not_lose_the_others(database: Database) -> None:
    database.rows("ALTER TABLE messages ADD CONSTRAINT spoilt CHECK (body <> 'spoilt')")
    request = messages.request()
    parts = [messages.inbound("a"), messages.inbound("b", body="spoilt"), messages.inbound("c")]
    try:
        stored_parts = store.store_request(request, parts, INVALID)
    finally:
        database.rows("ALTER TABLE messages DROP CONSTRAINT spoilt")
    assert [part.outcome for part in stored_parts] == ["created", "refused", "created"]
    assert [part.fault for part in stored_parts] == [None, "the database refused part 2: 23514 spoilt", None]
    assert database.value(FAULT) == "Invalid; the database refused part 2: 23514 spoilt"
    assert store_parts(parts, request) == ["duplicate", "created", "duplicate"]
    assert database.value(FAULT) is None


@pytest.mark.parametrize("minutes", [0, 5])
def test_a_request_has_the_fault_of_its_last_reading_until_it_is_read(
    database: Database, minutes: int
) -> None:
    first = messages.request()
    again = first.model_copy(update={"received_at": first.received_at + timedelta(minutes=minutes)})
    for request, parse_fault, expected in (
        (first, INVALID, ["Invalid", "unreadable"]),
        (again, Fault(FaultKind.BUG, "KeyError"), ["KeyError", "bug"]),
        (again, None, [None, None]),
        (again, Fault(FaultKind.BUG, "later"), [None, None]),
    ):
        store_parts([], request, parse_fault)
        assert database.rows("SELECT fault, fault_kind FROM webhook_requests") == [expected]


CONTACTS = ("+18045551001", "+18045551002")


def store_messages(parts: Sequence[tuple[str, str]]) -> None:
    """Store messages with these ids from these contacts."""
    store_parts([messages.inbound(id, **{"from": contact}) for id, contact in parts])
    flush_statistics()


def flush_statistics() -> None:
    """Without this, a connection reports its deadlocks only from time to time."""
    product.run("SELECT pg_stat_force_next_flush()")


def deadlocks(database: Database) -> object:
    database.rows("SELECT pg_stat_clear_snapshot()")
    return database.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def wait_for_locks(database: Database, number: int) -> None:
    """Wait until this many connections wait for a lock. One that times out connects again and waits again."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"
    eventually(lambda: int(str(database.value(waiting))) >= number)


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ([("a1", CONTACTS[0]), ("a2", CONTACTS[1])], [("b2", CONTACTS[1]), ("b1", CONTACTS[0])]),
        ([("b", CONTACTS[0]), ("a", CONTACTS[1])], [("a", CONTACTS[0]), ("b", CONTACTS[1])]),
    ],
    ids=["the same conversations", "the same ids"],
)
def test_concurrent_requests_take_locks_in_the_same_order(
    database: Database,
    other: Database,
    environments: ProcessPoolExecutor,
    first: Sequence[tuple[str, str]],
    second: Sequence[tuple[str, str]],
) -> None:
    store_messages([("before 1", CONTACTS[0]), ("before 2", CONTACTS[1])])
    before = deadlocks(database)
    other.rows("BEGIN")
    other.rows("SELECT id FROM conversations FOR UPDATE")
    turns = [environments.submit(store_messages, parts) for parts in (first, second)]
    wait_for_locks(database, len(turns))
    other.rows("COMMIT")
    for turn in turns:
        turn.result()
    assert deadlocks(database) == before


def test_requests_are_selected_by_time_provider_fault_and_id(database: Database) -> None:
    moments = [datetime(2024, 11, day, tzinfo=UTC) for day in range(1, 6)]
    for day, moment in enumerate(moments, 1):
        provider, parse_fault = ("other" if day == 2 else "sms"), (INVALID if day > 3 else None)
        store_parts([], messages.request(received_at=moment, provider=provider), parse_fault)
    store_parts([], messages.request(route="email", received_at=moments[0]))

    def chosen(after: int = 0, limit: int = 10, **fields: Any) -> list[int]:
        selector = Selector(Channel.SMS, **fields)
        return [id for id, _ in store.list_requests(selector, after, limit)]

    assert chosen() == [1, 2, 3, 4, 5]
    assert chosen(since=moments[1], until=moments[3]) == [2, 3]
    assert chosen(provider="other") == [2]
    assert chosen(unparsed=True) == [4, 5]
    assert chosen(ids=[3, 5, 6, 99]) == [3, 5]
    assert (chosen(after=2, limit=2), chosen(after=5)) == ([3, 4], [])
    assert chosen(unparsed=True, provider="other") == []


@pytest.mark.parametrize(
    ("action", "deleted"),
    [
        pytest.param("SET provider = 'other'", 0, id="not seen"),
        pytest.param("SET seen_at = now() - interval '29 days'", 0, id="seen"),
        pytest.param("SET seen_at = now() - interval '30 days'", 1, id="seen long ago"),
        pytest.param("SET fault = NULL, fault_kind = NULL, seen_at = now()", 0, id="read just now"),
        pytest.param("SET fault = NULL, fault_kind = NULL", 1, id="read by a redelivery"),
    ],
)
def test_an_unread_request_is_deleted_when_it_was_seen_long_ago(
    database: Database, action: str, deleted: int
) -> None:
    store_parts([], messages.request(received_at=datetime.now(UTC) - timedelta(days=400)), INVALID)
    database.rows(f"UPDATE webhook_requests {action}")
    assert store.delete_requests(timedelta(days=30), 10) == deleted
    assert database.value(REQUESTS) == 1 - deleted


@pytest.mark.parametrize(("days", "deleted"), [(29.9, 0), (30, 1)])
def test_a_request_is_deleted_when_it_is_too_old(database: Database, days: float, deleted: int) -> None:
    store_parts([messages.inbound()], messages.request(received_at=datetime.now(UTC) - timedelta(days=days)))
    assert store.delete_requests(timedelta(days=30), 10) == deleted
    assert database.value(REQUESTS) == 1 - deleted
    assert database.value("SELECT count(*) FROM messages") == 1


def test_the_oldest_requests_are_deleted_first_up_to_the_limit(database: Database) -> None:
    for days in (40, 60, 50):
        store_parts([], messages.request(received_at=datetime.now(UTC) - timedelta(days=days)))
    assert store.delete_requests(timedelta(days=30), 2) == 2
    assert database.value("SELECT id FROM webhook_requests") == 1
