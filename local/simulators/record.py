"""The requests that the provider simulator received, and how it answered them."""

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
    path: str
    headers: Mapping[str, str]
    body: Any
    id: str | None = None
    """The provider's id of the message, if the simulator has the message."""
    time: str = field(default_factory=_now)
    """When the request arrived, in ISO 8601."""
    status: int | None = None
    """The status of the response; None before the response, or if there was none."""
    ended: str | None = None
    """When it was answered or its connection closed, in ISO 8601."""


class Record:
    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._numbers = itertools.count()
        self._requests: dict[int, RecordedRequest] = {}

    def add(self, request: RecordedRequest) -> int:
        """Add a request, and return a number for `end`."""
        with self._lock:
            number = next(self._numbers)
            self._requests[number] = request
            return number

    def end(self, number: int, status: int | None) -> None:
        with self._lock:
            if number in self._requests:  # `clear` may have removed it
                self._requests[number] = replace(self._requests[number], status=status, ended=_now())

    def all(self) -> list[RecordedRequest]:
        """Return the requests in the order in which they arrived."""
        with self._lock:
            return list(self._requests.values())

    def clear(self) -> None:
        with self._lock:
            self._requests.clear()
