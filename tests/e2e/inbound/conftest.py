"""A stack with all providers that post webhooks with keys of the tests."""

from collections.abc import Iterator
from importlib import import_module
from itertools import count
from pathlib import Path

import pytest

from local import Stack, running
from tests.support.inbox import Inbox, add_credentials

TESTS = Path(__file__).parents[2]
BUILT_IN = ("sms", "email")
UNREAD = ("Webhook unreadable", "Message id conflict")
"""Messages about unread webhooks, which the fixture `inbox` looks for."""

_numbers = count(1000)


@pytest.fixture(scope="session")
def inbound_stack() -> Iterator[Stack]:
    """When the tests end, no function may have logged an address, or an error but for an unread webhook."""
    folders = [file.parent for file in TESTS.glob("layer/providers/*/signatures.py")]
    credentials = {
        folder.name: import_module(f"tests.layer.providers.{folder.name}.signatures").CREDENTIALS
        for folder in folders
    }
    with running(relay_every=0.5, parameters={"Providers": ",".join([*BUILT_IN, *credentials])}) as stack:
        add_credentials(stack, credentials)
        yield stack
        for name in stack.functions:
            lines = stack.log(name).splitlines()
            errors = [line for line in lines if "[ERROR]" in line or '"ERROR"' in line]
            assert not [line for line in errors if not any(text in line for text in UNREAD)], name
            assert not [line for line in lines if "@example" in line or "@in.example" in line], name


@pytest.fixture
def unchecked_inbox(inbound_stack: Stack) -> Inbox:
    """The service, for a test that posts what cannot be read."""
    return Inbox(inbound_stack)


@pytest.fixture
def inbox(unchecked_inbox: Inbox) -> Iterator[Inbox]:
    """The service, which reads everything that a test posts."""
    before = unchecked_inbox.unread()
    yield unchecked_inbox
    assert unchecked_inbox.unread() == before


@pytest.fixture
def address() -> str:
    """An address of ours that no other test uses."""
    return f"desk{next(_numbers)}@in.example.com"


@pytest.fixture
def number() -> str:
    """A phone number of ours that no other test uses."""
    return f"+1201555{next(_numbers)}"
