"""Sends, receives and reads through the functions that `sam deploy` has deployed to ministack."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
from standardwebhooks import Webhook

from tests.support import sam
from tests.support.api_keys import bearer
from tests.support.configuration import SIGNING_SECRET
from tests.support.deployment import Deployment, deployed
from tests.support.http_client import JSON, Answer, call, get, post
from tests.support.stack import CUSTOMER, assert_problem
from tests.support.waiting import eventually


@pytest.fixture(scope="module")
def deployment(tmp_path_factory: pytest.TempPathFactory, pytestconfig: pytest.Config) -> Iterator[Deployment]:
    assert pytestconfig.cache is not None
    with deployed(tmp_path_factory.mktemp("deployment"), pytestconfig.cache) as deployment:
        deployment.invoke("Migrate", {})
        yield deployment


@pytest.fixture(scope="module")
def key(deployment: Deployment) -> dict[str, str]:
    """The header with the first key of a deployment, which an operator creates by invoking Admin."""
    every_address = {"operator": "POST /api/admin/addresses", "body": {"address": "*", "account_id": 1}}
    assert deployment.invoke("Admin", every_address)["statusCode"] == 201
    fields = {"account_id": 1, "scopes": ["send", "read"]}
    created = deployment.invoke("Admin", {"operator": "POST /api/admin/keys", "body": fields})
    assert created["statusCode"] == 201
    return bearer(created["body"]["key"])


def event(name: str) -> Any:
    return json.loads((sam.ROOT / "events" / f"{name}.json").read_text())


def inbound(contact: str, provider_message_id: str) -> str:
    body: dict[str, Any] = json.loads(event("sms_webhook")["body"])
    return json.dumps({**body, "from": contact, "messaging_provider_id": provider_message_id})


def post_signed(url: str, body: str) -> Answer:
    now = datetime.now(UTC)
    headers = {
        "content-type": JSON,
        "webhook-id": "msg_1",
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(SIGNING_SECRET).sign("msg_1", now, body),
    }
    return call("POST", url, body, headers)


def test_the_database_can_be_migrated_again(deployment: Deployment) -> None:
    revision = deployment.invoke("Migrate", {})["revision"]
    assert revision is not None
    assert deployment.invoke("Migrate", {})["revision"] == revision
    assert get(f"{deployment.api_url}/healthz") == Answer(200, {"status": "ok"})


@pytest.mark.parametrize("path", ["/", "/api/webhooks/sms"])
def test_a_webhook_is_received_at_the_function_url(deployment: Deployment, contact: str, path: str) -> None:
    url = deployment.url_of("SmsWebhook") + path
    body = inbound(contact, f"own-url{path}")
    first = post_signed(url, body)
    assert (first.status, first.body["direction"], first.body["status"]) == (200, "inbound", "received")
    assert post_signed(url, body) == first


def test_an_inbound_email_is_received_through_the_api(deployment: Deployment) -> None:
    answer = post_signed(f"{deployment.api_url}/api/webhooks/email", event("email_webhook")["body"])
    assert (answer.status, answer.body["type"], answer.body["from"]) == (200, "email", "contact@example.org")


def test_an_unsigned_webhook_is_forbidden(deployment: Deployment, contact: str) -> None:
    body = inbound(contact, "unsigned")
    assert_problem(call("POST", deployment.url_of("SmsWebhook"), body, {"content-type": JSON}), 403)


def test_the_authorizer_allows_a_key_and_denies_everything_else(
    deployment: Deployment, key: dict[str, str]
) -> None:
    def authorize(header: str) -> Any:
        http = {"method": "GET", "path": "/api/conversations", "sourceIp": "203.0.113.7"}
        event = {"type": "REQUEST", "identitySource": [header], "requestContext": {"http": http}}
        return deployment.invoke("Authorizer", {**event, "version": "2.0", "headers": {}})

    allowed = authorize(key["Authorization"])
    assert allowed["isAuthorized"] is True
    assert allowed["context"].keys() == {"account", "scopes", "key"}
    assert allowed["context"]["account"] == "1"
    assert set(allowed["context"]["scopes"].split()) == {"send", "read"}
    for header in (f"{key['Authorization']}x", key["Authorization"][:-1], "Bearer mk_1_", "x"):
        assert authorize(header) == {"isAuthorized": False}


def test_the_api_calls_the_authorizer(deployment: Deployment, key: dict[str, str]) -> None:
    url = f"{deployment.api_url}/api/conversations"
    assert get(url) == Answer(401, {"message": "Unauthorized"})
    assert get(url, bearer("mk_1_x")) == Answer(403, {"message": "Forbidden"})
    assert get(url, key).status == 200
    assert_problem(get(f"{deployment.api_url}/api/admin/keys", key), 403)


def test_a_message_is_delivered_through_the_queue_and_reported_on(
    deployment: Deployment, key: dict[str, str]
) -> None:
    answer = deployment.invoke("SendMessage", event("send_message"))
    assert answer["statusCode"] == 202
    message = json.loads(answer["body"])

    def is_delivered() -> bool:
        stored = get(f"{deployment.api_url}/api/messages/{message['id']}", key).body
        return bool(stored["status"] == "delivered")

    # ministack does not answer while it unpacks a function. The relay repeats a dispatch that was lost then
    # after a minute.
    eventually(is_delivered, 180)
    sent = [received.body for received in deployment.provider.requests]
    assert [body["body"] for body in sent if body["reference"] == str(message["id"])] == [message["body"]]


def test_the_api_shows_both_sides_of_a_conversation(
    deployment: Deployment, key: dict[str, str], contact: str
) -> None:
    url = deployment.api_url
    sent = post(f"{url}/api/messages/sms", {"from": CUSTOMER, "to": contact, "body": "Hello"}, key)
    assert sent.status == 202
    received = post_signed(f"{url}/api/webhooks/sms", inbound(contact, "answer"))
    conversation = get(f"{url}/api/conversations/{sent.body['conversation_id']}/messages", key)
    assert [message["id"] for message in conversation.body["messages"]] == [
        sent.body["id"],
        received.body["id"],
    ]


def test_the_api_answers_an_unknown_path_with_a_problem(deployment: Deployment, key: dict[str, str]) -> None:
    assert_problem(get(f"{deployment.api_url}/api/nothing", key), 404)
