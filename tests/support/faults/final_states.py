"""The final states of a stack's messages."""

from collections.abc import Sequence
from contextlib import closing
from datetime import datetime
from itertools import pairwise

from local import RecordedRequest, Stack
from tests.support.database import Database
from tests.support.waiting import eventually

UNFINISHED = "SELECT (SELECT count(*) FROM outbound_queue) + (SELECT count(*) FROM leases)"


def wait_until_all_is_done(stack: Stack, seconds: float) -> None:
    with closing(Database(stack.database_url)) as database:
        eventually(lambda: database.value(UNFINISHED) == 0, seconds)


def statuses(stack: Stack) -> dict[int, str]:
    """The status of each outbound message, by its id."""
    with closing(Database(stack.database_url)) as database:
        rows = database.rows("SELECT id, status FROM messages WHERE direction = 'outbound' ORDER BY id")
    return {int(str(id)): str(status) for id, status in rows}


def assert_one_after_the_other(calls: Sequence[RecordedRequest]) -> None:
    """Check that each call began after the provider had answered the one before it."""
    for earlier, later in pairwise(calls):
        assert earlier.ended is not None
        assert datetime.fromisoformat(earlier.ended) <= datetime.fromisoformat(later.time)
