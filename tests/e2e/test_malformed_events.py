"""What a client cannot write into an event but a gateway may: answered as a problem, never by a fault."""

import base64
import json
from pathlib import Path
from typing import Any

import pytest

from local import Stack
from tests.support.http_client import Answer
from tests.support.stack import assert_problem

EVENTS = Path(__file__).parents[2] / "events"
FUNCTIONS = {"SendMessage": "send_message", "SmsWebhook": "sms_webhook", "EmailWebhook": "email_webhook"}
"""The functions that take a body, and their events: of the API, and of a function's own URL."""

pytestmark = [
    pytest.mark.usefixtures("nothing_is_stored"),
    pytest.mark.parametrize("function", FUNCTIONS),
]


def event(function: str) -> dict[str, Any]:
    found: dict[str, Any] = json.loads((EVENTS / f"{FUNCTIONS[function]}.json").read_text())
    return found


def invoke(stack: Stack, function: str, **changes: Any) -> Answer:
    result = stack.invoke(function, event(function) | changes)
    headers = {name.lower(): value for name, value in result["headers"].items()}
    return Answer(result["statusCode"], json.loads(result["body"]), headers)


@pytest.mark.parametrize("body", ["not base64!", "AAA", "ä", "\ud800", '{"from": "+12016661234"}'])
def test_a_body_that_is_not_in_the_base64_it_is_said_to_be_in_cannot_be_read(
    stack: Stack, function: str, body: str
) -> None:
    assert_problem(invoke(stack, function, body=body, isBase64Encoded=True), 400)


def test_what_is_no_base64_inside_of_what_is_cannot_be_read(stack: Stack, function: str) -> None:
    whole = base64.b64encode(event(function)["body"].encode()).decode()
    assert_problem(invoke(stack, function, body=f"{whole[:8]}*{whole[8:]}", isBase64Encoded=True), 400)


@pytest.mark.parametrize("body", [None, "", "\ud800", '{"body": "\ud800"}', "\0"])
def test_a_body_of_text_that_is_none_cannot_be_read(stack: Stack, function: str, body: str | None) -> None:
    assert_problem(invoke(stack, function, body=body), 400)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0", b"not JSON", b""])
def test_bytes_that_are_no_json_cannot_be_read(stack: Stack, function: str, content: bytes) -> None:
    body = base64.b64encode(content).decode()
    assert_problem(invoke(stack, function, body=body, isBase64Encoded=True), 400)
