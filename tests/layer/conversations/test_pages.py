"""Where a page ends, and which cursors continue it."""

import json
from datetime import datetime
from typing import Any

import pytest

from messaging.conversations import reads
from messaging.conversations.reads import ENVELOPE_BYTES, MAX_PAGE_BYTES, Page
from messaging.models import Channel
from messaging.postgres import cursor
from messaging.problems import Unreadable
from tests.support import messages as support_messages
from tests.support.database import Database
from tests.support.messages import ACCOUNT, CUSTOMER

pytestmark = pytest.mark.slow

NOW = datetime.fromisoformat("2024-11-01T14:00:00Z")


def ids(page: Page | None) -> list[int]:
    assert page is not None
    return [json.loads(item)["id"] for item in page.items]


@pytest.fixture
def messages(database: Database) -> Database:
    """Five messages of one conversation, and one of another."""
    for number in range(5):
        support_messages.receive(f"id-{number}")
    support_messages.accept(support_messages.email())
    return database


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("limit", [1, 2, 3, 5, 6, 200])
def test_pages_have_the_requested_size(limit: int) -> None:
    for newest_first in (False, True):
        pages: list[list[int]] = []
        token: str | None = None
        while True:
            page = reads.list_messages(ACCOUNT, 1, limit, token, newest_first=newest_first)
            assert page is not None
            pages.append(ids(page))
            token = page.next_cursor
            if token is None or len(pages[-1]) < limit:
                break
        order = [5, 4, 3, 2, 1] if newest_first else [1, 2, 3, 4, 5]
        assert [id for page_ids in pages for id in page_ids] == order
        assert {len(page_ids) for page_ids in pages[:-1]} <= {limit}
        assert token is None or not newest_first


@pytest.mark.usefixtures("messages")
def test_newest_first_ends_and_oldest_first_can_be_continued() -> None:
    last = reads.list_messages(ACCOUNT, 1, 5, newest_first=True)
    assert last is not None
    assert last.next_cursor is None
    page = reads.list_messages(ACCOUNT, 1, 5)
    for number in range(3):
        assert page is not None
        page = reads.list_messages(ACCOUNT, 1, 5, page.next_cursor)
        assert ids(page) == []
        support_messages.receive(f"later-{number}")
        assert page is not None
        page = reads.list_messages(ACCOUNT, 1, 5, page.next_cursor)
        assert ids(page) == [7 + number]


@pytest.mark.usefixtures("messages")
def test_a_conversation_without_messages_still_has_a_page_and_a_cursor(messages: Database) -> None:
    """A conversation without messages cannot be made through the API, but the page must not fail."""
    messages.rows("DELETE FROM messages")
    page = reads.list_messages(ACCOUNT, 1, 5)
    assert page is not None
    assert (page.items, reads.list_messages(ACCOUNT, 1, 5, newest_first=True)) == ([], Page([], None))
    support_messages.receive("later")
    assert ids(reads.list_messages(ACCOUNT, 1, 5, page.next_cursor)) == [7]


@pytest.mark.slow
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("newest_first", [False, True])
@pytest.mark.parametrize("length", [19_900, 99_000, 1_000_000])
def test_a_page_ends_just_before_four_megabytes(length: int, newest_first: bool) -> None:
    messages = min(220, 6_000_000 // length)
    for _ in range(messages):
        support_messages.accept(support_messages.sms(body="x" * length))
    first = reads.list_messages(ACCOUNT, 1, 200, newest_first=newest_first)
    assert first is not None
    total = len(",".join(first.items))
    assert total <= MAX_PAGE_BYTES
    assert total + length + ENVELOPE_BYTES * (len(first.items) + 1) > MAX_PAGE_BYTES
    second = reads.list_messages(ACCOUNT, 1, 200, first.next_cursor, newest_first=newest_first)
    walked = ids(first) + ids(second)
    assert walked == sorted(range(1, messages + 1), reverse=newest_first)


def test_a_page_has_at_least_one_message_of_any_size(database: Database) -> None:
    for _ in range(3):
        support_messages.accept()
    database.rows("UPDATE messages SET size = 10000000")
    for newest_first in (False, True):
        page = reads.list_messages(ACCOUNT, 1, 200, newest_first=newest_first)
        assert page is not None
        assert len(page.items) == 1
        assert page.next_cursor
        page = reads.list_messages(ACCOUNT, 1, 200, page.next_cursor, newest_first=newest_first)
        assert ids(page) == [2]


FILTERS: list[dict[str, Any]] = [
    {},
    {"address": CUSTOMER},
    {"address": support_messages.CONTACT},
    {"type": Channel.SMS},
    {"updated_since": NOW},
    {"address": CUSTOMER, "type": Channel.SMS},
]


@pytest.mark.usefixtures("messages")
@pytest.mark.parametrize("filters", FILTERS)
def test_a_cursor_is_valid_only_with_the_same_filters(filters: dict[str, Any]) -> None:
    support_messages.receive("another", **{"from": "+18045550001"})
    support_messages.receive("and-another", **{"from": "+18045550002", "to": support_messages.CONTACT})
    token = reads.list_conversations(ACCOUNT, 1, **filters).next_cursor
    assert token
    assert reads.list_conversations(ACCOUNT, 1, token, **filters).items
    for other_filters in FILTERS:
        if other_filters != filters:
            with pytest.raises(Unreadable):
                reads.list_conversations(ACCOUNT, 1, token, **other_filters)
    for id in (1, 2, 99):
        with pytest.raises(Unreadable):
            reads.list_messages(ACCOUNT, id, 1, token)


@pytest.mark.usefixtures("messages")
def test_a_cursor_is_valid_only_for_the_same_conversation_and_order() -> None:
    page = reads.list_messages(ACCOUNT, 1, 2)
    assert page is not None
    for id, newest_first in ((2, False), (1, True), (99, False)):
        with pytest.raises(Unreadable):
            reads.list_messages(ACCOUNT, id, 2, page.next_cursor, newest_first=newest_first)
    with pytest.raises(Unreadable):
        reads.list_conversations(ACCOUNT, 2, page.next_cursor)
    for walk in (["messages", 1, "asc"], ["conversations", None, None, None]):
        for sort_key in ((), (1, 2, 3), (-1,), (NOW,), (1, NOW), (NOW.replace(tzinfo=None), 1)):
            forged = cursor.encode(walk, *sort_key)
            with pytest.raises(Unreadable):
                reads.list_messages(ACCOUNT, 1, 1, forged)
            with pytest.raises(Unreadable):
                reads.list_conversations(ACCOUNT, 1, forged)
