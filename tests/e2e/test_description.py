"""Requests made from the service's own description, right and wrong: the service does what it describes."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from local import Stack, running
from local.commands.openapi import FILE
from tests.support.api_keys import make
from tests.support.http_client import get

ADDRESSES = {"sms": ("+12016661234", "+18045551234"), "email": ("user@example.com", "contact@example.org")}
NOT_DESCRIBED = [
    checks.positive_data_acceptance,  # what an address is, no schema can say
    checks.unsupported_method,  # a GET of /api/messages/sms asks for the message "sms"
]


def with_a_key() -> dict[str, Any]:
    """The description to whoever has a key: without one, test_keys.py tries every route."""
    document: dict[str, Any] = json.loads(FILE.read_text())
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


described = schemathesis.openapi.from_dict(with_a_key())


@described.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Puts addresses where the schema allows any text: else hardly a request would get past them."""
    assert context.operation is not None
    channel = "email" if "email" in context.operation.path else "sms"
    if isinstance(body, dict):
        for field, address in zip(("from", "to"), ADDRESSES[channel], strict=True):
            if isinstance(body.get(field), str) and 0 < len(body[field]) <= 64:
                body[field] = address
    return body


@pytest.fixture(scope="module")
def closed() -> Iterator[Stack]:
    """As in AWS."""
    with running(auth=True, relay_every=0) as stack:
        yield stack


@pytest.fixture(scope="module")
def key(closed: Stack) -> dict[str, str]:
    return make(closed, "send", "read", "admin").headers


def test_the_description_that_is_served_is_the_one_that_is_committed(stack: Stack) -> None:
    assert get(f"{stack.url}/api/openapi.json").body == json.loads(FILE.read_text())


@described.parametrize()
@settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_the_service_answers_as_it_describes_itself(
    closed: Stack, key: dict[str, str], case: schemathesis.Case[Any]
) -> None:
    case.call_and_validate(base_url=closed.url, headers=key, excluded_checks=NOT_DESCRIBED)
