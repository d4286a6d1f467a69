"""A request and all that it tells are kept together, once, in whatever order and by however many."""

import json
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.inbound import store
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
Parts = Sequence[InboundMessage | DeliveryReport]


def report(status: Status, id: str | None = None, **fields: object) -> DeliveryReport:
    given = {"provider_message_id": id, "reference": None, "status": status, "timestamp": datetime.now(UTC)}
    return DeliveryReport.model_validate(given | fields)


def keep(parts: Parts, request: WebhookRequest | None = None, unread: str | None = None) -> list[PartOutcome]:
    return [kept.outcome for kept in store.store_request(request or messages.request(), parts, unread)]


def test_keeps_a_request_as_it_came_but_for_what_opens_doors(database: Database) -> None:
    headers = {"authorization": "Basic x", "cookie": "x", "x-token": "y\0\ud800", "webhook-id": "msg_1"}
    request = messages.request(b"\x00\xff", headers=headers, query="a=\0b")
    keep([], request)
    [(_, kept)] = store.list_requests(Selector(Channel.SMS, ids=[1]), 0, 10)
    assert kept == request
    assert kept.headers == {"x-token": "y?", "webhook-id": "msg_1"}
    assert (kept.body, kept.query) == (b"\x00\xff", "a=b")


def test_gives_what_became_of_each_part_in_the_parts_order(database: Database) -> None:
    messages.sent(messages.claimed(), "p-1")
    parts: Parts = [
        report(Status.DELIVERED, "unheard-of"),
        messages.inbound("b", **{"from": "+18045559999"}),
        report(Status.DELIVERED, "p-1"),
        messages.inbound("a"),
        messages.inbound("b", **{"from": "+18045559999"}),
        report(Status.SENT, "p-1"),
        report(Status.SENT, reference=99),
    ]
    kept = store.store_request(messages.request(), parts)
    assert [one.outcome for one in kept] == [
        *("pending", "created", "moved", "created", "duplicate", "noted", "unmatched")
    ]
    ids = [one.message and json.loads(one.message)["provider_message_id"] for one in kept]
    assert ids == [None, "b", "p-1", "a", "b", "p-1", None]


def test_the_same_request_again_adds_nothing(database: Database) -> None:
    messages.sent(messages.claimed(), "p-1")
    for body, expected in ((b"1", 1), (b"1", 1), (b"2", 2)):
        moment = datetime.now(UTC)
        request = messages.request(body, received_at=moment)
        keep([messages.inbound(), report(Status.DELIVERED, "p-1", timestamp=moment)], request)
        assert database.value(REQUESTS) == expected
    assert database.value("SELECT count(*) FROM messages WHERE direction = 'inbound'") == 1
    # A report without a time of its own is as old as its request, when that came first.
    assert database.value("SELECT count(*) FROM message_events WHERE kind = 'report'") == 2


def test_the_same_body_of_another_provider_or_query_is_another_request(database: Database) -> None:
    for fields in ({}, {"provider": "other"}, {"query": "a=1"}):
        keep([], messages.request(b"body", **fields))
    assert database.value(REQUESTS) == 3


def test_a_token_lets_one_request_in_however_often_it_comes(database: Database) -> None:
    first = messages.request(b"1", replay_token="token")
    for _ in range(2):
        keep([messages.inbound("a")], first)
    keep([messages.inbound("b")], messages.request(b"2", replay_token="other"))
    for provider in ("sms", "sms", "another"):
        with pytest.raises(SignatureRejected):
            keep([messages.inbound("c")], messages.request(b"3", replay_token="token", provider=provider))
    assert database.rows("SELECT provider_message_id FROM messages ORDER BY id") == [["a"], ["b"]]
    assert database.value(REQUESTS) == 2


