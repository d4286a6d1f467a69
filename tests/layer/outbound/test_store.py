"""What accepting and receiving store: each message once, without changes, in its conversation."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from messaging.conversations.responses import Message
from messaging.fields import MAX_BODY
from messaging.models import Channel, Content, Direction, NewEmail, NewSms, Status
from messaging.outbound import store
from tests.support import messages
from tests.support.database import Database
from tests.support.messages import CONTACT, CUSTOMER

PICTURE = "https://example.com/image.jpg?sig=a%2Bb"


def test_an_accepted_message_is_queued_with_its_conversation_contact_and_participants(
    database: Database,
) -> None:
    outcome, message = messages.accept()
    assert outcome is store.AcceptOutcome.CREATED
    assert (message.id, message.conversation_id) == (1, 1)
    assert (message.direction, message.status) == (Direction.OUTBOUND, Status.QUEUED)
    assert message.type is Channel.SMS
    assert (message.sender, message.recipient, message.body) == (CUSTOMER, CONTACT, "out")
    assert (message.provider, message.provider_message_id, message.error) == ("sms", None, None)
    thread = "SELECT customer_address, contact_address, contact_id, types FROM conversations"
    assert database.rows(thread) == [[CUSTOMER, CONTACT, 1, ["sms"]]]
    assert database.rows("SELECT contact_id, address FROM contact_addresses") == [[1, CONTACT]]
    assert database.rows("SELECT id FROM contacts") == [[1]]
    participants = "SELECT conversation_id, address, role FROM conversation_participants ORDER BY role"
    assert database.rows(participants) == [[1, CONTACT, "contact"], [1, CUSTOMER, "customer"]]
    dispatch = "SELECT dispatch_at - next_attempt_at BETWEEN '59 s' AND '61 s' FROM outbound_queue"
    assert database.value(dispatch) is True, "the first dispatch counts as lost after a minute"


def test_a_received_message_is_stored_with_its_conversation_and_extra_fields(database: Database) -> None:
    extra = {"carrier": "x", "parts": [1, None, {"\u00e4": "\u20ac"}]}
    created, message = messages.receive("id-1", extra=extra)
    assert created
    assert (message.direction, message.status) == (Direction.INBOUND, Status.RECEIVED)
    assert (message.sender, message.recipient, message.body) == (CONTACT, CUSTOMER, "in")
    assert (message.provider, message.provider_message_id) == ("sms", "id-1")
    stored = "SELECT customer_address, contact_address FROM conversations"
    assert database.rows(stored) == [[CUSTOMER, CONTACT]]
    assert database.value("SELECT extra FROM messages") == extra
    assert database.rows("SELECT FROM outbound_queue") == []


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "content",
    [
        messages.sms(body="\U0001f600 \u00e4 \t\r\n\x01\x7f\u2028 \\ \" ' {} %s :name"),
        messages.sms(body="", attachments=[PICTURE, PICTURE, "https://example.com/\u00e4?a=\"b\\'"]),
        messages.sms(body="x" * MAX_BODY),
        messages.email(subject="\u00c4 subject", html="<p>\u00e4</p>"),
        messages.email(subject="", body='<b>"x"</b>', attachments=[PICTURE] * 100),
        messages.email(
            cc=["b@example.org", "a@example.org"],
            reply_to="desk@example.com",
            headers={"X-\u0041": "\u00e4 '\"", "References": "<1@x> <2@x>"},
        ),
        messages.email(body="\u00e4" * (MAX_BODY // 2), html="\u20ac" * (MAX_BODY // 3)),
    ],
    ids=lambda content: f"{content.type}-{len(content.body)}",
)
def test_a_message_is_stored_without_changes(content: NewSms | NewEmail) -> None:
    assert content_of(messages.accept(content)[1]) == content.content()


def content_of(message: Message) -> dict[str, Any]:
    """The fields of a message that its caller sets."""
    return Content.model_validate(message.model_dump(include=set(Content.model_fields))).content()


def test_cc_addresses_of_emails_become_participants(database: Database) -> None:
    cc_participants = (
        "SELECT conversation_id, address FROM conversation_participants WHERE role = 'cc' ORDER BY address"
    )
    email = {"type": "email", "from": "contact@example.org", "to": "user@example.com"}
    messages.accept(messages.email(cc=["b@example.org", "contact@example.org", "user@example.com"]))
    messages.receive("id-1", **email, cc=["c@example.org", "b@example.org"])
    messages.receive("id-1", **email, cc=["d@example.org"])
    assert database.rows(cc_participants) == [[1, "b@example.org"], [1, "c@example.org"]]
    assert database.value("SELECT count(*) FROM conversation_participants") == 4


def test_a_stored_attachment_is_shown_by_its_path_in_the_api(database: Database) -> None:
    _, message = messages.receive("id-1", attachments=[PICTURE, PICTURE])
    stored = '{"key": "k", "name": "n", "content_type": "text/plain", "size": 1}'
    database.rows(f"UPDATE messages SET attachments = attachments || '{stored}'::jsonb")
    assert messages.read(message.id).attachments == [PICTURE, PICTURE, "/api/messages/1/attachments/3"]


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("text", "time"),
    [
        ("2024-11-01T14:00:00Z", datetime(2024, 11, 1, 14, tzinfo=UTC)),
        ("2024-11-01T14:00:00", datetime(2024, 11, 1, 14, tzinfo=UTC)),
        ("2024-11-01T14:00:00.123456-05:30", datetime(2024, 11, 1, 19, 30, 0, 123456, tzinfo=UTC)),
        ("0001-01-01T00:00:00Z", datetime.min.replace(tzinfo=UTC)),
        ("9999-12-31T23:59:59.999999Z", datetime.max.replace(tzinfo=UTC)),
    ],
)
def test_a_time_is_stored_to_the_microsecond_from_year_1_to_9999(text: str, time: datetime) -> None:
    assert messages.accept(messages.sms(timestamp=text))[1].timestamp == time
    assert messages.receive(timestamp=text)[1].timestamp == time


def test_both_directions_and_all_types_between_two_addresses_are_one_conversation(database: Database) -> None:
    stored = [
        messages.accept()[1],
        messages.accept(messages.sms(attachments=[PICTURE]))[1],
        messages.receive("id-1")[1],
        messages.receive("id-2", type="mms", attachments=[PICTURE])[1],
    ]
    assert {message.conversation_id for message in stored} == {1}
    assert [message.id for message in stored] == [1, 2, 3, 4]
    assert database.rows("SELECT types FROM conversations") == [[["sms", "mms"]]]


def test_a_contact_is_the_same_for_all_customer_addresses(database: Database) -> None:
    ids = [messages.accept(messages.sms(**{"from": f"+1201666000{n}"}))[1].conversation_id for n in range(3)]
    assert len(set(ids)) == 3
    assert database.value("SELECT count(*) FROM contacts") == 1


def test_swapped_customer_and_contact_are_another_conversation(database: Database) -> None:
    """Both addresses belong to customers, and each is the contact of the other."""
    first = messages.accept()[1]
    swapped = messages.accept(messages.sms(**{"from": CONTACT, "to": CUSTOMER}))[1]
    assert first.conversation_id != swapped.conversation_id
    assert database.value("SELECT count(*) FROM contacts") == 2


def test_activity_is_the_time_of_storing_and_not_the_message_s_timestamp(database: Database) -> None:
    messages.accept(messages.sms(timestamp="2050-01-01T00:00:00Z"))
    messages.receive(timestamp="1999-01-01T00:00:00Z")
    last, age = database.rows(
        "SELECT last_message_at, clock_timestamp() - last_message_at FROM conversations"
    )[0]
    assert isinstance(age, timedelta)
    assert timedelta() < age < timedelta(seconds=10)
    messages.receive("id-2")
    assert database.value("SELECT last_message_at > :last FROM conversations", last=last) is True


def test_a_second_request_with_an_id_returns_the_first_message(database: Database) -> None:
    _, first = messages.receive("id-1")
    created, second = messages.receive("id-1", body="other", **{"from": "+18045550000"})
    assert not created
    assert second == first
    assert database.value("SELECT count(*) FROM messages") == 1
    assert database.value("SELECT count(*) FROM conversations") == 1


def test_the_same_id_of_another_provider_is_another_message(database: Database) -> None:
    messages.receive("id-1")
    assert messages.store_part(messages.inbound("id-1"), "other").outcome == "created"
    claimed = messages.claim_new()
    messages.record_sent(claimed, "id-1")  # the id of an outbound message is independent too
    assert database.value("SELECT count(*) FROM messages m WHERE id_at_provider(m) = 'id-1'") == 3


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("id", ["1", "=", "a=b==", "sms=1", "\u00e4\U0001f600 %", "x" * 512])
def test_an_inbound_message_has_the_id_that_its_provider_gave_it(id: str) -> None:
    created, message = messages.receive(id)
    assert created
    assert message.provider_message_id == id
    assert messages.receive(id) == (False, message)


def test_a_message_s_size_is_about_that_of_its_json(database: Database) -> None:
    content = messages.sms(body="\u20ac" * 1000, attachments=[PICTURE])
    messages.accept(content)
    size = database.value("SELECT size FROM messages")
    assert isinstance(size, int)
    assert 0 <= size - len(content.model_dump_json(by_alias=True).encode()) < 100
