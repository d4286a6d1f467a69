"""The playing SendGrid, as SendGrid's own client and verifier see it."""

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
from messaging.transport.payload import form
from tests.support.local.simulator_client import call
from tests.support.local.webhook_listener import Listener, header
from tests.support.waiting import eventually

US, THEM = "user@example.com", "contact@example.org"
LETTER = {"from": f"Ann <{THEM}>", "to": US, "subject": "Grüße", "body": "Hi 🙂", "html": "<b>Hi</b>"}


@pytest.fixture
def product() -> Iterator[Listener]:
    with Listener("mails", "sendgrid").running() as product:
        yield product


def client(product: Listener, key: str | None = None) -> Any:
    return SendGridAPIClient(key or product.credentials["api_key"], host=product.api_url)


def mail(*recipients: str, **fields: Any) -> Mail:
    made = Mail(**({"from_email": US, "subject": "Hi", "plain_text_content": "Hello"} | fields))
    to = Personalization()
    for recipient in recipients or (THEM,):
        to.add_to(To(recipient))
    to.add_custom_arg(CustomArg("reference", "7"))
    made.add_personalization(to)
    return made


def body(product: Listener, webhook: Request) -> bytes:
    """Of a webhook that SendGrid's verifier lets in."""
    verifier = EventWebhook(product.credentials["public_key"])
    signature, timestamp = (
        header(webhook, f"x-twilio-email-event-webhook-{name}") for name in ("signature", "timestamp")
    )
    assert verifier.verify_signature(webhook.body.decode(), signature, timestamp)
    assert not verifier.verify_signature(webhook.body.decode() + " ", signature, timestamp)
    return webhook.body


def test_a_mail_is_taken_and_reported_on_in_one_batch(product: Listener) -> None:
    answer = client(product).send(mail(THEM, "other@example.org"))
    id = answer.headers["X-Message-Id"]
    assert (answer.status_code, answer.body, len(id)) == (202, b"", 22)
    [webhook] = eventually(lambda: product.webhooks)
    assert webhook.path == "/api/webhooks/email/mails"
    events = json.loads(body(product, webhook))
    assert [(one["event"], one["email"]) for one in events] == [
        (event, email) for event in ("processed", "delivered") for email in (THEM, "other@example.org")
    ]
    assert {(one["reference"], one["sg_message_id"].partition(".")[0]) for one in events} == {("7", id)}
    assert len({one["sg_event_id"] for one in events}) == 4
    [received] = product.provider.requests
    assert (received.id, received.status, received.body["subject"]) == (id, 202, "Hi")


def test_a_batch_is_repeated_until_it_is_taken(product: Listener) -> None:
    product.troubles = 2
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
def test_a_mail_that_is_not_one_is_refused_as_sendgrid_does(
    product: Listener, wrong: dict[str, Any], fields: list[str | None]
) -> None:
    with pytest.raises(HTTPError) as refused:
        client(product).client.mail.send.post(request_body=mail().get() | wrong)
    assert refused.value.status_code == 400
    assert [error["field"] for error in json.loads(refused.value.body)["errors"]] == fields
    assert [received.id for received in product.provider.requests] == [None]


def test_who_has_not_the_key_is_refused(product: Listener) -> None:
    with pytest.raises(HTTPError) as refused:
        client(product, "SG.another").send(mail())
    assert refused.value.status_code == 401
    assert "expired, or revoked" in json.loads(refused.value.body)["errors"][0]["message"]


def test_it_fails_as_it_is_told_and_takes_nothing(product: Listener) -> None:
    product.provider.behave(Behaviour(status=429, retry_after=3, times=1))
    with pytest.raises(HTTPError) as refused:
        client(product).send(mail())
    assert (refused.value.status_code, refused.value.headers["retry-after"]) == (429, "3")
    assert [received.id for received in product.provider.requests] == [None]


def test_a_mail_comes_in_as_a_signed_form_with_its_files(product: Listener) -> None:
    file = {"name": "ä.txt", "type": "text/plain", "content": base64.b64encode(b"\x00note").decode()}
    letter = LETTER | {"id": "<1@example.org>", "cc": ["other@example.org"], "attachments": [file]}
    status, told = call("POST", f"{product.api_url}/inbound", json.dumps(letter).encode())
    assert (status, told["status"]) == (200, 200)
    [webhook] = product.webhooks
    headers = {"content-type": header(webhook, "content-type")}
    fields = form(headers.get("content-type", ""), body(product, webhook))
    found = {field.name: field.content.decode() for field in fields}
    assert (found["from"], found["subject"], found["text"], found["html"]) == (
        *(LETTER["from"], LETTER["subject"]),
        *(LETTER["body"], LETTER["html"]),
    )
    assert json.loads(found["envelope"]) == {"to": [US], "from": THEM}
    assert message_from_string(found["headers"])["message-id"] == "<1@example.org>"
    assert json.loads(found["attachment-info"])["attachment1"]["filename"] == "ä.txt"
    [attached] = [field for field in fields if field.filename is not None]
    assert (attached.name, attached.filename, attached.content_type, attached.content) == (
        *("attachment1", "ä.txt"),
        *("text/plain", b"\x00note"),
    )


def test_an_image_of_the_html_comes_in_by_its_content_id(product: Listener) -> None:
    image = {"name": "a.png", "type": "image/png", "content": "SGk=", "content_id": "logo@example.com"}
    note = {"name": "note.txt", "content": "SGVsbG8="}
    letter = LETTER | {"html": '<img src="cid:logo@example.com">', "attachments": [note, image]}
    assert call("POST", f"{product.api_url}/inbound", json.dumps(letter).encode())[1]["status"] == 200
    [webhook] = product.webhooks
    headers = {"content-type": header(webhook, "content-type")}
    read = form(headers.get("content-type", ""), body(product, webhook))
    found = {field.name: field.content for field in read}
    assert json.loads(found["content-ids"]) == {"logo@example.com": "attachment2"}
    described = json.loads(found["attachment-info"])
    assert (described["attachment2"]["content-id"], "content-id" in described["attachment1"]) == (
        "logo@example.com",
        False,
    )


def test_it_reports_in_its_own_words_alone(product: Listener) -> None:
    for word, status in (("bounce", 200), ("failed", 200), ("undelivered", 422)):
        told = json.dumps({"reports": [word]}).encode()
        assert call("PUT", f"{product.api_url}/behaviour", told)[0] == status


@pytest.mark.parametrize(
    "wrong",
    [
        {"attachments": ["https://example.com/a.pdf"]},
        {"attachments": [{"name": "a", "content": "no base64!"}]},
        {"to": 7},
        {"colour": "red"},
    ],
)
def test_it_sends_nothing_in_that_it_could_not_have(product: Listener, wrong: dict[str, Any]) -> None:
    status, told = call("POST", f"{product.api_url}/inbound", json.dumps(LETTER | wrong).encode())
    assert status == 422
    assert "pydantic" not in str(told)
    assert product.webhooks == []
