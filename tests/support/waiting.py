"""Waits for something that happens in another thread or process."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(probe: Callable[[], T], seconds: float = 15) -> T:
    """Call `probe` until its result is true, and return the result. Fails after some seconds."""
    deadline = time.monotonic() + seconds
    while True:
        result = probe()
        if result:
            return result
        assert time.monotonic() < deadline, f"not within {seconds} seconds; the last result: {result!r}"
        time.sleep(0.02)
