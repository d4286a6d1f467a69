"""A write whose response was lost runs again. It returns the same row, and adds nothing."""

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest

from messaging.conversations.responses import Message
from messaging.models import Status
from messaging.outbound import attempts, store
from tests.support import messages
from tests.support.database import Database
from tests.support.database_reset import TABLES
from tests.support.postgres_proxy import End, Loss, Proxy
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

Write = Callable[[], object]
"""A write. It returns what must be the same if it runs twice."""


def summary(message: Message | None) -> object:
    assert message is not None
    return message.id, message.status, message.provider_message_id


def accepting() -> Write:
    messages.accept()  # creates a conversation, for whose lock the write waits
    return lambda: summary(messages.accept()[1])


def accepting_with_a_key() -> Write:
    messages.accept()
    return lambda: messages.accept(under=messages.key())[0]


def replaying() -> Write:
    messages.accept(under=messages.key())
    return lambda: messages.accept(under=messages.key())[0]


def conflicting() -> Write:
    messages.accept(under=messages.key())
    return lambda: store.accept_message(
        messages.ACCOUNT, messages.sms(), ["sms"], messages.key(fingerprint="other")
    )


def receiving() -> Write:
    messages.receive("before")
    return lambda: summary(messages.receive("new")[1])


def receiving_under_a_used_id() -> Write:
    messages.receive("used")
    return lambda: summary(messages.receive("used", body="other")[1])


def claiming() -> Write:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(3)]
    return lambda: sorted((message.id, message.attempt, message.body) for message in messages.claim_all(ids))


def recording_sent() -> Write:
    messages.report(Status.DELIVERED, "p-1")
    token = messages.claim_new().token
    return lambda: attempts.record(token, Status.SENT, provider_message_id="p-1").status


def recording_a_retry() -> Write:
    token = messages.claim_new().token
    return lambda: attempts.record(token, Status.QUEUED, code="503", wait=timedelta(minutes=1)).status


def reporting_by_the_provider_s_id() -> Write:
    messages.record_sent(messages.claim_new())
    return lambda: summary(messages.report(Status.DELIVERED, "p-1")[1])


def reporting_by_our_id() -> Write:
    id = messages.record_sent(messages.claim_new())
    return lambda: summary(messages.report(Status.FAILED, reference=id, code="30003")[1])


def reporting_an_unknown_status() -> Write:
    id = messages.record_sent(messages.claim_new())
    return lambda: summary(messages.report(None, reference=id)[1])


def reporting_before_the_attempt() -> Write:
    messages.accept()
    return lambda: messages.report(Status.DELIVERED, "p-9")


def expiring() -> Write:
    messages.claim_new()
    attempts.claim([messages.accept()[1].id], timedelta(seconds=-1))

    def expire() -> None:
        attempts.expire_leases(10)  # its result is the number of leases, which differs in a second run

    return expire


LOCKING_WRITES = [
    accepting,
    accepting_with_a_key,
    receiving,
    claiming,
    recording_sent,
    recording_a_retry,
    reporting_by_the_provider_s_id,
    reporting_by_our_id,
]
"""The writes that wait while another session has locked the messages and the conversations."""
WRITES = [
    *LOCKING_WRITES,
    replaying,
    conflicting,
    receiving_under_a_used_id,
    reporting_an_unknown_status,
    reporting_before_the_attempt,
    expiring,
]


def row_counts(database: Database) -> dict[str, object]:
    return {name: database.value(f"SELECT count(*) FROM {name}") for name in TABLES.split(", ")}


def expected_result(database: Database, prepare: Callable[[], Write]) -> tuple[object, dict[str, object]]:
    """Run the write without a loss, and empty the database again."""
    expected = prepare()(), row_counts(database)
    database.clear()
    return expected


@pytest.mark.parametrize("prepare", WRITES)
@pytest.mark.parametrize(
    "loss",
    [
        Loss(End.RESET),
        Loss(End.CLOSED),
        Loss(End.RESET, answered=30),
        Loss(End.CLOSED, answered=30),
        Loss(End.RESET, arrives=False),
    ],
    ids=lambda loss: f"{loss.end.name}-{loss.answered if loss.arrives else 'before'}",
)
def test_a_write_takes_effect_once_if_its_response_is_lost(
    database: Database, proxy: Proxy, prepare: Callable[[], Write], loss: Loss
) -> None:
    expected = expected_result(database, prepare)
    write, connections = prepare(), proxy.connection_count
    proxy.lose(loss)
    assert (write(), row_counts(database)) == expected
    assert proxy.connection_count == connections + 1


@pytest.mark.parametrize("prepare", LOCKING_WRITES)
def test_a_write_takes_effect_once_if_its_first_run_is_still_running(
    database: Database, other: Database, proxy: Proxy, prepare: Callable[[], Write]
) -> None:
    expected = expected_result(database, prepare)
    write = prepare()
    waiting_locks = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    other.rows("BEGIN")
    other.rows("SELECT 1 FROM conversations FOR UPDATE")
    other.rows("SELECT 1 FROM messages FOR UPDATE")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(write)
        eventually(lambda: database.value(waiting_locks) == 1)
        proxy.end_all(End.RESET)
        eventually(lambda: database.value(waiting_locks) == 2)
        other.rows("COMMIT")
        assert (result.result(), row_counts(database)) == expected
