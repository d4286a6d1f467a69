"""Attempts: who may claim a message, and what is recorded about how the attempt ended."""

from datetime import timedelta
from uuid import uuid4

import pytest

from messaging.conversations.responses import MessageError, MessageWithEvents
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts
from messaging.outbound.attempts import AttemptRecord
from messaging.postgres.database import StatementRejected
from tests.support import messages
from tests.support.database import Database


def message(id: int = 1) -> MessageWithEvents:
    return messages.read(id)


def test_a_claim_returns_the_accepted_message_with_a_token_of_its_own(database: Database) -> None:
    contents = [
        messages.sms(),
        messages.sms(
            to="+18045550002",
            body="",
            attachments=["https://example.com/a.jpg"],
            timestamp="2024-11-01T14:00:00.5Z",
        ),
        messages.email(subject="\u00e4", html="<p>"),
    ]
    ids = [messages.accept(content)[1].id for content in contents]
    claimed = sorted(messages.claim_all(ids), key=lambda message: message.id)
    assert [message.id for message in claimed] == ids
    assert [message.content() for message in claimed] == [content.content() for content in contents]
    assert {message.attempt for message in claimed} == {1}
    assert {message.provider for message in claimed} == {"sms"}
    assert len({message.token for message in claimed}) == 3
    assert [message(id).status for id in ids] == [Status.SENDING] * 3
    leased = "leases JOIN messages ON id = message_id"
    lease = f"SELECT bool_and(expires_at - updated_at BETWEEN '29 s' AND '31 s') FROM {leased}"
    assert database.value(lease) is True


@pytest.mark.usefixtures("database")
def test_only_a_queued_message_is_claimed_and_only_once() -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(2)]
    inbound = messages.receive()[1].id
    assert [message.id for message in messages.claim_all([ids[0]])] == [ids[0]]
    assert [message.id for message in messages.claim_all([*ids, inbound, 99, 0, -1])] == [ids[1]]
    assert messages.claim_all(ids) == []
    assert messages.claim_all([]) == []


@pytest.mark.usefixtures("database")
def test_a_sent_message_has_the_provider_s_id() -> None:
    claimed = messages.claim_new()
    recorded = attempts.record(claimed.token, Status.SENT, provider_message_id="p-1")
    assert recorded.status is Status.SENT
    assert 0 < recorded.seconds < 10
    assert (message().status, message().provider_message_id, message().error) == (Status.SENT, "p-1", None)
    [event] = message().events
    assert (event.kind, event.attempt, event.provider, event.status) == ("attempt", 1, "sms", Status.SENT)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("status", [Status.FAILED, Status.UNKNOWN])
def test_a_failure_shows_the_provider_s_code_and_reason(status: Status) -> None:
    token = messages.claim_new().token
    assert attempts.record(token, status, code="21610", reason="Unsubscribed \u00e4").status is status
    assert (message().status, message().error) == (
        status,
        MessageError(code="21610", reason="Unsubscribed \u00e4"),
    )
    [event] = message().events
    assert (event.status, event.code, event.reason) == (status, "21610", "Unsubscribed \u00e4")


def test_a_retry_is_due_after_its_wait_and_for_the_relay_a_minute_later(database: Database) -> None:
    claimed = messages.claim_new()
    wait = timedelta(minutes=10)
    assert attempts.record(claimed.token, Status.QUEUED, code="503", wait=wait).status is Status.QUEUED
    assert messages.claim_all([1]) == []
    queued = "outbound_queue JOIN messages ON id = message_id"
    times = f"SELECT next_attempt_at - updated_at, dispatch_at - updated_at FROM {queued}"
    [[next_attempt, next_dispatch]] = database.rows(times)
    assert isinstance(next_attempt, timedelta)
    assert isinstance(next_dispatch, timedelta)
    assert abs(next_attempt - wait) < timedelta(seconds=1)
    assert abs(next_dispatch - wait - timedelta(minutes=1)) < timedelta(seconds=1)
    assert database.rows("SELECT FROM leases") == []
    database.rows("UPDATE outbound_queue SET next_attempt_at = now()")
    [again] = messages.claim_all([1])
    assert again.attempt == 2
    assert again.token != claimed.token
    assert again.content() == claimed.content()


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    ("status", "fields"),
    [
        (Status.SENT, {"provider_message_id": "p-1"}),
        (Status.FAILED, {"code": "1", "reason": "no"}),
        (Status.UNKNOWN, {"code": "2"}),
    ],
)
def test_recording_an_attempt_twice_changes_nothing(status: Status, fields: dict[str, str]) -> None:
    token = messages.claim_new().token
    first = attempts.record(token, status, provider_message_id=fields.get("provider_message_id"))
    before = message()
    for _ in range(2):
        again = attempts.record(token, status, provider_message_id=fields.get("provider_message_id"))
        assert again.status is first.status
    assert message() == before


