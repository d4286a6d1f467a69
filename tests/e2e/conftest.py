"""Stacks that the end-to-end tests share. Every test of this folder counts as slow."""

from collections.abc import Iterator
from contextlib import closing
from itertools import count
from pathlib import Path

import pytest

from local import Stack, running
from tests.support.database import Database
from tests.support.stack import CUSTOMER, nothing_stored
from tests.support.waiting import eventually

FOLDER = Path(__file__).parent

_subscriber_numbers = count(1000)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.path.is_relative_to(FOLDER):
            item.add_marker(pytest.mark.slow)


@pytest.fixture(scope="session")
def stack() -> Iterator[Stack]:
    """A stack with a short schedule, and with enough processes for real races.

    When the tests end, no function may have logged an error or an address, whatever the tests sent.
    """
    with running(relay_every=0.5, concurrency=8) as stack:
        yield stack
        for name in stack.functions:
            lines = stack.log(name).splitlines()
            assert not [line for line in lines if "[ERROR]" in line or '"ERROR"' in line], name
            assert not [line for line in lines if CUSTOMER[1:] in line or "@example" in line], name


@pytest.fixture(scope="session")
def stack_without_status_lookup() -> Iterator[Stack]:
    """A stack that cannot fetch a message's status: an unknown outcome stays unknown."""
    with running(relay_every=0.5, without_status_lookup=("sms", "email")) as stack:
        yield stack


@pytest.fixture
def faulty_stack(stack_without_status_lookup: Stack) -> Iterator[Stack]:
    """A stack whose services a test may stop and whose simulators may misbehave.

    Messages of earlier tests are delivered first, so that they do not meet this test's faults.
    """
    stack = stack_without_status_lookup
    with closing(Database(stack.database_url)) as database:
        database.rows("UPDATE outbound_queue SET dispatch_at = now(), next_attempt_at = now()")
        unfinished = "SELECT count(*) FROM messages WHERE status IN ('queued', 'sending')"
        eventually(lambda: database.value(unfinished) == 0)
    yield stack
    stack.provider.behave()


@pytest.fixture(scope="session")
def stack_database(stack: Stack) -> Iterator[Database]:
    """The database of the shared stack."""
    database = Database(stack.database_url)
    yield database
    database.close()


@pytest.fixture(scope="module")
def closed() -> Iterator[Stack]:
    """A stack that requires keys, as in AWS."""
    with running(auth=True, relay_every=0) as stack:
        yield stack


@pytest.fixture
def nothing_is_stored(stack: Stack) -> Iterator[None]:
    with nothing_stored(stack):
        yield


@pytest.fixture
def contact() -> str:
    """A phone number that no other test uses."""
    return f"+1804555{next(_subscriber_numbers)}"
