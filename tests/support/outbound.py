"""A message on its way out, as a client and the provider see it."""

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
    """Our id of a new message."""
    answer = send(stack, contact)
    assert answer.status == 202, answer
    return int(answer.body["id"])


def message(stack: Stack, id: int) -> dict[str, Any]:
    found: dict[str, Any] = get(f"{stack.url}/api/messages/{id}").body
    return found


def wait_for(stack: Stack, id: int, status: str, seconds: float = 15) -> dict[str, Any]:
    """The message, once it has come to this status."""
    eventually(lambda: message(stack, id)["status"] == status, seconds)
    return message(stack, id)


def calls(stack: Stack, id: int) -> list[RecordedRequest]:
    """What the provider was asked to send of a message."""
    return [one for one in stack.provider.requests if one.body["reference"] == str(id)]


def attempts(message: dict[str, Any]) -> Sequence[tuple[int, str, str | None]]:
    """How each ended, and the code that was given for it."""
    events = [event for event in message["events"] if event["kind"] == "attempt"]
    return [(event["attempt"], event["status"], event["code"]) for event in events]


def deliver_again(stack: Stack, id: int) -> None:
    """As the queue does whose entry nobody has taken out, and the relay when a minute has passed."""
    record = {"messageId": "again", "body": str(id)}
    assert stack.invoke("DeliverMessage", {"Records": [record]}) == {"batchItemFailures": []}
