"""Concurrent requests over HTTP."""

from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from threading import Event
from typing import Any

import pytest

from local import Behaviour, Stack
from tests.support.database import Database
from tests.support.http_client import Answer, call_concurrently, get, post
from tests.support.outbound import calls
from tests.support.stack import CUSTOMER, add_undispatched
from tests.support.waiting import eventually

PAGE = 25
"""The page size of a follower: small enough for several pages, large enough to keep up with the writers."""


def outbound(contact: str, body: str = "out") -> dict[str, Any]:
    return {"from": CUSTOMER, "to": contact, "body": body}


def inbound(contact: str, id: str) -> dict[str, Any]:
    return {"from": contact, "to": CUSTOMER, "type": "sms", "messaging_provider_id": id, "body": "in"}


def either_way(stack: Stack, contact: str, number: int) -> Answer:
    if number % 2:
        return post(f"{stack.url}/api/messages/sms", outbound(contact))
    return post(f"{stack.url}/api/webhooks/sms", inbound(contact, f"{contact}-{number}"))


def follow(stack: Stack, contact: str, written: Event) -> list[int]:
    """Return the message ids that a client sees which polls a conversation for new messages."""

    def conversations() -> list[dict[str, Any]]:
        answer = get(f"{stack.url}/api/conversations?address={contact}")
        conversations: list[dict[str, Any]] = answer.body["conversations"]
        return conversations

    [conversation] = eventually(conversations)
    url = f"{stack.url}/api/conversations/{conversation['id']}/messages?order=asc&limit={PAGE}"
    seen_ids: list[int] = []
    cursor = ""
    while True:
        all_written = written.is_set()  # read before the page, so that the page cannot miss the last messages
        page = get(f"{url}{cursor}").body
        seen_ids += [message["id"] for message in page["messages"]]
        cursor = f"&cursor={page['next_cursor']}"
        if all_written and not page["messages"]:
            return seen_ids


@pytest.fixture
def _slow_commits(stack_database: Database) -> Iterator[None]:
    """Delay every commit of a message, and some for long, so that concurrent requests race with it."""
    is_first = "NOT EXISTS (SELECT FROM messages WHERE conversation_id = NEW.conversation_id AND id < NEW.id)"
    stack_database.rows(
        "CREATE FUNCTION take_a_while() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN PERFORM pg_sleep("
        f"CASE WHEN NEW.id % 20 = 0 OR {is_first} THEN 0.5 ELSE random() * 0.03 END); RETURN NULL; END'"
    )
    stack_database.rows(
        "CREATE CONSTRAINT TRIGGER slow AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION take_a_while()"
    )
    yield
    stack_database.rows("DROP FUNCTION take_a_while CASCADE")


@pytest.fixture(scope="module", autouse=True)
def _warm(stack: Stack) -> None:
    """Start the processes before the tests: a race needs running processes."""
    call_concurrently([partial(either_way, stack, "+18045550001", number) for number in range(60)])


@pytest.mark.usefixtures("_slow_commits")
def test_a_hundred_concurrent_first_messages_create_one_conversation_and_one_contact(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    contacts = stack_database.value("SELECT count(*) FROM contacts")
    answers = call_concurrently([partial(either_way, stack, contact, number) for number in range(100)])
    assert Counter(answer.status for answer in answers) == {202: 50, 200: 50}
    [conversation] = {answer.body["conversation_id"] for answer in answers}
    assert len({answer.body["id"] for answer in answers}) == 100
    messages = stack_database.value(
        "SELECT count(*) FROM messages WHERE conversation_id = :id", id=conversation
    )
    assert messages == 100
    assert (
        stack_database.value("SELECT count(*) FROM conversations WHERE contact_address = :to", to=contact)
        == 1
    )
    assert stack_database.value("SELECT count(*) FROM contacts") == contacts + 1  # type: ignore[operator]  # a number


@pytest.mark.usefixtures("_slow_commits")
def test_a_follower_sees_every_concurrently_written_message_once_and_in_order(
    stack: Stack, contact: str
) -> None:
    written = Event()
    with ThreadPoolExecutor(2) as followers:
        seen_ids = [followers.submit(follow, stack, contact, written) for _ in range(2)]
        try:
            answers = call_concurrently(
                [partial(either_way, stack, contact, number) for number in range(100)]
            )
        finally:
            written.set()
    ids = sorted(answer.body["id"] for answer in answers)
    assert [follower.result() for follower in seen_ids] == [ids, ids]


@pytest.mark.usefixtures("_slow_commits")
def test_fifty_webhooks_with_one_id_store_one_message_and_get_the_same_answer(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    body = inbound(contact, f"{contact}-once")
    answers = call_concurrently([partial(post, f"{stack.url}/api/webhooks/sms", body)] * 50)
    assert Counter(answer.status for answer in answers) == {200: 50}
    assert all(answer == answers[0] for answer in answers)
    id = body["messaging_provider_id"]
    count = "SELECT count(*) FROM messages m WHERE id_at_provider(m) = :id"
    assert stack_database.value(count, id=id) == 1


@pytest.mark.usefixtures("_slow_commits")
def test_fifty_requests_with_one_idempotency_key_create_one_message(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    key = {"idempotency-key": f"{contact}-once"}
    answers = call_concurrently([partial(post, f"{stack.url}/api/messages/sms", outbound(contact), key)] * 50)
    assert Counter(answer.status for answer in answers) == {202: 50}
    [id] = {answer.body["id"] for answer in answers}
    assert Counter(answer.headers.get("idempotency-replayed") for answer in answers) == {"true": 49, None: 1}
    [conversation] = {answer.body["conversation_id"] for answer in answers}
    assert stack_database.rows("SELECT id FROM messages WHERE conversation_id = :id", id=conversation) == [
        [id]
    ]
    eventually(lambda: calls(stack, id))


def delivery(stack: Stack, id: int, number: int) -> Callable[[], Any]:
    record = {"messageId": f"record-{number}", "body": str(id)}
    return partial(stack.invoke, "DeliverMessage", {"Records": [record]})


def test_fifty_deliveries_of_one_message_call_the_provider_once(
    stack: Stack, stack_database: Database, contact: str
) -> None:
    id = add_undispatched(stack_database, contact)
    stack.provider.behave(Behaviour(delay=0.5, times=1))  # the others come during the first one, and after it
    results = call_concurrently([delivery(stack, id, number) for number in range(50)])
    assert results == [{"batchItemFailures": []}] * 50
    url = f"{stack.url}/api/messages/{id}"
    eventually(lambda: get(url).body["status"] == "delivered")
    assert len(calls(stack, id)) == 1
    attempts = [event for event in get(url).body["events"] if event["kind"] == "attempt"]
    assert [(event["attempt"], event["status"]) for event in attempts] == [(1, "sent")]
