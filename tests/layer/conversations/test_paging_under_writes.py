"""Paging while others write: nothing appears twice, and nothing is missed."""

import json
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ProcessPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from messaging.conversations import reads
from messaging.conversations.reads import Page
from tests.support import messages
from tests.support.database import Database
from tests.support.messages import ACCOUNT

pytestmark = pytest.mark.slow


@pytest.fixture
def slow_commits(database: Database) -> Iterator[None]:
    """Delays each commit of a message by a random time, so that they commit out of order."""
    database.rows(
        "CREATE FUNCTION dawdle() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN PERFORM pg_sleep(random() * 0.01); RETURN NULL; END $$"
    )
    database.rows(
        "CREATE CONSTRAINT TRIGGER dawdle AFTER INSERT ON messages DEFERRABLE INITIALLY DEFERRED"
        " FOR EACH ROW EXECUTE FUNCTION dawdle()"
    )
    yield
    database.rows("DROP TRIGGER dawdle ON messages; DROP FUNCTION dawdle")


def write(number: int) -> None:
    """Add a message to one conversation, inbound or outbound in turn."""
    if number % 2:
        messages.accept()
    else:
        messages.receive(f"id-{number}")


def write_to(number: int) -> None:
    """Add a message to a conversation of its own."""
    messages.accept(messages.sms(to=f"+1804555{number:04}"))


def ids(page: Page | None) -> list[int]:
    assert page is not None
    return [json.loads(item)["id"] for item in page.items]


def walk(page: Callable[[str | None], Page | None]) -> list[int]:
    """Return the ids on all pages, from the first to the last."""
    listed: list[int] = []
    cursor: str | None = None
    while True:
        result = page(cursor)
        assert result is not None
        listed += ids(result)
        cursor = result.next_cursor
        if cursor is None or not result.items:
            return listed


def done(writes: list[Future[Any]]) -> bool:
    return all(future.done() for future in writes)


@pytest.mark.usefixtures("slow_commits")
def test_a_follower_gets_every_message_in_order_while_eight_processes_write(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    write(0)
    writing = [environments.submit(write, number) for number in range(1, 200)]
    read: list[int] = []
    cursor: str | None = None
    pages = 0
    while True:
        finished = done(writing)  # read before the page: later messages are on the next page
        page = reads.list_messages(ACCOUNT, 1, 7, cursor)
        assert page is not None
        assert page.next_cursor is not None, "a follower always gets a cursor"
        read, cursor, pages = read + ids(page), page.next_cursor, pages + bool(page.items)
        if finished and not page.items:
            break
    for future in writing:
        future.result()
    assert read == [row[0] for row in database.rows("SELECT id FROM messages ORDER BY id")]
    assert len(read) == 200
    assert pages > 29, "it read while the others wrote, and not only afterwards"


def test_paging_shows_each_message_once_while_others_are_written(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    for number in range(50):
        write(number)
    existing = list(range(1, 51))
    writing = [environments.submit(write, number) for number in range(50, 250)]
    while not done(writing):
        newest_first = walk(lambda cursor: reads.list_messages(ACCOUNT, 1, 7, cursor, newest_first=True))
        assert newest_first == sorted(set(newest_first), reverse=True)
        assert newest_first[-50:] == existing[::-1]
        oldest_first = walk(lambda cursor: reads.list_messages(ACCOUNT, 1, 50, cursor))
        assert oldest_first == sorted(set(oldest_first))
        assert oldest_first[:50] == existing
    for future in writing:
        future.result()
    assert len(walk(lambda cursor: reads.list_messages(ACCOUNT, 1, 7, cursor))) == 250
    assert database.value("SELECT count(*) FROM messages") == 250


@pytest.mark.slow
def test_paging_shows_no_conversation_twice_and_updated_since_finds_those_that_moved(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    for number in range(60):
        write_to(number)
    quiet = set(range(31, 61))
    [[started]] = database.rows("SELECT clock_timestamp()")
    assert isinstance(started, datetime)
    writing = [environments.submit(write_to, number % 30) for number in range(500)]
    while not done(writing):
        listed = walk(lambda cursor: reads.list_conversations(ACCOUNT, 7, cursor))
        assert len(listed) == len(set(listed))
        assert quiet <= set(listed)
    for future in writing:
        future.result()
    moved = walk(lambda cursor: reads.list_conversations(ACCOUNT, 7, cursor, updated_since=started))
    assert sorted(moved) == list(range(1, 31))
    assert walk(lambda cursor: reads.list_conversations(ACCOUNT, 7, cursor))[:30] == moved
