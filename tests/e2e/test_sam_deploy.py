"""What is deployed, and not only what is served: the stories on the functions that `sam deploy` made."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.e2e import sam
from tests.e2e.client import Answer, call
from tests.e2e.deployment import SIGNING_SECRET, Deployment, deployed


@pytest.fixture(scope="module")
def stack(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    assert pytestconfig.cache is not None
    with deployed(tmp_path_factory.mktemp("deployment"), pytestconfig.cache) as deployment:
        deployment.invoke("Migrate", {})
        yield deployment


def event(name: str) -> Any:
    return json.loads((sam.ROOT / "events" / f"{name}.json").read_text())


def inbound(contact: str, provider_message_id: str) -> str:
    body: dict[str, Any] = json.loads(event("sms_webhook")["body"])
    return json.dumps({**body, "from": contact, "messaging_provider_id": provider_message_id})


def post_signed(url: str, body: str) -> Answer:
    now = datetime.now(UTC)
    headers = {
        "content-type": "application/json",
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SIGNING_SECRET).sign("msg_1", now, body),
    }
    return call("POST", url, body, headers)


def test_the_database_is_migrated_and_may_be_again(stack: Deployment) -> None:
    revision = stack.invoke("Migrate", {})["revision"]
    assert revision is not None
    assert stack.invoke("Migrate", {})["revision"] == revision
    assert call("GET", f"{stack.api_url}/healthz") == Answer(200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/api/webhooks/sms"])
def test_an_inbound_message_comes_in_through_the_function_s_own_url(stack: Deployment, path: str) -> None:
    url = stack.url_of("SmsWebhook") + path
    body = inbound("+18045550101", f"own-url{path}")
    first = post_signed(url, body)
    assert (first.status, first.body["direction"], first.body["status"]) == (200, "inbound", "received")
    assert post_signed(url, body) == first


def test_an_inbound_email_comes_in_through_the_api(stack: Deployment) -> None:
    answer = post_signed(f"{stack.api_url}/api/webhooks/email", event("email_webhook")["body"])
    assert (answer.status, answer.body["type"], answer.body["from"]) == (200, "email", "contact@example.org")


def test_what_nobody_signed_stays_out(stack: Deployment) -> None:
    answer = call("POST", stack.url_of("SmsWebhook"), inbound("+18045550102", "unsigned"))
    assert answer.status == 403


def test_a_message_is_delivered_through_the_queue_and_reported_on(stack: Deployment) -> None:
    answer = stack.invoke("SendMessage", event("send_message"))
    assert answer["statusCode"] == 202
    message = json.loads(answer["body"])

    def is_delivered() -> bool:
        return bool(
            call("GET", f"{stack.api_url}/api/messages/{message['id']}").body["status"] == "delivered"
        )

    sam.wait_until(is_delivered, "the provider's report has arrived")
    sent = [
        received.body
        for received in stack.provider.requests
        if received.body["reference"] == str(message["id"])
    ]
    assert [(body["to"], body["body"]) for body in sent] == [(message["to"], message["body"])]


def test_the_api_leads_to_both_sides_of_a_conversation(stack: Deployment) -> None:
    contact = "+18045550103"
    wish = json.dumps({"from": "+12016661234", "to": contact, "body": "Hello"})
    sent = call("POST", f"{stack.api_url}/api/messages/sms", wish, {"content-type": "application/json"})
    assert sent.status == 202
    received = post_signed(f"{stack.api_url}/api/webhooks/sms", inbound(contact, "answer"))
    assert received.body["conversation_id"] == sent.body["conversation_id"]
    found = call("GET", f"{stack.api_url}/api/conversations/{sent.body['conversation_id']}/messages")
    assert [message["direction"] for message in found.body["messages"]] == ["outbound", "inbound"]


def test_the_api_answers_an_unknown_path_with_a_problem(stack: Deployment) -> None:
    answer = call("GET", f"{stack.api_url}/api/nothing")
    assert (answer.status, answer.body["status"]) == (404, 404)
