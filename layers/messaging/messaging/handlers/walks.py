"""Walks through lists that are sorted by one key: where a page begins, and where the next one does."""

from collections.abc import Callable, Sequence
from typing import Any

from aws_lambda_powertools.event_handler import Response

from messaging.conversations.reads import Page
from messaging.handlers import api
from messaging.postgres import cursor as cursors


def position(
    cursor: str | None,
    walk: Sequence[object],
    *,
    first: Any,
    parse: Callable[[str], Any] = cursors.parse_id,
) -> Any:
    """Return the sort key in a cursor, or `first` without a cursor. `walk` is the list's name and filters.

    Raises Unreadable for another list's cursor.
    """
    if not cursor:
        return first
    return cursors.decode(cursor, walk, parse)[0]


def page_response(
    name: str, rows: Sequence[tuple[Any, str]], limit: int, walk: Sequence[object]
) -> Response[str]:
    """Return a page of at most `limit` rows, with the cursor of the next page if there are more.

    Each row has its sort key and its JSON text.
    """
    shown = rows[:limit]
    next_cursor = cursors.encode(walk, shown[-1][0]) if len(rows) > limit else None
    return api.page_response(name, Page([document for _, document in shown], next_cursor))