@pytest.mark.slow
def test_of_eight_at_once_with_one_token_one_is_let_in(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    assert sum(environments.map(is_let_in, range(40))) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def is_let_in(n: int) -> bool:
    try:
        keep([messages.inbound(f"id-{n}")], messages.request(str(n).encode(), replay_token="token"))
    except SignatureRejected:
        return False
    return True


def test_a_part_that_the_database_refuses_does_not_lose_the_others(database: Database) -> None:
    database.rows("ALTER TABLE messages ADD CONSTRAINT spoilt CHECK (body <> 'spoilt')")
    request = messages.request()
    parts = [messages.inbound("a"), messages.inbound("b", body="spoilt"), messages.inbound("c")]
    try:
        kept = store.store_request(request, parts, "Invalid")
    finally:
        database.rows("ALTER TABLE messages DROP CONSTRAINT spoilt")
    assert [one.outcome for one in kept] == ["created", "refused", "created"]
    assert [one.fault for one in kept] == [None, "the database refused part 2: 23514 spoilt", None]
    assert database.value(FAULT) == "Invalid; the database refused part 2: 23514 spoilt"
    assert keep(parts, request) == ["duplicate", "created", "duplicate"]
    assert database.value(FAULT) is None


def test_a_fault_stays_until_all_of_the_request_was_read(database: Database) -> None:
    request = messages.request()
    for unread, expected in (("Invalid", "Invalid"), ("KeyError", "Invalid"), (None, None), ("later", None)):
        keep([], request, unread)
        assert database.value(FAULT) == expected


CONTACTS = ("+18045551001", "+18045551002")


def keep_both(parts: Sequence[tuple[str, str]]) -> None:
    """Messages with these ids of these contacts."""
    keep([messages.inbound(id, **{"from": contact}) for id, contact in parts])
    tell_of_deadlocks()


def tell_of_deadlocks() -> None:
    """Else a connection does so now and then."""
    product.run("SELECT pg_stat_force_next_flush()")


def deadlocks(database: Database) -> object:
    database.rows("SELECT pg_stat_clear_snapshot()")
    return database.value("SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()")


def wait_for(database: Database, number: int) -> None:
    """Until so many wait for each other, or for a test; who loses patience waits again, beside itself."""
    waiting = "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND state = 'active'"
    eventually(lambda: int(str(database.value(waiting))) >= number)


@pytest.mark.parametrize(
    ("one", "two"),
    [
        ([("a1", CONTACTS[0]), ("a2", CONTACTS[1])], [("b2", CONTACTS[1]), ("b1", CONTACTS[0])]),
        ([("b", CONTACTS[0]), ("a", CONTACTS[1])], [("a", CONTACTS[0]), ("b", CONTACTS[1])]),
    ],
    ids=["the same conversations", "the same ids"],
)
def test_two_who_tell_of_the_same_take_it_in_one_order(
    database: Database,
    other: Database,
    environments: ProcessPoolExecutor,
    one: Sequence[tuple[str, str]],
    two: Sequence[tuple[str, str]],
) -> None:
    keep_both([("before 1", CONTACTS[0]), ("before 2", CONTACTS[1])])
    before = deadlocks(database)
    other.rows("BEGIN")
    other.rows("SELECT id FROM conversations FOR UPDATE")
    turns = [environments.submit(keep_both, parts) for parts in (one, two)]
    wait_for(database, len(turns))
    other.rows("COMMIT")
    for turn in turns:
        turn.result()
    assert deadlocks(database) == before


def test_chooses_by_time_provider_fault_and_id_and_goes_on_after_one(database: Database) -> None:
    moments = [datetime(2024, 11, day, tzinfo=UTC) for day in range(1, 6)]
    for day, moment in enumerate(moments, 1):
        provider, unread = ("other" if day == 2 else "sms"), ("Invalid" if day > 3 else None)
        keep([], messages.request(received_at=moment, provider=provider), unread)
    keep([], messages.request(route="email", received_at=moments[0]))

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


@pytest.mark.parametrize(("days", "forgotten"), [(29.9, 0), (30, 1)])
def test_a_request_is_forgotten_when_its_time_is_up(database: Database, days: float, forgotten: int) -> None:
    keep([messages.inbound()], messages.request(received_at=datetime.now(UTC) - timedelta(days=days)))
    assert store.delete_requests(timedelta(days=30), 10) == forgotten
    assert database.value(REQUESTS) == 1 - forgotten
    assert database.value("SELECT count(*) FROM messages") == 1


def test_forgets_no_more_than_it_was_asked_for_and_the_oldest_first(database: Database) -> None:
    for days in (40, 60, 50):
        keep([], messages.request(received_at=datetime.now(UTC) - timedelta(days=days)))
    assert store.delete_requests(timedelta(days=30), 2) == 2
    assert database.value("SELECT id FROM webhook_requests") == 1
