"""Where a page ended, as an opaque text that only the list which gave it takes back."""

import base64
import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

from messaging.models import MAX_ID
from messaging.problems import Unreadable


def encode(walk: Sequence[object], *place: int | datetime) -> str:
    """`walk` names the list and its filters, `place` the last row that was shown."""
    parts = [list(walk), *(str(part) for part in place)]
    return base64.urlsafe_b64encode(json.dumps(parts).encode()).decode().rstrip("=")


def decode(cursor: str, walk: Sequence[object], *readers: Callable[[str], Any]) -> list[Any]:
    """The place, each part read by its reader. Raises Unreadable for a cursor of another list, or none."""
    try:
        padded = cursor.encode("ascii") + b"=" * (-len(cursor) % 4)
        found, *place = json.loads(base64.b64decode(padded, altchars=b"-_", validate=True))
        if found == list(walk):
            return [reader(str(part)) for reader, part in zip(readers, place, strict=True)]
    except (ValueError, TypeError, OverflowError, RecursionError):
        pass  # whatever it is, it is none of ours
    raise Unreadable(
        "The cursor is not one that this list gave.", [{"field": "cursor", "message": "is not of this list"}]
    )


def parse_id(text: str) -> int:
    found = int(text)
    if not 0 <= found <= MAX_ID:
        raise ValueError
    return found


def parse_time(text: str) -> datetime:
    found = datetime.fromisoformat(text)
    if found.tzinfo is None:
        raise ValueError
    return found.astimezone(UTC)
