"""What becomes of a message whose delivery does not go as it should."""

from contextlib import closing
from urllib.parse import urlsplit

import pytest

from local import Behaviour, Stack
from tests.e2e.conftest import keep
from tests.support import processes
from tests.support.database import Database
from tests.support.outbound import attempts, calls, deliver_again, message, sent, wait_for
from tests.support.waiting import eventually

FUNCTION_SECONDS, QUEUE_SECONDS = 30, 180
"""How long DeliverMessage may run, and how long the queue keeps a message from others meanwhile."""


def test_a_provider_that_fails_for_a_while_is_asked_again_until_it_takes_the_message(
    fragile: Stack, contact: str
) -> None:
    fragile.provider.behave(Behaviour(status=503, times=2))
    id = sent(fragile, contact)
    delivered = wait_for(fragile, id, "delivered", seconds=30)
    assert attempts(delivered) == [(1, "queued", "503"), (2, "queued", "503"), (3, "sent", None)]
    assert [call.status for call in calls(fragile, id)] == [503, 503, 200]
    assert delivered["error"] is None


def test_a_report_of_a_failure_says_why_in_the_provider_s_words(fragile: Stack, contact: str) -> None:
    fragile.provider.behave(Behaviour(reports=["sent", "failed"], times=1))
    failed = wait_for(fragile, sent(fragile, contact), "failed")
    assert failed["error"] == {"code": "30003", "reason": "Unreachable"}


def test_a_report_that_comes_late_or_twice_does_not_lead_back(fragile: Stack, contact: str) -> None:
    fragile.provider.behave(Behaviour(reports=["delivered", "delivered", "sent"], times=1))
    id = sent(fragile, contact)
    eventually(lambda: len(message(fragile, id)["events"]) == 4)
    assert message(fragile, id)["status"] == "delivered"


@pytest.mark.parametrize(
    "told", [Behaviour(close="before", times=1), Behaviour(close="after", reports=[], times=1)]
)
def test_a_provider_that_hangs_up_leaves_the_outcome_unknown_and_is_not_asked_again(
    fragile: Stack, contact: str, told: Behaviour
) -> None:
    fragile.provider.behave(told)
    id = sent(fragile, contact)
    assert attempts(wait_for(fragile, id, "unknown")) == [(1, "unknown", "no_answer")]
    deliver_again(fragile, id)
    assert len(calls(fragile, id)) == 1


def test_a_report_ends_an_unknown_outcome(fragile: Stack, contact: str) -> None:
    fragile.provider.behave(Behaviour(close="after", times=1))
    id = sent(fragile, contact)
    delivered = wait_for(fragile, id, "delivered")
    assert attempts(delivered) == [(1, "unknown", "no_answer")]
    assert delivered["provider_message_id"] == calls(fragile, id)[0].id


def test_a_message_whose_worker_was_killed_ends_as_unknown_and_is_never_sent_twice(
    fragile: Stack, contact: str
) -> None:
    fragile.provider.behave(Behaviour(delay=4, reports=[], times=1))
    id = sent(fragile, contact)
    port = urlsplit(fragile.provider.url).port
    assert port is not None
    [worker] = eventually(lambda: processes.connected_to(port))
    assert message(fragile, id)["status"] == "sending"
    processes.kill(worker)
    eventually(lambda: len(calls(fragile, id)) == 1)
    assert message(fragile, id)["status"] == "sending"  # who knows: the worker has its lease
    with closing(Database(fragile.database_url)) as database:
        lease = database.value(
            "SELECT extract(epoch FROM lease_expires_at - created_at)::float FROM messages WHERE id = :id",
            id=id,
        )
        assert isinstance(lease, float)
        assert FUNCTION_SECONDS < lease < QUEUE_SECONDS
        pass_time(database, id, "lease_expires_at")
    assert attempts(wait_for(fragile, id, "unknown")) == [(1, "unknown", "lease_expired")]
    deliver_again(fragile, id)
    assert message(fragile, id)["status"] == "unknown"
    assert len(calls(fragile, id)) == 1


def test_a_message_that_was_kept_but_never_queued_is_found_by_the_relay(fragile: Stack, contact: str) -> None:
    with closing(Database(fragile.database_url)) as database:
        id = keep(database, contact)
        pass_time(database, id, "dispatch_at")
    assert attempts(wait_for(fragile, id, "delivered")) == [(1, "sent", None)]
    assert len(calls(fragile, id)) == 1


def pass_time(database: Database, id: int, until: str) -> None:
    """What this column of the message waits for is now."""
    database.rows(f"UPDATE messages SET {until} = clock_timestamp() WHERE id = :id", id=id)
