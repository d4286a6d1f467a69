"""Valid and invalid requests, generated from the OpenAPI document, get the responses that it describes."""

import json
from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from local import Stack
from local.commands.openapi import FILE
from tests.support.api_keys import make
from tests.support.http_client import get

ADDRESSES = {"sms": ("+12016661234", "+18045551234"), "email": ("user@example.com", "contact@example.org")}
NOT_DESCRIBED = [
    checks.positive_data_acceptance,  # a schema cannot describe a valid address
    checks.unsupported_method,  # GET /api/messages/sms reads the message with the id "sms"
]


def without_security() -> dict[str, Any]:
    """Return the document without security. test_keys.py tests requests without a key."""
    document: dict[str, Any] = json.loads(FILE.read_text())
    for operations in document["paths"].values():
        for operation in operations.values():
            operation.pop("security", None)
    return document


described = schemathesis.openapi.from_dict(without_security())


@described.hook
def map_body(context: schemathesis.HookContext, body: Any) -> Any:
    """Set valid addresses. The schema allows any text, so almost every request would be invalid otherwise."""
    assert context.operation is not None
    channel = "email" if "email" in context.operation.path else "sms"
    if isinstance(body, dict):
        for field, address in zip(("from", "to"), ADDRESSES[channel], strict=True):
            if isinstance(body.get(field), str) and 0 < len(body[field]) <= 64:
                body[field] = address
    return body


@pytest.fixture(scope="module")
def key(closed: Stack) -> dict[str, str]:
    return make(closed, "send", "read", "admin").headers


def test_the_served_openapi_document_is_the_committed_one(stack: Stack) -> None:
    assert get(f"{stack.url}/api/openapi.json").body == json.loads(FILE.read_text())


@pytest.mark.fuzz
@described.parametrize()
@settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_the_responses_fit_the_openapi_document(
    closed: Stack, key: dict[str, str], case: schemathesis.Case[Any]
) -> None:
    case.call_and_validate(base_url=closed.url, headers=key, excluded_checks=NOT_DESCRIBED)
