"""Outbound messages as a client and the provider see them."""

from collections.abc import Sequence
from typing import Any

from local import RecordedRequest, Stack
from tests.support.http_client import Answer, get, post
from tests.support.stack import CUSTOMER
from tests.support.waiting import eventually


def send(stack: Stack, contact: str, key: str | None = None) -> Answer:
    fields = {"from": CUSTOMER, "to": contact, "body": "Hello"}
    return post(f"{stack.url}/api/messages/sms", fields, {"idempotency-key": key} if key else None)


def sent(stack: Stack, contact: str) -> int:
    """Send a message. Returns our id."""
    answer = send(stack, contact)
    assert answer.status == 202, answer
    return int(answer.body["id"])


def message(stack: Stack, id: int) -> dict[str, Any]:
    fields: dict[str, Any] = get(f"{stack.url}/api/messages/{id}").body
    return fields


def wait_for(stack: Stack, id: int, status: str, seconds: float = 15) -> dict[str, Any]:
    """Wait until the message has this status and return it."""
    eventually(lambda: message(stack, id)["status"] == status, seconds)
    return message(stack, id)


def calls(stack: Stack, id: int) -> list[RecordedRequest]:
    """The requests in which the provider was asked to send this message."""
    return [call for call in stack.provider.requests if call.body["reference"] == str(id)]


def attempts(message: dict[str, Any]) -> Sequence[tuple[int, str, str | None]]:
    """The number, status and code of each attempt."""
    events = [event for event in message["events"] if event["kind"] == "attempt"]
    return [(event["attempt"], event["status"], event["code"]) for event in events]


def deliver_again(stack: Stack, id: int) -> None:
    """Deliver once more, as after a repeated dispatch."""
    record = {"messageId": "again", "body": str(id)}
    assert stack.invoke("DeliverMessage", {"Records": [record]}) == {"batchItemFailures": []}
