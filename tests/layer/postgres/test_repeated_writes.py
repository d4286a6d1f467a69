"""Every write whose answer was lost is run again: it gives the row that it made, and makes nothing new."""

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

Act = Callable[[], object]
"""The write, giving what must be the same where it was run twice."""


def shown(message: Message | None) -> object:
    assert message is not None
    return message.id, message.status, message.provider_message_id


def accepting() -> Act:
    messages.accept()  # so that there is a conversation to wait for
    return lambda: shown(messages.accept()[1])


def accepting_under_a_key() -> Act:
    messages.accept()
    return lambda: messages.accept(under=messages.key())[0]


def replaying() -> Act:
    messages.accept(under=messages.key())
    return lambda: messages.accept(under=messages.key())[0]


def conflicting() -> Act:
    messages.accept(under=messages.key())
    return lambda: store.accept_message(
        messages.ACCOUNT, messages.sms(), ["sms"], messages.key(fingerprint="other")
    )


def receiving() -> Act:
    messages.receive("before")
    return lambda: shown(messages.receive("new")[1])


def claiming() -> Act:
    ids = [messages.accept(messages.apart())[1].id for _ in range(3)]
    return lambda: sorted((one.id, one.attempt, one.body) for one in messages.claim_all(ids))


def recording_sent() -> Act:
    messages.report(Status.DELIVERED, "p-1")
    token = messages.claimed().token
    return lambda: attempts.record(token, Status.SENT, provider_message_id="p-1").status


def recording_a_retry() -> Act:
    token = messages.claimed().token
    return lambda: attempts.record(token, Status.QUEUED, code="503", wait=timedelta(minutes=1)).status


def reporting_by_the_provider_s_id() -> Act:
    messages.sent(messages.claimed())
    return lambda: shown(messages.report(Status.DELIVERED, "p-1")[1])


def reporting_by_our_id() -> Act:
    id = messages.sent(messages.claimed())
    return lambda: shown(messages.report(Status.FAILED, reference=id, code="30003")[1])


def reporting_what_we_do_not_know() -> Act:
    id = messages.sent(messages.claimed())
    return lambda: shown(messages.report(None, reference=id)[1])


def parking() -> Act:
    messages.accept()
    return lambda: messages.report(Status.DELIVERED, "p-9")


def expiring() -> Act:
    messages.claimed()
    attempts.claim([messages.accept()[1].id], timedelta(seconds=-1))

    def expire() -> None:
        attempts.expire_leases(10)  # gives how many were left, which a second run cannot know

    return expire


WAITING = [
    *(accepting, accepting_under_a_key, receiving, claiming, recording_sent, recording_a_retry),
    *(reporting_by_the_provider_s_id, reporting_by_our_id),
]
"""Those that wait where somebody else has the rows of messages and conversations."""
WRITES = [*WAITING, replaying, conflicting, reporting_what_we_do_not_know, parking, expiring]


def counted(database: Database) -> dict[str, object]:
    return {name: database.value(f"SELECT count(*) FROM {name}") for name in TABLES.split(", ")}


def once(database: Database, prepare: Callable[[], Act]) -> tuple[object, dict[str, object]]:
    """What comes of the write where nothing is lost; then the database is empty again."""
    expected = prepare()(), counted(database)
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
def test_a_write_whose_answer_was_lost_is_done_once(
    database: Database, proxy: Proxy, prepare: Callable[[], Act], loss: Loss
) -> None:
    expected = once(database, prepare)
    act, connections = prepare(), proxy.connection_count
    proxy.lose(loss)
    assert (act(), counted(database)) == expected
    assert proxy.connection_count == connections + 1


@pytest.mark.parametrize("prepare", WAITING)
def test_a_write_whose_first_run_is_still_at_work_is_done_once(
    database: Database, other: Database, proxy: Proxy, prepare: Callable[[], Act]
) -> None:
    expected = once(database, prepare)
    act = prepare()
    waiting = "SELECT count(*) FROM pg_locks WHERE NOT granted"
    other.rows("BEGIN")
    other.rows("SELECT 1 FROM conversations FOR UPDATE")
    other.rows("SELECT 1 FROM messages FOR UPDATE")
    with ThreadPoolExecutor(1) as pool:
        result = pool.submit(act)
        eventually(lambda: database.value(waiting) == 1)
        proxy.end_all(End.RESET)
        eventually(lambda: database.value(waiting) == 2)
        other.rows("COMMIT")
        assert (result.result(), counted(database)) == expected
