"""Requests made from the service's own description, right and wrong: the service does what it describes."""

import json
from typing import Any

import schemathesis
from hypothesis import HealthCheck, settings
from schemathesis.specs.openapi import checks

from local import Stack
from local.openapi import FILE
from tests.e2e.client import get

ADDRESSES = {"sms": ("+12016661234", "+18045551234"), "email": ("user@example.com", "contact@example.org")}
NOT_DESCRIBED = [
    checks.positive_data_acceptance,  # what an address is, no schema can say
    checks.unsupported_method,  # a GET of /api/messages/sms asks for the message "sms"
]

described = schemathesis.openapi.from_path(FILE)


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


def test_the_description_that_is_served_is_the_one_that_is_committed(stack: Stack) -> None:
    assert get(f"{stack.url}/api/openapi.json").body == json.loads(FILE.read_text())


@described.parametrize()
@settings(
    max_examples=30, deadline=None, derandomize=True, database=None, suppress_health_check=list(HealthCheck)
)
def test_the_service_answers_as_it_describes_itself(stack: Stack, case: schemathesis.Case[Any]) -> None:
    case.call_and_validate(base_url=stack.url, excluded_checks=NOT_DESCRIBED)
