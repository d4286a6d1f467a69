"""Malformed events, which a client cannot send but a gateway may, get a problem, never an error."""

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
"""The functions that have a request body, and their events."""

pytestmark = [
    pytest.mark.usefixtures("nothing_is_stored"),
    pytest.mark.parametrize("function", FUNCTIONS),
]


def event(function: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((EVENTS / f"{FUNCTIONS[function]}.json").read_text())
    return event


def invoke(stack: Stack, function: str, **changes: Any) -> Answer:
    result = stack.invoke(function, event(function) | changes)
    headers = {name.lower(): value for name, value in result["headers"].items()}
    return Answer(result["statusCode"], json.loads(result["body"]), headers)


@pytest.mark.parametrize("body", ["not base64!", "AAA", "ä", "\ud800", '{"from": "+12016661234"}'])
def test_a_body_with_invalid_base64_is_rejected(stack: Stack, function: str, body: str) -> None:
    assert_problem(invoke(stack, function, body=body, isBase64Encoded=True), 400)


def test_a_body_with_an_invalid_character_in_its_base64_is_rejected(stack: Stack, function: str) -> None:
    encoded = base64.b64encode(event(function)["body"].encode()).decode()
    assert_problem(invoke(stack, function, body=f"{encoded[:8]}*{encoded[8:]}", isBase64Encoded=True), 400)


@pytest.mark.parametrize("body", [None, "", "\ud800", '{"body": "\ud800"}', "\0"])
def test_a_body_that_is_not_valid_text_is_rejected(stack: Stack, function: str, body: str | None) -> None:
    assert_problem(invoke(stack, function, body=body), 400)


@pytest.mark.parametrize("content", [b"\xff\xfe", b"\0", b"not JSON", b""])
def test_bytes_that_are_not_json_are_rejected(stack: Stack, function: str, content: bytes) -> None:
    body = base64.b64encode(content).decode()
    assert_problem(invoke(stack, function, body=body, isBase64Encoded=True), 400)
