"""What the playing provider was sent or asked, as it came and as it was answered."""

import itertools
import threading
from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Any


def _now() -> str:
    return datetime.now(UTC).isoformat()


@dataclass(frozen=True)
class RecordedRequest:
    """`id` is the provider's, where it has the message; `ended` is when it was answered or hung up on, None
    until then; `status` what it was answered, None where it was not."""

    path: str
    headers: Mapping[str, str]
    body: Any
    id: str | None = None
    time: str = field(default_factory=_now)
    status: int | None = None
    ended: str | None = None


class Record:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._received: dict[int, RecordedRequest] = {}

    def add(self, received: RecordedRequest) -> int:
        """A number to end it by."""
        with self._lock:
            number = next(self._numbers)
            self._received[number] = received
            return number

    def end(self, number: int, status: int | None) -> None:
        with self._lock:
            if number in self._received:  # else it was forgotten meanwhile
                self._received[number] = replace(self._received[number], status=status, ended=_now())

    def all(self) -> list[RecordedRequest]:
        """In the order in which they came."""
        with self._lock:
            return list(self._received.values())

    def clear(self) -> None:
        with self._lock:
            self._received.clear()
