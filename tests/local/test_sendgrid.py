"""The SendGrid simulator, called with SendGrid's own client and checked with its own verifier."""

import base64
import json
from collections.abc import Iterator
from email import message_from_string
from typing import Any

import pytest
from python_http_client.exceptions import HTTPError
from sendgrid import SendGridAPIClient
from sendgrid.helpers.eventwebhook import EventWebhook
from sendgrid.helpers.mail import CustomArg, Mail, Personalization, To

from local import Behaviour
from local.http.server import Request
from messaging.mail.form_data import parse_form
from tests.support.local.simulator_client import call
from tests.support.local.webhook_listener import Listener, header
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

CUSTOMER, CONTACT = "user@example.com", "contact@example.org"
MAIL = {"from": f"Ann <{CONTACT}>", "to": CUSTOMER, "subject": "Grüße", "body": "Hi 🙂", "html": "<b>Hi</b>"}


@pytest.fixture
def product() -> Iterator[Listener]:
    with Listener("mails", "sendgrid").running() as product:
        yield product


def client(product: Listener, key: str | None = None) -> Any:
    return SendGridAPIClient(key or product.credentials["api_key"], host=product.api_url)


def mail(*recipients: str, **fields: Any) -> Mail:
    sent = Mail(**({"from_email": CUSTOMER, "subject": "Hi", "plain_text_content": "Hello"} | fields))
    to = Personalization()
    for recipient in recipients or (CONTACT,):
        to.add_to(To(recipient))
    to.add_custom_arg(CustomArg("reference", "7"))
    sent.add_personalization(to)
    return sent


def body(product: Listener, webhook: Request) -> bytes:
    """Return the body of a webhook, whose signature SendGrid's verifier accepts."""
    verifier = EventWebhook(product.credentials["public_key"])
    signature, timestamp = (
        header(webhook, f"x-twilio-email-event-webhook-{name}") for name in ("signature", "timestamp")
    )
    assert verifier.verify_signature(webhook.body.decode(), signature, timestamp)
    assert not verifier.verify_signature(webhook.body.decode() + " ", signature, timestamp)
    return webhook.body


def test_a_mail_is_accepted_and_reported_on_in_one_batch(product: Listener) -> None:
    answer = client(product).send(mail(CONTACT, "other@example.org"))
    id = answer.headers["X-Message-Id"]
    assert (answer.status_code, answer.body, len(id)) == (202, b"", 22)
    [webhook] = eventually(lambda: product.webhooks)
    assert webhook.path == "/api/webhooks/email/mails"
    events = json.loads(body(product, webhook))
    assert [(event["event"], event["email"]) for event in events] == [
        (event, email) for event in ("processed", "delivered") for email in (CONTACT, "other@example.org")
    ]
    assert {(event["reference"], event["sg_message_id"].partition(".")[0]) for event in events} == {("7", id)}
    assert len({event["sg_event_id"] for event in events}) == 4
    [recorded] = product.provider.requests
    assert (recorded.id, recorded.status, recorded.body["subject"]) == (id, 202, "Hi")


def test_a_batch_is_repeated_until_it_is_accepted(product: Listener) -> None:
    product.failures = 2
    product.provider.behave(Behaviour(reports=["failed"], report_delay=0, reference=False))
    client(product).send(mail())
    [webhook] = eventually(lambda: product.webhooks)
    [event] = json.loads(body(product, webhook))
    assert (event["event"], event["status"], "reference" in event) == ("bounce", "5.1.1", False)


@pytest.mark.parametrize(
    ("wrong", "fields"),
    [
        ({"from": {}}, ["from.email"]),
        ({"personalizations": []}, ["personalizations"]),
        ({"personalizations": [{"to": []}]}, ["personalizations.0.to"]),
        ({"subject": ""}, ["subject"]),
        ({"content": []}, ["content"]),
        ({"content": [{"type": "text/plain", "value": ""}], "subject": ""}, ["subject", "content.0.value"]),
        ({"content": 7}, [None]),
    ],
)
def test_an_invalid_mail_is_rejected_as_sendgrid_does(
    product: Listener, wrong: dict[str, Any], fields: list[str | None]
) -> None:
    with pytest.raises(HTTPError) as raised:
        client(product).client.mail.send.post(request_body=mail().get() | wrong)
    assert raised.value.status_code == 400
    assert [error["field"] for error in json.loads(raised.value.body)["errors"]] == fields
    assert [recorded.id for recorded in product.provider.requests] == [None]


