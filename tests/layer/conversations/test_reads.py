"""Reads: single rows, pages, their filters, and where a page ends."""

import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.conversations import reads
from messaging.conversations.reads import Page
from messaging.conversations.responses import Conversation, MessageEvent
from messaging.models import MAX_ID, Channel, Status
from messaging.postgres import database as product
from tests.support import messages
from tests.support.database import Database
from tests.support.messages import ACCOUNT, CONTACT, CUSTOMER, NOT_IN_A_TEXT


def items(page: Page | None) -> list[dict[str, Any]]:
    assert page is not None
    return [json.loads(item) for item in page.items]


def ids(page: Page | None) -> list[int]:
    return [item["id"] for item in items(page)]


def conversation(id: int) -> Conversation:
    text = reads.get_conversation(ACCOUNT, id)
    assert text is not None
    return Conversation.model_validate_json(text)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("id", [0, 2, -1, MAX_ID])
def test_an_unknown_id_is_not_found(id: int) -> None:
    messages.accept()
    assert reads.get_message(ACCOUNT, id) is None
    assert reads.get_conversation(ACCOUNT, id) is None
    assert reads.list_messages(ACCOUNT, id, 10) is None
    assert reads.list_messages(ACCOUNT, id, 10, newest_first=True) is None


def test_rows_of_another_account_are_not_found(database: Database) -> None:
    messages.accept()
    database.rows("UPDATE messages SET account_id = 2")
    assert reads.get_message(ACCOUNT, 1) is None
    assert ids(reads.list_messages(ACCOUNT, 1, 10)) == []
    database.rows("UPDATE conversations SET account_id = 2")
    assert reads.get_conversation(ACCOUNT, 1) is None
    assert reads.list_messages(ACCOUNT, 1, 10) is None
    assert ids(reads.list_conversations(ACCOUNT, 10)) == []
    assert ids(reads.list_conversations(ACCOUNT, 10, address=CUSTOMER)) == []


@pytest.mark.usefixtures("database")
def test_a_message_has_all_fields_and_its_events_oldest_first() -> None:
    messages.accept(messages.sms(timestamp="2024-11-01T14:00:00Z"))
    fields = json.loads(reads.get_message(ACCOUNT, 1) or "")
    for clock in ("created_at", "updated_at"):
        assert datetime.fromisoformat(fields.pop(clock)).tzinfo is UTC
    assert fields == {
        **NOT_IN_A_TEXT,
        "id": 1,
        "conversation_id": 1,
        "direction": "outbound",
        "type": "sms",
        "from": CUSTOMER,
        "to": CONTACT,
        "body": "out",
        "version": 1,
        "attachments": [],
        "status": "queued",
        "provider": "sms",
        "provider_message_id": None,
        "error": None,
        "timestamp": "2024-11-01T14:00:00Z",
        "events": [],
    }
    messages.record_sent(messages.claim(1))
    messages.report(Status.FAILED, "p-1", code="30003", timestamp="2024-11-01T14:00:01.25Z")
    message = json.loads(reads.get_message(ACCOUNT, 1) or "")
    assert (message["status"], message["error"]) == ("failed", {"code": "30003", "reason": None})
    assert [(event["kind"], event["status"]) for event in message["events"]] == [
        ("attempt", "sent"),
        ("report", "failed"),
    ]
    assert message["events"][1]["occurred_at"] == "2024-11-01T14:00:01.250000Z"
    assert set(message["events"][1]) == set(MessageEvent.model_fields)


def test_times_are_in_utc_in_any_time_zone_of_the_server(database: Database) -> None:
    messages.accept(messages.sms(timestamp="2024-07-01T14:00:00Z"))
    name = database.value("SELECT current_database()")
    database.rows(f"ALTER DATABASE {name} SET timezone = 'Asia/Kolkata'")
    product.disconnect()
    try:
        messages.receive(timestamp="2024-07-02T14:00:00")
        messages.accept(messages.email())
        times = [conversation(1).last_message_at, messages.read(1).timestamp, messages.read(2).timestamp]
        assert times[1:] == [datetime(2024, 7, day, 14, tzinfo=UTC) for day in (1, 2)]
        assert abs(times[0] - datetime.now(UTC)) < timedelta(seconds=10)
        first = reads.list_conversations(ACCOUNT, 1)
        assert ids(first) == [2]
        assert ids(reads.list_conversations(ACCOUNT, 1, first.next_cursor)) == [1]
    finally:
        database.rows(f"ALTER DATABASE {name} RESET timezone")


