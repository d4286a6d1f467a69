"""The SQL of the relay: messages that are due for a dispatch, and claims whose lease ran out."""

from datetime import timedelta

import pytest

from messaging.conversations.responses import MessageError
from messaging.models import Status
from messaging.outbound import attempts, store
from messaging.outbound.attempts import Dispatch
from tests.support import messages
from tests.support.admin import make_account
from tests.support.database import Database

DUE = "UPDATE outbound_queue SET dispatch_at = now()"
WAIT = "SELECT round(extract(epoch FROM dispatch_at - clock_timestamp()) / 60)::int FROM outbound_queue"


def test_a_dispatch_counts_as_lost_a_minute_after_its_message_was_accepted(database: Database) -> None:
    messages.accept()
    assert attempts.take_due_dispatches(10) == []
    database.rows("UPDATE outbound_queue SET dispatch_at = dispatch_at - interval '59 s'")
    assert attempts.take_due_dispatches(10) == []
    database.rows("UPDATE outbound_queue SET dispatch_at = dispatch_at - interval '1 s'")
    assert attempts.take_due_dispatches(10) == [Dispatch(1, 1)]
    assert attempts.take_due_dispatches(10) == []


def test_the_time_between_dispatches_doubles_up_to_an_hour(database: Database) -> None:
    messages.accept()
    waits = []
    for _ in range(9):
        database.rows(DUE)
        assert len(attempts.take_due_dispatches(10)) == 1
        waits.append(database.value(WAIT))
    assert waits == [2, 4, 8, 16, 32, 60, 60, 60, 60]


def test_an_attempt_resets_the_time_between_dispatches(database: Database) -> None:
    messages.accept()
    for _ in range(5):
        database.rows(DUE)
        attempts.take_due_dispatches(10)
    claimed = messages.claim(1)
    attempts.record(claimed.token, Status.QUEUED, wait=timedelta())
    assert database.value(WAIT) == 1
    database.rows(DUE)
    attempts.take_due_dispatches(10)
    assert database.value(WAIT) == 2


def test_the_longest_overdue_are_taken_first_up_to_the_limit(database: Database) -> None:
    for _ in range(5):
        messages.accept()
    database.rows("UPDATE outbound_queue SET dispatch_at = now() - message_id * interval '1 s'")
    assert {dispatch.message_id for dispatch in attempts.take_due_dispatches(2)} == {4, 5}
    assert {dispatch.message_id for dispatch in attempts.take_due_dispatches(2)} == {2, 3}
    assert {dispatch.message_id for dispatch in attempts.take_due_dispatches(2)} == {1}
    assert attempts.take_due_dispatches(2) == []


def test_only_queued_messages_and_open_unknown_outcomes_are_dispatched(database: Database) -> None:
    messages.accept()
    messages.claim_new()
    messages.record_sent(messages.claim_new())
    messages.receive()
    unknown = messages.claim_new()
    attempts.record(unknown.token, Status.UNKNOWN, wait=timedelta(seconds=15))
    database.rows(DUE)
    assert sorted(attempts.take_due_dispatches(10)) == [Dispatch(1, 1), Dispatch(unknown.id, 1)]
    attempts.resolve(unknown.token, Status.UNKNOWN, "no_evidence", "")
    database.rows(DUE)
    assert attempts.take_due_dispatches(10) == [Dispatch(1, 1)]


def test_a_message_that_the_queue_did_not_take_is_due_at_once(database: Database) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(3)]
    claimed = messages.claim(ids[1])
    attempts.leave_to_relay(ids[:2])
    assert attempts.take_due_dispatches(10) == [Dispatch(ids[0], 1)]
    attempts.record(claimed.token, Status.QUEUED, wait=timedelta(minutes=10))
    attempts.leave_to_relay([claimed.id, 99])
    assert attempts.take_due_dispatches(10) == [], "a retry is not due before its time"
    database.rows("UPDATE outbound_queue SET next_attempt_at = now()")
    attempts.leave_to_relay([claimed.id])
    assert attempts.take_due_dispatches(10) == [Dispatch(claimed.id, 1)]


@pytest.mark.usefixtures("database")
def test_a_claim_whose_lease_ran_out_is_an_unknown_outcome() -> None:
    id = messages.accept()[1].id
    attempts.claim([id], timedelta(seconds=-1))
    assert attempts.expire_leases(10) == 1
    message = messages.read(id)
    error = MessageError(code="lease_expired", reason="The delivery ended without a record.")
    assert (message.status, message.error) == (Status.UNKNOWN, error)
    [event] = message.events
    assert (event.kind, event.attempt, event.status, event.code) == (
        "attempt",
        1,
        Status.UNKNOWN,
        "lease_expired",
    )
    assert messages.claim_all([id]) == []
    assert attempts.expire_leases(10) == 0
    assert messages.report(Status.DELIVERED, "p-1", id)[0] == "moved"
    assert (messages.read(id).status, messages.read(id).error) == (Status.DELIVERED, None)


@pytest.mark.usefixtures("database")
def test_leases_of_running_and_finished_workers_do_not_expire() -> None:
    messages.claim_new()
    done = messages.claim_new()
    messages.record_sent(done)
    reported = messages.accept()[1].id
    attempts.claim([reported], timedelta(seconds=-1))
    messages.report(Status.SENT, reference=reported)
    assert attempts.expire_leases(10) == 0
    assert messages.read(reported).status is Status.SENT


def test_a_lease_does_not_expire_while_its_attempt_is_being_recorded(database: Database) -> None:
    id = messages.accept()[1].id
    attempts.claim([id], timedelta(seconds=-1))
    database.rows("BEGIN")
    database.rows("SELECT FROM attempts FOR NO KEY UPDATE")  # as the record's first write
    try:
        assert attempts.expire_leases(10) == 0
    finally:
        database.rows("ROLLBACK")
    assert messages.read(id).status is Status.SENDING
    assert attempts.expire_leases(10) == 1


@pytest.mark.usefixtures("database")
def test_leases_expire_up_to_the_limit() -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(5)]
    attempts.claim(ids, timedelta(seconds=-1))
    assert [attempts.expire_leases(2) for _ in range(4)] == [2, 2, 1, 0]


def test_a_batch_keeps_to_the_limit_for_any_number_of_accounts(database: Database) -> None:
    for number in range(5):
        account = make_account(f"Shop {number}", f"shop{number}@example.com")
        store.accept_message(account, messages.email(**{"from": f"shop{number}@example.com"}), ["email"])
    database.rows("UPDATE outbound_queue SET dispatch_at = now() - message_id * interval '1 second'")
    longest = [dispatch.message_id for dispatch in attempts.take_due_dispatches(3)]
    assert sorted(longest) == [3, 4, 5]
    assert sorted(dispatch.message_id for dispatch in attempts.take_due_dispatches(3)) == [1, 2]
