"""UUIDs of version 7 (RFC 9562), for tokens that are indexed.

They begin with the time, so an index gets its new entries side by side; a random UUID writes to a page of its
own. Python 3.14 has `uuid.uuid7`.
"""

import time
from secrets import randbits
from uuid import UUID


def uuid7() -> UUID:
    """Return a new UUID, which is greater than those made before as far as the clock differs (by 0.25 μs).

    https://www.rfc-editor.org/rfc/rfc9562#section-5.7, with method 3 of section 6.2: the 12 bits behind the
    milliseconds are a fraction of a millisecond.
    """
    milliseconds, nanoseconds = divmod(time.time_ns(), 1_000_000)
    fraction = (nanoseconds << 12) // 1_000_000
    return UUID(int=milliseconds << 80 | 0x7 << 76 | fraction << 64 | 0b10 << 62 | randbits(62))