@pytest.mark.usefixtures("database")
def test_a_conversation_previews_its_last_message_with_200_characters() -> None:
    messages.receive(body="x")
    assert conversation(1).last_message.preview == "x"
    messages.accept(messages.sms(body="\U0001f600\u00e4" * 150, attachments=["https://example.com/a.jpg"]))
    last = conversation(1).last_message
    assert (last.id, last.type, last.direction) == (2, Channel.MMS, "outbound")
    assert last.preview == "\U0001f600\u00e4" * 100
    messages.accept(messages.sms(body="", attachments=["https://example.com/a.jpg"]))
    assert conversation(1).last_message.preview == ""
    assert [item["last_message"]["id"] for item in items(reads.list_conversations(ACCOUNT, 10))] == [3]


@pytest.fixture
def threads(database: Database) -> Database:
    """Five conversations. The first two have the newest messages."""
    messages.receive("1", type="sms")
    messages.receive("2", type="mms", **{"from": "+18045550002"})
    messages.accept(messages.sms(**{"from": "+12016660003"}))
    messages.accept(messages.email())
    messages.accept(messages.sms(**{"from": CONTACT, "to": "+18045550005"}))
    messages.receive("6", type="mms", **{"from": "+18045550002"})
    messages.receive("7", type="mms", attachments=["https://example.com/a.jpg"])
    return database


@pytest.mark.usefixtures("threads")
def test_the_newest_activity_comes_first() -> None:
    assert ids(reads.list_conversations(ACCOUNT, 10)) == [1, 2, 5, 4, 3]
    messages.accept(messages.email())
    assert ids(reads.list_conversations(ACCOUNT, 10)) == [4, 1, 2, 5, 3]


@pytest.mark.usefixtures("threads")
@pytest.mark.parametrize(
    ("filters", "expected"),
    [
        ({"address": CUSTOMER}, [1, 2]),
        ({"address": CONTACT}, [1, 5, 3]),
        ({"address": "user@example.com"}, [4]),
        ({"address": "contact@example.org"}, [4]),
        ({"address": "+18045550002"}, [2]),
        ({"address": "+19999999999"}, []),
        ({"type": Channel.SMS}, [1, 5, 3]),
        ({"type": Channel.MMS}, [1, 2]),
        ({"type": Channel.EMAIL}, [4]),
        ({"address": CONTACT, "type": Channel.MMS}, [1]),
        ({"address": CONTACT, "type": Channel.EMAIL}, []),
    ],
)
def test_filters_by_address_and_type_apply_to_every_page(
    filters: dict[str, Any], expected: list[int]
) -> None:
    assert ids(reads.list_conversations(ACCOUNT, 10, **filters)) == expected
    page, walked = reads.list_conversations(ACCOUNT, 1, **filters), []
    while page.items:
        walked += ids(page)
        if page.next_cursor is None:
            break
        page = reads.list_conversations(ACCOUNT, 1, page.next_cursor, **filters)
    assert walked == expected


@pytest.mark.usefixtures("threads")
def test_updated_since_includes_that_moment() -> None:
    moment = conversation(5).last_message_at
    assert ids(reads.list_conversations(ACCOUNT, 10, updated_since=moment)) == [1, 2, 5]
    later = moment + timedelta(microseconds=1)
    assert ids(reads.list_conversations(ACCOUNT, 10, updated_since=later)) == [1, 2]
    assert ids(reads.list_conversations(ACCOUNT, 10, updated_since=datetime.max.replace(tzinfo=UTC))) == []
    always = datetime.min.replace(tzinfo=UTC)
    assert ids(reads.list_conversations(ACCOUNT, 10, updated_since=always)) == [1, 2, 5, 4, 3]
    page = reads.list_conversations(ACCOUNT, 10, updated_since=moment, address=CONTACT, type=Channel.SMS)
    assert ids(page) == [1, 5]


@pytest.mark.usefixtures("database")
def test_a_conversation_of_an_address_with_itself_is_found_once() -> None:
    messages.accept(messages.sms(**{"from": CONTACT}))
    messages.receive(to=CONTACT)
    assert ids(reads.list_conversations(ACCOUNT, 10, address=CONTACT)) == [1]
    assert ids(reads.list_messages(ACCOUNT, 1, 10)) == [1, 2]


def test_a_message_shows_its_last_events(database: Database) -> None:
    id = messages.record_sent(messages.claim_new())
    database.rows(
        "INSERT INTO message_events (message_id, attempt, kind, provider, code, occurred_at)"
        " SELECT :id, 1, 'report', 'sms', n::text, now() FROM generate_series(1, :many) n",
        id=id,
        many=reads.MAX_EVENTS + 7,
    )
    assert [event.code for event in messages.read(id).events] == [
        str(n) for n in range(8, reads.MAX_EVENTS + 8)
    ]
