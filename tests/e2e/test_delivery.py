"""What happens to a message if its delivery fails."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from local import Behaviour, Stack
from tests.support import processes
from tests.support.database import Database
from tests.support.outbound import attempts, calls, deliver_again, message, sent, wait_for
from tests.support.stack import add_undispatched
from tests.support.waiting import eventually

FUNCTION_SECONDS, QUEUE_SECONDS = 30, 180
"""The timeout of DeliverMessage, and the visibility timeout of its queue."""


def test_a_provider_that_fails_is_retried_until_it_accepts_the_message(
    faulty_stack: Stack, contact: str
) -> None:
    faulty_stack.provider.behave(Behaviour(status=503, times=2))
    id = sent(faulty_stack, contact)
    delivered = wait_for(faulty_stack, id, "delivered", seconds=30)
    assert attempts(delivered) == [(1, "queued", "503"), (2, "queued", "503"), (3, "sent", None)]
    assert [call.status for call in calls(faulty_stack, id)] == [503, 503, 200]
    assert delivered["error"] is None


def test_a_failure_report_shows_the_provider_s_error(faulty_stack: Stack, contact: str) -> None:
    faulty_stack.provider.behave(Behaviour(reports=["sent", "failed"], times=1))
    failed = wait_for(faulty_stack, sent(faulty_stack, contact), "failed")
    assert failed["error"] == {"code": "30003", "reason": "Unreachable"}


def test_a_late_or_repeated_report_does_not_change_the_status_back(faulty_stack: Stack, contact: str) -> None:
    faulty_stack.provider.behave(Behaviour(reports=["delivered", "delivered", "sent"], times=1))
    id = sent(faulty_stack, contact)
    eventually(lambda: len(message(faulty_stack, id)["events"]) == 4)
    assert message(faulty_stack, id)["status"] == "delivered"


@pytest.mark.parametrize(
    "behaviour", [Behaviour(close="before", times=1), Behaviour(close="after", reports=[], times=1)]
)
def test_a_closed_connection_is_an_unknown_outcome_and_not_retried(
    faulty_stack: Stack, contact: str, behaviour: Behaviour
) -> None:
    faulty_stack.provider.behave(behaviour)
    id = sent(faulty_stack, contact)
    assert attempts(wait_for(faulty_stack, id, "unknown")) == [(1, "unknown", "no_answer")]
    deliver_again(faulty_stack, id)
    assert len(calls(faulty_stack, id)) == 1


def test_a_report_resolves_an_unknown_outcome(faulty_stack: Stack, contact: str) -> None:
    faulty_stack.provider.behave(Behaviour(close="after", times=1))
    id = sent(faulty_stack, contact)
    delivered = wait_for(faulty_stack, id, "delivered")
    assert attempts(delivered) == [(1, "unknown", "no_answer")]
    assert delivered["provider_message_id"] == calls(faulty_stack, id)[0].id


def test_a_message_whose_worker_was_killed_becomes_unknown_and_is_not_sent_again(
    faulty_stack: Stack, contact: str
) -> None:
    faulty_stack.provider.behave(Behaviour(delay=4, reports=[], times=1))
    id = sent(faulty_stack, contact)
    port = urlsplit(faulty_stack.provider.url).port
    assert port is not None
    [worker] = eventually(lambda: processes.connected_to(port))
    assert message(faulty_stack, id)["status"] == "sending"
    processes.kill(worker)
    eventually(lambda: len(calls(faulty_stack, id)) == 1)
    assert message(faulty_stack, id)["status"] == "sending"  # the killed worker still holds the lease
    with closing(Database(faulty_stack.database_url)) as database:
        lease = database.value(
            "SELECT extract(epoch FROM expires_at - created_at)::float"
            " FROM messages JOIN leases ON message_id = id WHERE id = :id",
            id=id,
        )
        assert isinstance(lease, float)
        assert FUNCTION_SECONDS < lease < QUEUE_SECONDS
        pass_time(database, id, "leases", "expires_at")
    assert attempts(wait_for(faulty_stack, id, "unknown")) == [(1, "unknown", "lease_expired")]
    deliver_again(faulty_stack, id)
    assert message(faulty_stack, id)["status"] == "unknown"
    assert len(calls(faulty_stack, id)) == 1


def test_the_relay_dispatches_a_message_that_was_not_dispatched(faulty_stack: Stack, contact: str) -> None:
    with closing(Database(faulty_stack.database_url)) as database:
        id = add_undispatched(database, contact)
        pass_time(database, id, "outbound_queue", "dispatch_at")
    assert attempts(wait_for(faulty_stack, id, "delivered")) == [(1, "sent", None)]
    assert len(calls(faulty_stack, id)) == 1


def pass_time(database: Database, id: int, table: str, until: str) -> None:
    """Make the time that the message waits for the present."""
    database.rows(f"UPDATE {table} SET {until} = clock_timestamp() WHERE message_id = :id", id=id)
