"""UUIDs of version 7."""

import time
from uuid import RFC_4122

from messaging.postgres.uuid7 import uuid7


def test_a_uuid_begins_with_its_time_and_is_greater_than_those_before() -> None:
    before = time.time_ns() // 1_000_000
    uuids = [uuid7() for _ in range(1000)]
    after = time.time_ns() // 1_000_000
    assert {(uuid.version, uuid.variant) for uuid in uuids} == {(7, RFC_4122)}
    times = [uuid.int >> 80 for uuid in uuids]
    assert before <= times[0] <= times[-1] <= after
    prefixes = [uuid.int >> 64 for uuid in uuids]
    assert prefixes == sorted(prefixes)
    assert len(set(uuids)) == 1000
