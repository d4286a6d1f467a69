"""The whole stack, over HTTP: shared by the tests that leave it as they found it."""

import json
from collections.abc import Iterator
from contextlib import closing, contextmanager
from itertools import count

import pytest

from local import Stack, running
from tests.support.database import Database
from tests.support.http_client import Answer
from tests.support.waiting import eventually

CUSTOMER = "+12016661234"

_subscribers = count(1000)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """With a schedule that nobody has to wait for, and processes enough for real races. Whatever the tests
    send to it, no function may end in a fault, and none may log an address."""
    with running(relay_every=0.5, concurrency=8) as stack:
        yield stack
        for name in stack.functions:
            lines = stack.log(name).splitlines()
            assert not [line for line in lines if "[ERROR]" in line or '"ERROR"' in line], name
            assert not [line for line in lines if CUSTOMER[1:] in line or "@example" in line], name


@pytest.fixture(scope="session")
def broken_stack() -> Iterator[Stack]:
    """Its provider cannot be asked: what is unknown stays so."""
    with running(relay_every=0.5, unasked=("sms", "email")) as stack:
        yield stack


@pytest.fixture
def fragile(broken_stack: Stack) -> Iterator[Stack]:
    """One whose parts may be stopped and whose provider may be told to misbehave. What an earlier test has
    left in it is delivered first: else it would meet what the provider is told."""
    with closing(Database(broken_stack.database_url)) as database:
        database.rows(
            "UPDATE messages SET dispatch_at = now(), next_attempt_at = NULL WHERE status = 'queued'"
        )
        under_way = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"
        eventually(lambda: database.value(under_way) == 0)
    yield broken_stack
    broken_stack.provider.behave()


@pytest.fixture(scope="session")
def kept(stack: Stack) -> Iterator[Database]:
    """What the shared stack has kept."""
    database = Database(stack.database_url)
    yield database
    database.close()


@contextmanager
def keeping_nothing(stack: Stack) -> Iterator[None]:
    """Whatever is sent meanwhile; deliveries of earlier messages may go on."""
    tables = (
        "messages",
        "conversations",
        "contacts",
        "idempotency_keys",
        "pending_reports",
        # But for the playing providers' reports of those earlier messages.
        """webhook_requests WHERE NOT encode(body, 'escape') ~ '"reference"|MessageStatus'""",
    )
    sizes = f"SELECT {', '.join(f'(SELECT count(*) FROM {table})' for table in tables)}"
    with closing(Database(stack.database_url)) as database:
        before = database.rows(sizes)
        yield
        assert database.rows(sizes) == before


@pytest.fixture
def nothing_is_kept(stack: Stack) -> Iterator[None]:
    with keeping_nothing(stack):
        yield


@pytest.fixture
def contact() -> str:
    """A number that no other test has."""
    return f"+1804555{next(_subscribers)}"


def keep(database: Database, contact: str) -> int:
    """A message that was accepted by a function that died before it could queue it."""
    content = {"type": "sms", "from": CUSTOMER, "to": contact, "body": "Hello", "attachments": []}
    accept = (
        "SELECT message::json ->> 'id' FROM"
        " accept_message(1, gen_random_uuid(), '{sms}', 'at_most_once', :content, NULL, NULL, NULL, '1 day')"
    )
    kept = database.value(accept, content=json.dumps(content | {"timestamp": "2024-11-01T14:00:00Z"}))
    return int(str(kept))


def assert_problem(answer: Answer, status: int, field: str | None = None) -> None:
    assert answer.status == status, answer
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.body["status"] == status
    assert {"type", "title", "detail"} <= set(answer.body)
    if field is not None:
        assert field in [error["field"] for error in answer.body["errors"]], answer.body
