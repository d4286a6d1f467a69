"""What the end-to-end tests do with a stack, and assert about its answers."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager

from local import Stack
from tests.support.database import Database
from tests.support.http_client import Answer

CUSTOMER = "+12016661234"
"""The address that the tests send from. It never appears in a log line."""

WRITTEN_TABLES = (
    "messages",
    "conversations",
    "contacts",
    "idempotency_keys",
    "pending_reports",
    # The simulators may still report on messages of earlier tests.
    """webhook_requests WHERE NOT encode(body, 'escape') ~ '"reference"|MessageStatus'""",
)


@contextmanager
def nothing_stored(stack: Stack) -> Iterator[None]:
    """Assert that the block stores nothing. Messages of earlier tests may still be delivered meanwhile."""
    counts = ", ".join(f"(SELECT count(*) FROM {table})" for table in WRITTEN_TABLES)
    with closing(Database(stack.database_url)) as database:
        before = database.rows(f"SELECT {counts}")
        yield
        assert database.rows(f"SELECT {counts}") == before


def add_undispatched(database: Database, contact: str) -> int:
    """Store a message as a function does that is killed before it dispatches the message. Return its id."""
    content = {
        "type": "sms",
        "from": CUSTOMER,
        "to": contact,
        "body": "Hello",
        "cc": [],
        "headers": {},
        "attachments": [],
        "timestamp": "2024-11-01T14:00:00Z",
    }
    accept = (
        "SELECT message::json ->> 'id' FROM"
        " accept_message(1, gen_random_uuid(), '{sms}', 'at_most_once', :content, NULL, NULL, NULL, '1 day')"
    )
    return int(str(database.value(accept, content=json.dumps(content))))


def assert_problem(answer: Answer, status: int, field: str | None = None) -> None:
    """Assert that an answer is a problem (RFC 9457) of a status, and names a field if one is given."""
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert {"type", "title", "detail", "code"} <= set(answer.body)
    if field is not None:
        assert field in [error["field"] for error in answer.body["errors"]], answer.body
