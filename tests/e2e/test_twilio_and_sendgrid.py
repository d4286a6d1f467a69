"""The round trip through the Twilio and SendGrid simulators."""

import base64
import time
from collections.abc import Iterator
from functools import partial
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

import pytest

from local import Behaviour, Stack, running
from local.commands.guide import started
from tests.e2e.test_command import run_curl
from tests.support.http_client import Answer, call, get, post
from tests.support.outbound import message, wait_for
from tests.support.stack import assert_problem, nothing_stored
from tests.support.waiting import eventually

CUSTOMER, CONTACT = "+12016661234", "+18045559876"
CUSTOMER_EMAIL, CONTACT_EMAIL = "user@example.com", "ann@example.org"
IMAGE = "https://example.com/image.jpg"
NOTE = {"name": "note.txt", "type": "text/plain", "content": base64.b64encode(b"Buy milk").decode()}


@pytest.fixture(scope="module")
def stack() -> Iterator[Stack]:
    with running(relay_every=0.5, parameters={"Providers": "twilio,sendgrid"}) as stack:
        yield stack


def delivered(stack: Stack, answer: Answer) -> dict[str, Any]:
    assert answer.status == 202, answer
    url = f"{stack.url}{answer.headers['location']}"
    eventually(lambda: get(url).body["status"] == "delivered")
    message: dict[str, Any] = get(url).body
    return message


def has_events(stack: Stack, id: int) -> bool:
    return len(message(stack, id)["events"]) > 0


def post_inbound_twice(stack: Stack, instance: str, message: dict[str, Any]) -> None:
    for _ in range(2):
        answer = post(f"{stack.provider.url}/{instance}/inbound", message)
        assert (answer.status, answer.body["status"]) == (200, 200), answer


def messages(stack: Stack, contact: str) -> list[dict[str, Any]]:
    url = f"{stack.url}/api/conversations"
    [conversation] = get(f"{url}?{urlencode({'address': contact})}").body["conversations"]
    messages: list[dict[str, Any]] = get(f"{url}/{conversation['id']}/messages").body["messages"]
    return messages


def test_texts_and_pictures_are_sent_and_received_in_one_conversation(stack: Stack) -> None:
    sent = {"from": CUSTOMER, "to": CONTACT, "body": "Grüße"}
    url, picture = f"{stack.url}/api/messages/sms", {"type": "mms", "attachments": [IMAGE]}
    outbound = [delivered(stack, post(url, fields)) for fields in (sent, sent | picture)]
    assert [message["provider_message_id"][:2] for message in outbound] == ["SM", "MM"]
    assert {event["kind"] for event in outbound[0]["events"]} == {"attempt", "report"}
    received = {"from": CONTACT, "to": CUSTOMER, "body": "Hi 🙂"}
    post_inbound_twice(stack, "twilio", received | {"id": "SM" + "1" * 32})
    post_inbound_twice(stack, "twilio", received | {"id": "MM" + "1" * 32, "attachments": [IMAGE]})
    fields = ("direction", "type", "body", "attachments")
    assert [tuple(message[name] for name in fields) for message in messages(stack, CONTACT)] == [
        ("outbound", "sms", "Grüße", []),
        ("outbound", "mms", "Grüße", [IMAGE]),
        ("inbound", "sms", "Hi 🙂", []),
        ("inbound", "mms", "Hi 🙂", [IMAGE]),
    ]


def test_a_mail_and_its_answer_with_a_file_are_one_conversation(stack: Stack) -> None:
    sent = {"from": CUSTOMER_EMAIL, "to": CONTACT_EMAIL, "subject": "Grüße", "body": "Hello <b>you</b>"}
    outbound = delivered(stack, post(f"{stack.url}/api/messages/email", sent))
    [request] = [request for request in stack.provider.requests if request.path == "/sendgrid/v3/mail/send"]
    assert (request.id, request.body["subject"]) == (outbound["provider_message_id"], "Grüße")
    received = {
        "from": f"Ann <{CONTACT_EMAIL}>",
        "to": CUSTOMER_EMAIL,
        "subject": "Re: Grüße",
        "body": "Hi 🙂",
    }
    post_inbound_twice(stack, "sendgrid", received | {"id": "<1@example.org>", "attachments": [NOTE]})
    first, inbound = messages(stack, CONTACT_EMAIL)
    assert (first["id"], inbound["direction"]) == (outbound["id"], "inbound")
    assert (inbound["from"], inbound["subject"], inbound["body"]) == (CONTACT_EMAIL, "Re: Grüße", "Hi 🙂")
    [path] = inbound["attachments"]
    assert path == f"/api/messages/{inbound['id']}/attachments/1"
    with urlopen(stack.url + path) as file:  # it follows the redirect to the bucket
        assert not file.url.startswith(stack.url)
        assert (file.read(), file.headers["Content-Type"]) == (b"Buy milk", "text/plain")
        assert file.headers["Content-Disposition"] == "attachment; filename*=UTF-8''note.txt"


def test_the_commands_that_start_shows_work(stack: Stack) -> None:
    lines = [line for line in started(stack, auth=False).splitlines() if line.startswith("  curl ")]
    assert [run_curl(line).status for line in lines] == [202, 202, 202, 200, 200, 200, 200, 200]
    assert [line.split()[1] for line in lines[3:6]] == [
        f"{stack.provider.url}/{instance}/inbound" for instance in ("twilio", "twilio", "sendgrid")
    ]


def test_an_unsigned_webhook_of_a_vendor_is_forbidden(stack: Stack) -> None:
    text = urlencode({"MessageSid": "SM" + "2" * 32, "From": CONTACT, "To": CUSTOMER, "Body": "Hi"})
    form = {"content-type": "application/x-www-form-urlencoded"}
    event = '[{"event": "delivered", "sg_message_id": "1.recvd", "reference": "1"}]'
    signature = {
        "x-twilio-email-event-webhook-timestamp": str(int(time.time())),
        "x-twilio-email-event-webhook-signature": base64.b64encode(bytes(70)).decode(),
    }
    with nothing_stored(stack):
        for more in ({}, {"x-twilio-signature": base64.b64encode(bytes(20)).decode()}):
            assert_problem(call("POST", f"{stack.url}/api/webhooks/sms/twilio", text, form | more), 403)
        for headers in ({}, signature):
            assert_problem(call("POST", f"{stack.url}/api/webhooks/email/sendgrid", event, headers), 403)


def test_an_address_that_is_not_verified_does_not_stop_another(stack: Stack) -> None:
    error = {"message": "The from address does not match a verified Sender Identity.", "field": "from"}
    refusal = Behaviour(status=403, body={"errors": [error]}, times=20)
    stack.provider.behave(refusal, Behaviour(), at="sendgrid")
    url = f"{stack.url}/api/messages/email"
    refused = []
    for number in range(14):  # more than the failures that open a circuit
        fields = {"from": "new@example.com", "to": f"c{number}@example.org", "subject": "Hi", "body": "Hi"}
        refused.append(post(url, fields))
    for answer in refused:
        id = int(answer.body["id"])
        wait_for(stack, id, "queued")
        eventually(partial(has_events, stack, id))
    stack.provider.behave(at="sendgrid")
    delivered(stack, post(url, {"from": CUSTOMER_EMAIL, "to": "b@example.org", "subject": "", "body": "Hi"}))
    providers = get(f"{stack.url}/healthz?detail=true").body["providers"]
    assert [provider["circuit"] for provider in providers] == ["closed", "closed"]
