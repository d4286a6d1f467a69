"""When all is said and done of the messages of a stack."""

from contextlib import closing

from local import Stack
from tests.conftest import Database
from tests.local.waiting import eventually

UNFINISHED = (
    "SELECT count(*) FROM messages"
    " WHERE status IN ('queued', 'sending') OR status = 'unknown' AND next_nudge_at IS NOT NULL"
)


def wait_until_all_is_done(stack: Stack, seconds: float) -> None:
    with closing(Database(stack.database_url)) as database:
        eventually(lambda: database.value(UNFINISHED) == 0, seconds)


def statuses(stack: Stack) -> dict[int, str]:
    """What each message that was sent has become."""
    with closing(Database(stack.database_url)) as database:
        rows = database.rows("SELECT id, status FROM messages WHERE direction = 'outbound' ORDER BY id")
    return {int(str(id)): str(status) for id, status in rows}
