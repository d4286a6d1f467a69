"""The messages of a conversation are sent one at a time, in the order in which they were accepted."""

import random
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest

from messaging.models import NewSms, Status
from messaging.outbound import attempts, store
from messaging.outbound.attempts import Claimed
from tests.support.database import Database
from tests.support.messages import ACCOUNT

LEASE = timedelta(seconds=30)
CONTACTS = [f"+1804555{number:04}" for number in range(8)]


def accept(contact: str = CONTACTS[0]) -> int:
    message = NewSms.model_validate({"from": "+12016661234", "to": contact, "body": "Hello"})
    return store.accept_message(ACCOUNT, message, ["sms"])[1].id  # type: ignore[union-attr]  # there is no key


def ids(claimed: Claimed) -> tuple[list[int], list[int]]:
    return [message.id for message in claimed.messages], [dispatch.message_id for dispatch in claimed.blocked]


def send(dispatches: list[int]) -> None:
    """Does what a delivery does: claims, records, and dispatches the next message."""
    while dispatches:
        claimed = attempts.claim([dispatches.pop()], LEASE)
        for message in claimed.messages:
            recorded = attempts.record(message.token, Status.SENT, provider_message_id=f"sent-{message.id}")
            dispatches += [recorded.next_id] if recorded.next_id else []


def test_an_id_stands_for_its_conversation_and_claims_the_first_message(database: Database) -> None:
    first, second, third = accept(), accept(), accept()
    claimed = attempts.claim([third], LEASE)
    assert ids(claimed) == ([first], [])
    assert attempts.record(claimed.messages[0].token, Status.SENT).next_id == second


def test_messages_behind_an_attempt_wait_and_the_next_is_dispatched_again(database: Database) -> None:
    first, second, third = accept(), accept(), accept()
    assert ids(attempts.claim([first], LEASE)) == ([first], [])
    assert ids(attempts.claim([third], LEASE)) == ([], [second])
    assert ids(attempts.claim([second, third], LEASE)) == ([], [second])


def test_a_claim_takes_one_message_of_a_conversation_and_blocks_no_other(database: Database) -> None:
    first, second, other = accept(), accept(), accept(CONTACTS[1])
    claimed, waiting = ids(attempts.claim([first, second, other], LEASE))
    assert (sorted(claimed), waiting) == ([first, other], [])  # conversations have no order among them


def test_a_message_that_waits_for_a_retry_does_not_block_the_others(database: Database) -> None:
    first, second, third = accept(), accept(), accept()
    [message] = attempts.claim([first], LEASE).messages
    recorded = attempts.record(message.token, Status.QUEUED, wait=timedelta(hours=1))
    assert recorded.next_id == second
    [message] = attempts.claim([first, third], LEASE).messages
    assert message.id == second
    attempts.record(message.token, Status.SENT)
    database.rows("UPDATE outbound_queue SET next_attempt_at = clock_timestamp() WHERE message_id = 1")
    assert ids(attempts.claim([first], LEASE)) == ([first], [])
    assert ids(attempts.claim([third], LEASE)) == ([], [third])


def test_an_expired_lease_does_not_block_the_next_message(database: Database) -> None:
    first, second = accept(), accept()
    assert ids(attempts.claim([first], LEASE)) == ([first], [])
    database.rows("UPDATE leases SET expires_at = clock_timestamp() WHERE message_id = 1")
    assert attempts.expire_leases(10) == 1
    assert ids(attempts.claim([second], LEASE)) == ([second], [])


@pytest.mark.slow
def test_eight_workers_keep_every_conversation_in_order(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    accepted = [accept(contact) for _ in range(12) for contact in CONTACTS]
    shuffled = [random.sample(accepted, len(accepted)) for _ in range(8)]
    list(environments.map(send, shuffled))
    # An id whose worker lost a race stays in the queue and is delivered again.
    send([*accepted])
    assert database.value("SELECT count(*) FROM messages WHERE status = 'sent'") == len(accepted)
    assert database.value("SELECT count(*) FROM attempts") == len(accepted)
    out_of_order = """
        SELECT count(*) FROM (
            SELECT a.started_at, lag(a.ended_at) OVER (PARTITION BY m.conversation_id ORDER BY m.id) AS before
              FROM attempts a JOIN messages m ON m.id = a.message_id) AS each
         WHERE started_at < before"""
    assert database.value(out_of_order) == 0


def postpone(database: Database, id: int) -> None:
    """Does what the relay does with a message far back in a backlog."""
    late = "dispatch_at = now() + interval '1 hour', dispatch_count = 6"
    database.rows(f"UPDATE outbound_queue SET {late} WHERE message_id = :id", id=id)


def seconds_until_dispatch(database: Database, id: int) -> float:
    until = "extract(epoch FROM dispatch_at - clock_timestamp())::float"
    return float(str(database.value(f"SELECT {until} FROM outbound_queue WHERE message_id = :id", id=id)))


def test_the_next_message_is_due_within_a_minute_if_its_dispatch_is_lost(database: Database) -> None:
    first, second, third = accept(), accept(), accept()
    [message] = attempts.claim([first], LEASE).messages
    postpone(database, second)
    postpone(database, third)
    assert attempts.record(message.token, Status.SENT).next_id == second
    assert 50 < seconds_until_dispatch(database, second) <= 60
    assert seconds_until_dispatch(database, third) > 3000


def test_a_message_behind_a_dead_worker_is_dispatched_with_the_first(database: Database) -> None:
    first, second = accept(), accept()
    attempts.claim([first], timedelta(seconds=-1))
    postpone(database, second)
    assert attempts.expire_leases(10) == 1
    assert sorted(dispatch.message_id for dispatch in attempts.take_due_dispatches(10)) == [first, second]
