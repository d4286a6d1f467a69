"""Cursors for keyset paging: the position where a page ended, as an opaque text.

A cursor contains the name and the filters of its list, and only that list accepts it.
"""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from messaging.models import MAX_ID
from messaging.problems import Unreadable


def encode(walk: Sequence[object], *position: int | datetime) -> str:
    """Return a cursor. `walk` is the list's name and its filters; `position` is the key of the last row."""
    parts = [list(walk), *(str(part) for part in position)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(cursor: str, walk: Sequence[object], *parsers: Callable[[str], Any]) -> list[Any]:
    """Return the position, with one parser for each part of it.

    Raises Unreadable if the cursor belongs to another walk, or is not a cursor.
    """
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        cursor_walk, *position = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if cursor_walk == list(walk):
            return [parse(str(part)) for parse, part in zip(parsers, position, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass  # not a cursor of this service; answered below like a cursor of another list
    raise Unreadable(
        "The cursor does not belong to this list.",
        [{"field": "cursor", "message": "must be a cursor from this list, with the same filters"}],
    )


def parse_id(text: str) -> int:
    """Raises ValueError if the text is not an id that Postgres can store."""
    id = int(text)
    if not 0 <= id <= MAX_ID:
        raise ValueError
    return id


def parse_time(text: str) -> datetime:
    """Return the time in UTC. Raises ValueError if the text is not a time with an offset."""
    time = datetime.fromisoformat(text)
    if time.tzinfo is None:
        raise ValueError
    return time.astimezone(UTC)
