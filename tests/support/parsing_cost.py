"""What it costs to parse a body of half a megabyte that repeats a short text."""

import time
import tracemalloc
from collections.abc import Callable
from contextlib import suppress

from messaging.problems import Unreadable

SIZE = 500_000  # bytes; a real body can be twelve times as large


def assert_parsing_is_cheap(parse: Callable[[bytes], object], unit: bytes, end: bytes) -> None:
    body = unit * (SIZE // len(unit)) + end
    began = time.process_time()
    parse_or_refuse(parse, body)
    assert time.process_time() - began < 1
    tracemalloc.start()
    parse_or_refuse(parse, body)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert peak < 7 * len(body)


def parse_or_refuse(parse: Callable[[bytes], object], body: bytes) -> None:
    with suppress(Unreadable):
        parse(body)
