"""What ends a message that no provider takes, and what does not."""

from collections.abc import Iterator
from contextlib import closing

import pytest

from local import Behaviour, Stack, running
from tests.support.database import Database
from tests.support.faults.provider_outcomes import SILENT
from tests.support.faults.unknown_outcomes import UNKNOWN_AFTER, resolve_after_two_seconds
from tests.support.http_client import post
from tests.support.outbound import attempts, calls, deliver_again, message, sent, wait_for
from tests.support.waiting import eventually

ATTEMPTS = 3
DAY = "interval '1 day'"


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    """A stack whose provider has no status lookup."""
    parameters = {"MaxAttempts": str(ATTEMPTS), **UNKNOWN_AFTER}
    with running(relay_every=0.5, parameters=parameters, without_status_lookup=["sms"]) as stack:
        resolve_after_two_seconds(stack)
        yield stack


@pytest.fixture
def database(stack: Stack) -> Iterator[Database]:
    """The database, with all attempts long ago: failures within a minute would open the circuit."""
    with closing(Database(stack.database_url)) as database:
        database.rows("UPDATE attempts SET ended_at = ended_at - interval '1 hour'")
        yield database


def try_again(stack: Stack, database: Database, id: int) -> None:
    """Wait until the message waits for a retry, and make the retry due now."""
    eventually(lambda: message(stack, id)["status"] == "queued" and attempts(message(stack, id)))
    database.rows(
        "UPDATE outbound_queue SET next_attempt_at = clock_timestamp() WHERE message_id = :id", id=id
    )
    deliver_again(stack, id)


def make_older(database: Database, id: int) -> None:
    database.rows(f"UPDATE messages SET created_at = created_at - {DAY} WHERE id = :id", id=id)


def test_a_misconfigured_provider_ends_no_message_and_is_counted(
    stack: Stack, database: Database, contact: str
) -> None:
    times = ATTEMPTS + 2
    stack.provider.behave(Behaviour(status=401, retry_after=900, times=times), SILENT)
    id = sent(stack, contact)
    for _ in range(times):
        try_again(stack, database, id)
    final = wait_for(stack, id, "sent")
    refused = [(number, "queued", "401") for number in range(1, times + 1)]
    assert attempts(final) == [*refused, (times + 1, "sent", None)]
    assert stack.log("DeliverMessage").count('"Misconfigured":') == times


@pytest.mark.parametrize("status", [503, 401])
def test_a_message_past_max_age_fails_with_the_reason(
    stack: Stack, database: Database, contact: str, status: int
) -> None:
    stack.provider.behave(Behaviour(status=status, retry_after=900))
    id = sent(stack, contact)
    eventually(lambda: attempts(message(stack, id)))
    make_older(database, id)
    try_again(stack, database, id)
    final = wait_for(stack, id, "failed")
    assert final["error"]["code"] == "expired"
    assert f"The provider answered {status}." in final["error"]["reason"]
    assert final["events"][-1]["kind"] == "resolved"
    assert len(calls(stack, id)) == 1


def test_an_unknown_outcome_past_max_age_is_not_sent_again(
    stack: Stack, database: Database, contact: str
) -> None:
    stack.provider.behave(Behaviour(close="before", times=1), SILENT)
    fields = {"from": "+12016661234", "to": contact, "body": "Hello", "delivery_policy": "at_least_once"}
    id = int(post(f"{stack.url}/api/messages/sms", fields).body["id"])
    wait_for(stack, id, "unknown")
    make_older(database, id)
    eventually(lambda: message(stack, id)["events"][-1]["kind"] == "resolved")
    assert message(stack, id)["status"] == "unknown"
    assert len(calls(stack, id)) == 1


def test_a_wait_longer_than_the_queue_s_maximum_is_respected(
    stack: Stack, database: Database, contact: str
) -> None:
    stack.provider.behave(Behaviour(status=429, retry_after=2000, times=1), SILENT)
    id = sent(stack, contact)
    eventually(lambda: attempts(message(stack, id)))
    left = "extract(epoch FROM next_attempt_at - clock_timestamp())::float"
    wait = f"SELECT {left} FROM outbound_queue WHERE message_id = :id"
    assert 1900 < float(str(database.value(wait, id=id))) <= 2000
    deliver_again(stack, id)
    assert len(calls(stack, id)) == 1
    database.rows(
        "UPDATE outbound_queue SET next_attempt_at = clock_timestamp(), dispatch_at = clock_timestamp()"
        " WHERE message_id = :id",
        id=id,
    )
    wait_for(stack, id, "sent")
    assert len(calls(stack, id)) == 2
