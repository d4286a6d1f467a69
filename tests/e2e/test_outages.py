"""Postgres or the queue is unavailable, restarts or does not answer: nothing is lost or done twice."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing, contextmanager
from functools import partial
from itertools import count
from threading import Event
from time import monotonic
from urllib.parse import urlsplit

import pytest

from local import Behaviour, Stack
from tests.support import processes
from tests.support.database import Database
from tests.support.http_client import Answer, call_concurrently, get, post
from tests.support.outbound import attempts, calls, message, send, sent, wait_for
from tests.support.stack import CUSTOMER, assert_problem
from tests.support.waiting import eventually

_received = count()


def receive(stack: Stack, contact: str) -> Answer:
    id = f"{contact}-{next(_received)}"
    fields = {"from": contact, "to": CUSTOMER, "type": "sms", "messaging_provider_id": id, "body": "Hi"}
    return post(f"{stack.url}/api/webhooks/sms", fields)


def report(stack: Stack, id: str) -> Answer:
    return post(f"{stack.url}/api/webhooks/sms", {"messaging_provider_id": id, "status": "delivered"})


def every_request(stack: Stack, contact: str) -> list[Callable[[], Answer]]:
    return [
        partial(send, stack, contact),
        partial(receive, stack, contact),
        partial(report, stack, contact),
        partial(get, f"{stack.url}/api/conversations"),
        partial(get, f"{stack.url}/api/conversations/1"),
        partial(get, f"{stack.url}/api/conversations/1/messages"),
        partial(get, f"{stack.url}/api/messages/1"),
        partial(get, f"{stack.url}/healthz"),
    ]


def message_ids(stack: Stack, contact: str) -> list[int]:
    """Return the ids of the stored messages of a contact."""
    with closing(Database(stack.database_url)) as database:
        rows = database.rows(
            "SELECT m.id FROM messages m JOIN conversations c ON c.id = m.conversation_id"
            " WHERE c.contact_address = :contact ORDER BY m.id",
            contact=contact,
        )
    return [int(str(id)) for [id] in rows]


@contextmanager
def paused(stop: Callable[[], None], start: Callable[[], None]) -> Iterator[None]:
    stop()
    try:
        yield
    finally:
        start()


def without_postgres(stack: Stack) -> AbstractContextManager[None]:
    return paused(stack.stop_postgres, stack.start_postgres)


def without_queue(stack: Stack) -> AbstractContextManager[None]:
    return paused(stack.stop_aws, stack.start_aws)


@pytest.fixture(autouse=True)
def _first_conversation(faulty_stack: Stack) -> None:
    """A conversation with the id 1, for the reads."""
    assert receive(faulty_stack, "+18045550000").status == 200


def test_without_the_database_webhooks_are_spooled_and_other_requests_are_answered_503(
    faulty_stack: Stack, contact: str
) -> None:
    requests = every_request(faulty_stack, contact)
    with without_postgres(faulty_stack):
        answers = [request() for request in requests]
    assert [answer.status for answer in answers] == [503, 202, 202, 503, 503, 503, 503, 503]
    for answer in answers:
        if answer.status == 503:
            assert_problem(answer, 503)
            assert int(answer.headers["retry-after"]) > 0
    assert [request().status for request in requests] == [202, 200, 202, 200, 200, 200, 200, 200]
    eventually(lambda: len(message_ids(faulty_stack, contact)) == 3)


def test_a_restart_of_the_database_between_two_requests_fails_neither(
    faulty_stack: Stack, contact: str
) -> None:
    requests = every_request(faulty_stack, contact) * 6
    call_concurrently(requests)  # so that as many processes as possible hold a connection
    with without_postgres(faulty_stack):
        pass
    assert {answer.status for answer in call_concurrently(requests)} == {200, 202}


def test_a_request_repeated_with_its_key_through_restarts_is_one_message(
    faulty_stack: Stack, contact: str
) -> None:
    finished = Event()

    def accepted(key: str) -> int:
        answer = send(faulty_stack, contact, key)
        assert answer.status in (202, 503), answer
        return int(answer.body["id"]) if answer.status == 202 else 0

    def client(number: int) -> list[int]:
        ids: list[int] = []
        while not finished.is_set():
            key = f"{contact}-{number}-{len(ids)}"
            first_id = eventually(partial(accepted, key))
            assert eventually(partial(accepted, key)) == first_id
            ids.append(first_id)
        return ids

    with ThreadPoolExecutor() as threads:
        clients = [threads.submit(client, number) for number in range(4)]
        try:
            for _ in range(2):
                with without_postgres(faulty_stack):
                    pass
        finally:
            finished.set()
    assert message_ids(faulty_stack, contact) == sorted(id for client in clients for id in client.result())


def test_work_whose_database_response_was_lost_is_done_once(faulty_stack: Stack, contact: str) -> None:
    first = send(faulty_stack, contact)
    wait_for(faulty_stack, first.body["id"], "delivered")
    # The same processes handle the next requests, over open connections: no report is due now.
    before = [first, receive(faulty_stack, contact)]
    with (
        closing(Database(faulty_stack.database_url)) as blocker,
        closing(Database(faulty_stack.database_url)) as database,
        ThreadPoolExecutor() as threads,
    ):
        blocker.rows("BEGIN")
        blocker.rows("LOCK TABLE conversations")
        calls = [threads.submit(call, faulty_stack, contact) for call in (send, receive)]
        try:  # each statement is abandoned after some time, and repeated over another connection
            eventually(lambda: active_calls(database, "accept_message") == 2)
            eventually(
                lambda: active_calls(database, "receive_webhook") >= 2
            )  # a report of an earlier test may be late
        finally:
            blocker.rows("COMMIT")  # now all of them complete
        answers = before + [call.result() for call in calls]
        eventually(lambda: active_calls(database, "(accept_message|receive_webhook)") == 0)
    assert [answer.status for answer in answers] == [202, 200] * 2
    assert message_ids(faulty_stack, contact) == sorted(answer.body["id"] for answer in answers)


def active_calls(database: Database, function: str) -> int:
    """Return how many calls of a database function are running."""
    condition = "state = 'active' AND query ~ :function AND pid <> pg_backend_pid()"
    count = database.value(f"SELECT count(*) FROM pg_stat_activity WHERE {condition}", function=function)
    return int(str(count))


def test_an_outcome_during_an_outage_of_the_database_is_recorded_afterwards(
    faulty_stack: Stack, contact: str
) -> None:
    faulty_stack.provider.behave(Behaviour(delay=3, times=1))
    id = sent(faulty_stack, contact)
    eventually(lambda: message(faulty_stack, id)["status"] == "sending")
    with without_postgres(faulty_stack):
        eventually(lambda: [call.ended for call in calls(faulty_stack, id)] != [None])
    assert eventually(lambda: attempts(message(faulty_stack, id))) == [(1, "sent", None)]
    wait_for(faulty_stack, id, "delivered")
    assert len(calls(faulty_stack, id)) == 1


def test_without_the_queue_a_message_is_accepted_and_delivered_afterwards(
    faulty_stack: Stack, contact: str
) -> None:
    with without_queue(faulty_stack):
        id = sent(faulty_stack, contact)
        assert message(faulty_stack, id)["status"] == "queued"
    assert attempts(wait_for(faulty_stack, id, "delivered")) == [(1, "sent", None)]
    assert len(calls(faulty_stack, id)) == 1


def test_a_queue_that_does_not_answer_delays_a_request_and_loses_no_message(
    faulty_stack: Stack, contact: str
) -> None:
    port = urlsplit(faulty_stack.aws_endpoint).port
    with processes.suspended(processes.listening_on(port or 0)):
        started = monotonic()
        id = sent(faulty_stack, contact)
        assert monotonic() - started < 10
    wait_for(faulty_stack, id, "delivered", seconds=30)
    assert len(calls(faulty_stack, id)) == 1
