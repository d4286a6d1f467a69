"""Waiting for what comes about elsewhere."""

import time
from collections.abc import Callable
from typing import TypeVar

T = TypeVar("T")


def eventually(look: Callable[[], T], seconds: float = 15) -> T:
    """What `look` returns once it is true of something; fails where that never comes."""
    give_up = time.monotonic() + seconds
    while not (seen := look()):
        assert time.monotonic() < give_up, f"not within {seconds} seconds; last seen: {seen!r}"
        time.sleep(0.02)
    return seen
