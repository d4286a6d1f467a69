"""The main story: eight requests in this order on a new database, and their effects.

It runs without keys, as the service starts on a laptop, and with a key, as in AWS.
"""

from collections.abc import Iterator
from typing import Any

import pytest

from local import RecordedRequest, Stack, running
from tests.support.api_keys import make
from tests.support.http_client import Answer, get, post
from tests.support.waiting import eventually

TIMESTAMP = "2024-11-01T14:00:00Z"
CUSTOMER, CONTACT = "+12016661234", "+18045551234"
CUSTOMER_EMAIL, CONTACT_EMAIL = "user@example.com", "contact@example.org"
IMAGE, DOCUMENT = "https://example.com/image.jpg", "https://example.com/document.pdf"

OUTBOUND = {1: "sms", 2: "mms", 3: "email"}
"""The ids of the outbound messages, and their types."""


def sms(sender: str, recipient: str, attachments: list[str] | None, **more: str) -> dict[str, Any]:
    type = "mms" if attachments else "sms"
    content = {"type": type, "body": f"An {type}", "attachments": attachments, "timestamp": TIMESTAMP}
    return {"from": sender, "to": recipient, **content, **more}


def email(sender: str, recipient: str, **more: str) -> dict[str, Any]:
    content = {"body": "<b>Hello</b>", "attachments": [DOCUMENT], "timestamp": TIMESTAMP}
    return {"from": sender, "to": recipient, **content, **more}


@pytest.fixture(scope="module", params=[False, True], ids=["without auth", "with auth"])
def new_stack(request: pytest.FixtureRequest) -> Iterator[Stack]:
    with running(relay_every=0.5, auth=request.param) as stack:
        yield stack


@pytest.fixture(scope="module")
def key(new_stack: Stack) -> dict[str, str]:
    """The header with a key. Without auth, the service ignores it."""
    return make(new_stack, "send", "read").headers


@pytest.fixture(scope="module")
def answers(new_stack: Stack, key: dict[str, str]) -> list[Answer]:
    url = new_stack.url
    return [
        post(f"{url}/api/messages/sms", sms(CUSTOMER, CONTACT, None), key),
        post(f"{url}/api/messages/sms", sms(CUSTOMER, CONTACT, [IMAGE]), key),
        post(f"{url}/api/messages/email", email(CUSTOMER_EMAIL, CONTACT_EMAIL), key),
        post(f"{url}/api/webhooks/sms", sms(CONTACT, CUSTOMER, None, messaging_provider_id="message-1")),
        post(f"{url}/api/webhooks/sms", sms(CONTACT, CUSTOMER, [IMAGE], messaging_provider_id="message-2")),
        post(f"{url}/api/webhooks/email", email(CONTACT_EMAIL, CUSTOMER_EMAIL, xillio_id="message-3")),
        get(f"{url}/api/conversations", key),
        get(f"{url}/api/conversations/1/messages", key),
    ]


def test_the_eight_requests_are_accepted(answers: list[Answer]) -> None:
    assert [answer.status for answer in answers] == [202, 202, 202, 200, 200, 200, 200, 200]


def test_sms_and_mms_in_both_directions_are_one_conversation_and_email_is_another(
    answers: list[Answer],
) -> None:
    conversations = answers[6].body["conversations"]
    assert [
        (conversation["id"], conversation["customer_address"], conversation["contact_address"])
        for conversation in conversations
    ] == [
        (2, CUSTOMER_EMAIL, CONTACT_EMAIL),
        (1, CUSTOMER, CONTACT),
    ]
    assert [conversation["last_message"]["direction"] for conversation in conversations] == [
        "inbound",
        "inbound",
    ]
    assert [answer.body["conversation_id"] for answer in answers[:6]] == [1, 1, 2, 1, 1, 2]


def test_the_first_conversation_holds_its_four_messages_in_order_of_arrival(answers: list[Answer]) -> None:
    messages = answers[7].body["messages"]
    assert [
        (message["id"], message["direction"], message["type"], message["attachments"]) for message in messages
    ] == [
        (1, "outbound", "sms", []),
        (2, "outbound", "mms", [IMAGE]),
        (4, "inbound", "sms", []),
        (5, "inbound", "mms", [IMAGE]),
    ]
    assert [(message["from"], message["to"]) for message in messages] == [
        (CUSTOMER, CONTACT),
        (CUSTOMER, CONTACT),
        (CONTACT, CUSTOMER),
        (CONTACT, CUSTOMER),
    ]
    assert {message["timestamp"] for message in messages} == {TIMESTAMP}


def test_an_accepted_message_is_at_the_location_in_its_response(
    new_stack: Stack, answers: list[Answer], key: dict[str, str]
) -> None:
    for id, answer in zip(OUTBOUND, answers[:3], strict=True):
        assert answer.body["status"] == "queued"
        assert answer.headers["location"] == f"/api/messages/{id}"
        assert get(f"{new_stack.url}{answer.headers['location']}", key).body["body"] == answer.body["body"]


def test_the_provider_receives_each_message_once_signed_and_with_our_reference(
    new_stack: Stack, answers: list[Answer]
) -> None:
    def all_requests() -> list[RecordedRequest]:
        requests = new_stack.provider.requests
        assert len(requests) <= len(OUTBOUND)
        return requests if len(requests) == len(OUTBOUND) else []

    by_reference = {request.body["reference"]: request for request in eventually(all_requests)}
    for id, type in OUTBOUND.items():
        request = by_reference[str(id)]
        assert request.status == 200  # the simulator answers 401 to a wrong signature
        assert request.path == ("/email" if type == "email" else "/sms")
        sent = answers[id - 1].body
        for name in ("from", "to", "type", "body", "timestamp"):
            assert request.body[name] == sent[name]
        assert (request.body["attachments"] or []) == sent["attachments"]


@pytest.mark.parametrize("id", OUTBOUND)
def test_the_provider_s_signed_report_makes_a_message_delivered_within_seconds(
    new_stack: Stack, answers: list[Answer], key: dict[str, str], id: int
) -> None:
    url = f"{new_stack.url}/api/messages/{id}"
    eventually(lambda: get(url, key).body["status"] == "delivered")


@pytest.mark.parametrize("id", OUTBOUND)
def test_a_message_shows_its_attempt_and_its_reports(
    new_stack: Stack, answers: list[Answer], key: dict[str, str], id: int
) -> None:
    url = f"{new_stack.url}/api/messages/{id}"

    def message_with_events() -> dict[str, Any]:
        message: dict[str, Any] = get(url, key).body
        return message if len(message["events"]) >= 3 else {}

    message = eventually(message_with_events)
    events = [(event["kind"], event["attempt"], event["status"]) for event in message["events"]]
    assert sorted(events) == [("attempt", 1, "sent"), ("report", 1, "delivered"), ("report", 1, "sent")]
    ids = {request.body["reference"]: request.id for request in new_stack.provider.requests}
    assert message["provider_message_id"] == ids[str(id)]


def test_each_contact_is_one_contact(new_stack: Stack, answers: list[Answer]) -> None:
    assert {conversation["contact_id"] for conversation in answers[6].body["conversations"]} == {1, 2}


def test_the_service_is_healthy_and_has_documentation(new_stack: Stack) -> None:
    assert get(f"{new_stack.url}/healthz") == Answer(200, {"status": "ok"})
    assert get(f"{new_stack.url}/api/openapi.json").body["openapi"].startswith("3.1")
    assert "<html" in get(f"{new_stack.url}/api/docs").body