def test_a_wrong_key_is_rejected(product: Listener) -> None:
    with pytest.raises(HTTPError) as raised:
        client(product, "SG.another").send(mail())
    assert raised.value.status_code == 401
    assert "expired, or revoked" in json.loads(raised.value.body)["errors"][0]["message"]


def test_a_simulated_failure_accepts_nothing(product: Listener) -> None:
    product.provider.behave(Behaviour(status=429, retry_after=3, times=1))
    with pytest.raises(HTTPError) as raised:
        client(product).send(mail())
    assert (raised.value.status_code, raised.value.headers["retry-after"]) == (429, "3")
    assert [recorded.id for recorded in product.provider.requests] == [None]


def test_an_inbound_mail_is_a_signed_form_with_its_files(product: Listener) -> None:
    file = {"name": "ä.txt", "type": "text/plain", "content": base64.b64encode(b"\x00note").decode()}
    inbound = MAIL | {"id": "<1@example.org>", "cc": ["other@example.org"], "attachments": [file]}
    status, response = call("POST", f"{product.api_url}/inbound", json.dumps(inbound).encode())
    assert (status, response["status"]) == (200, 200)
    [webhook] = product.webhooks
    fields = parse_form(body(product, webhook))
    texts = {field.name: field.content.decode() for field in fields}
    for name, mail_field in (("from", "from"), ("subject", "subject"), ("text", "body"), ("html", "html")):
        assert texts[name] == MAIL[mail_field]
    assert json.loads(texts["envelope"]) == {"to": [CUSTOMER], "from": CONTACT}
    assert message_from_string(texts["headers"])["message-id"] == "<1@example.org>"
    assert json.loads(texts["attachment-info"])["attachment1"]["filename"] == "ä.txt"
    [attached] = [field for field in fields if field.filename is not None]
    assert (attached.name, attached.filename) == ("attachment1", "ä.txt")
    assert (attached.content_type, attached.content) == ("text/plain", b"\x00note")


def test_an_image_in_the_html_has_its_content_id(product: Listener) -> None:
    image = {"name": "a.png", "type": "image/png", "content": "SGk=", "content_id": "logo@example.com"}
    note = {"name": "note.txt", "content": "SGVsbG8="}
    inbound = MAIL | {"html": '<img src="cid:logo@example.com">', "attachments": [note, image]}
    assert call("POST", f"{product.api_url}/inbound", json.dumps(inbound).encode())[1]["status"] == 200
    [webhook] = product.webhooks
    fields = parse_form(body(product, webhook))
    contents = {field.name: field.content for field in fields}
    assert json.loads(contents["content-ids"]) == {"logo@example.com": "attachment2"}
    attachment_info = json.loads(contents["attachment-info"])
    assert attachment_info["attachment2"]["content-id"] == "logo@example.com"
    assert "content-id" not in attachment_info["attachment1"]


def test_only_sendgrid_s_events_can_be_reported(product: Listener) -> None:
    for event, status in (("bounce", 200), ("failed", 200), ("undelivered", 422)):
        behaviour = json.dumps({"reports": [event]}).encode()
        assert call("PUT", f"{product.api_url}/behaviour", behaviour)[0] == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"attachments": ["https://example.com/a.pdf"]},
        {"attachments": [{"name": "a", "content": "no base64!"}]},
        {"to": 7},
        {"colour": "red"},
    ],
)
def test_an_invalid_inbound_mail_is_rejected(product: Listener, wrong: dict[str, Any]) -> None:
    status, response = call("POST", f"{product.api_url}/inbound", json.dumps(MAIL | wrong).encode())
    assert status == 422
    assert "pydantic" not in str(response)
    assert product.webhooks == []