@pytest.mark.usefixtures("database")
def test_a_record_after_the_lease_counts_and_is_not_undone_by_a_later_one() -> None:
    [claimed] = messages.claim_all([messages.accept()[1].id], timedelta(seconds=-1))
    assert attempts.expire_leases(10) == 1
    assert attempts.record(claimed.token, Status.SENT, provider_message_id="p-1").status is Status.SENT
    assert (message().status, message().provider_message_id, message().error) == (Status.SENT, "p-1", None)
    assert attempts.record(claimed.token, Status.UNKNOWN).status is Status.SENT
    assert [event.status for event in message().events] == [Status.UNKNOWN, Status.SENT, Status.UNKNOWN]


@pytest.mark.usefixtures("database")
def test_a_late_record_does_not_queue_an_unknown_outcome_again() -> None:
    token = messages.claim_new().token
    attempts.record(token, Status.UNKNOWN)
    assert attempts.record(token, Status.QUEUED, wait=timedelta()).status is Status.UNKNOWN
    assert messages.claim_all([1]) == []


@pytest.mark.usefixtures("database")
def test_a_success_that_is_recorded_late_stops_the_next_attempt() -> None:
    claimed = messages.claim_new()
    attempts.record(claimed.token, Status.UNKNOWN, wait=timedelta())
    assert attempts.resolve(claimed.token, Status.QUEUED, "no_evidence", "") is not None
    assert attempts.record(claimed.token, Status.SENT, provider_message_id="p-1").status is Status.SENT
    assert messages.claim_all([claimed.id]) == []


def superseded() -> tuple[OutboundMessage, OutboundMessage]:
    """The first attempt of a message, and the second, which is not finished."""
    first = messages.claim_new()
    attempts.record(first.token, Status.QUEUED, wait=timedelta())
    return first, messages.claim(first.id)


@pytest.mark.usefixtures("database")
def test_a_record_of_a_superseded_attempt_is_only_an_event() -> None:
    first, second = superseded()
    for status in (Status.FAILED, Status.UNKNOWN, Status.SENT):
        recorded = attempts.record(first.token, status, provider_message_id="p-1")
        assert recorded.status is Status.SENDING
    assert (message().status, message().provider_message_id) == (Status.SENDING, None)
    messages.record_sent(second, "p-2")
    assert attempts.record(first.token, Status.FAILED).status is Status.SENT
    assert message().provider_message_id == "p-2"
    assert [event.attempt for event in message().events] == [1, 1, 1, 1, 2, 1]


@pytest.mark.usefixtures("database")
def test_a_report_of_a_superseded_attempt_is_only_an_event() -> None:
    first, second = superseded()
    attempts.record(first.token, Status.SENT, provider_message_id="p-1")
    messages.record_sent(second, "p-2")
    assert messages.report(Status.FAILED, "p-1", code="30003")[0] == "noted"
    assert (message().status, message().error) == (Status.SENT, None)
    assert messages.report(Status.DELIVERED, "p-2")[0] == "moved"
    assert messages.report(Status.READ, "p-1")[0] == "noted"
    assert message().status is Status.DELIVERED
    assert [event.attempt for event in message().events if event.kind == "report"] == [1, 2, 1]


@pytest.mark.usefixtures("database")
def test_a_provider_s_id_belongs_to_the_first_message_that_got_it() -> None:
    ids = [messages.record_sent(messages.claim_new(), "p-1") for _ in range(3)]
    assert [message(id).status for id in ids] == [Status.SENT] * 3
    assert [message(id).provider_message_id for id in ids] == ["p-1", None, None]
    messages.report(Status.DELIVERED, "p-1")
    assert [message(id).status for id in ids] == [Status.DELIVERED, Status.SENT, Status.SENT]


@pytest.mark.usefixtures("database")
def test_an_unknown_token_is_rejected() -> None:
    with pytest.raises(StatementRejected, match="P0002"):
        attempts.record(uuid4(), Status.SENT)


def test_attempts_that_ended_together_are_recorded_as_each_on_its_own(database: Database) -> None:
    sent, failed, queued = (messages.claim_new() for _ in range(3))
    records = [
        AttemptRecord(queued.token, Status.QUEUED, failure="temporary", wait=timedelta(seconds=90)),
        AttemptRecord(sent.token, Status.SENT, provider_message_id="p-1"),
        AttemptRecord(failed.token, Status.FAILED, failure="permanent", code="21610", reason="Unsubscribed"),
    ]
    for _ in range(2):  # again, as if the answer was lost
        recorded = attempts.record_all(records)
        assert [decision.status for decision in recorded] == [Status.QUEUED, Status.SENT, Status.FAILED]
        assert [decision.wait and round(decision.wait) for decision in recorded] == [90, None, None]
    assert database.rows("SELECT status, provider_message_id, error_code FROM messages ORDER BY id") == [
        ["sent", "p-1", None],
        ["failed", None, "21610"],
        ["queued", None, None],
    ]
    assert database.value("SELECT count(*) FROM message_events") == 3


def test_of_attempts_that_ended_together_all_are_recorded_or_none(database: Database) -> None:
    sent = messages.claim_new()
    with pytest.raises(StatementRejected):
        attempts.record_all(
            [
                AttemptRecord(sent.token, Status.SENT),
                AttemptRecord(messages.claim_new().token, Status.FAILED, failure="rumour"),
            ]
        )
    assert database.rows("SELECT DISTINCT status FROM messages") == [["sending"]]
