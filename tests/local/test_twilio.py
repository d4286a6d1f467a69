"""The Twilio simulator, called_url with Twilio's own client and checked with its own validator."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import parse_qsl

import pytest
from twilio.base.exceptions import TwilioException, TwilioRestException
from twilio.http.http_client import TwilioHttpClient
from twilio.request_validator import RequestValidator
from twilio.rest import Client

from local import Behaviour
from local.http.server import Request
from tests.support.local.simulator_client import call
from tests.support.local.webhook_listener import Listener, header
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

MMS = "MM" + "1" * 32

CUSTOMER, CONTACT = "+12016661234", "+18045551234"


class SimulatorHttpClient:
    """Twilio's HTTP client, which calls the simulator."""

    def __init__(self, api_url: str) -> None:
        self._client = TwilioHttpClient()
        self._api_url = api_url

    def request(self, method: str, url: str, *arguments: Any, **options: Any) -> Any:
        url = url.replace("https://api.twilio.com", self._api_url)
        return self._client.request(method, url, *arguments, **options)


@pytest.fixture
def product() -> Iterator[Listener]:
    with Listener("texts", "twilio").running() as product:
        yield product


def client(product: Listener, token: str | None = None) -> Client:
    return Client(
        product.credentials["account_sid"],
        token or product.credentials["auth_token"],
        http_client=SimulatorHttpClient(product.api_url),
    )


def form(product: Listener, webhook: Request) -> dict[str, str]:
    """Return the fields of a webhook, whose signature Twilio's validator accepts."""
    fields = dict(parse_qsl(webhook.body.decode(), keep_blank_values=True))
    validator = RequestValidator(product.credentials["auth_token"])
    signature = header(webhook, "x-twilio-signature")
    assert validator.validate(product.called_url(webhook), fields, signature)
    assert not validator.validate(product.called_url(webhook), fields | {"From": "+15005550001"}, signature)
    return fields


def test_a_message_is_accepted_and_reported_to_its_callback(product: Listener) -> None:
    callback = f"{product.url}/api/webhooks/sms/texts?reference=7#rc=5&rp=all"
    sent = client(product).messages.create(to=CONTACT, from_=CUSTOMER, body="Grüße", status_callback=callback)
    assert (sent.status, sent.body, sent.direction) == ("queued", "Grüße", "outbound-api")
    eventually(lambda: len(product.webhooks) == 2)
    reports = [form(product, webhook) for webhook in product.webhooks]
    assert [report["MessageStatus"] for report in reports] == ["sent", "delivered"]
    assert {(report["MessageSid"], report["From"], report["To"]) for report in reports} == {
        (sent.sid, CUSTOMER, CONTACT)
    }
    assert {product.called_url(webhook) for webhook in product.webhooks} == {callback.partition("#")[0]}
    [recorded] = product.provider.requests
    assert (recorded.id, recorded.status, recorded.body["Body"]) == (sent.sid, 201, "Grüße")


def test_a_callback_is_repeated_until_it_is_accepted(product: Listener) -> None:
    product.failures = 2
    product.provider.behave(Behaviour(reports=["undelivered"], report_delay=0))
    client(product).messages.create(
        to=CONTACT, from_=CUSTOMER, body="Hello", status_callback=f"{product.url}/there"
    )
    [webhook] = eventually(lambda: product.webhooks)
    assert form(product, webhook)["ErrorCode"] == "30003"


def test_media_are_sent_and_received_as_urls(product: Listener) -> None:
    urls = ["https://example.com/a.jpg", "https://example.com/b"]
    assert client(product).messages.create(to=CONTACT, from_=CUSTOMER, media_url=urls).num_media == "2"
    assert product.provider.requests[0].body["MediaUrl"] == urls
    message = {"from": CONTACT, "to": CUSTOMER, "attachments": urls, "id": MMS}
    status, response = call("POST", f"{product.api_url}/inbound", json.dumps(message).encode())
    assert (status, response) == (200, {"status": 200, "answer": "<Response/>"})
    [webhook] = product.webhooks
    assert webhook.path == "/api/webhooks/sms/texts"
    fields = form(product, webhook)
    assert (fields["MessageSid"], fields["Body"], fields["NumMedia"]) == (MMS, "", "2")
    assert [fields["MediaUrl1"], fields["MediaContentType0"]] == [urls[1], "image/jpeg"]


@pytest.mark.parametrize(
    ("wrong", "status", "code"),
    [
        ({"to": ""}, 400, 21604),
        ({"from_": ""}, 400, 21603),
        ({"body": ""}, 400, 21602),
        ({"body": "x" * 1601}, 400, 21617),
        ({"media_url": ["https://example.com/a.jpg"] * 11}, 400, 21623),
        ({"status_callback": "nowhere"}, 400, 21609),
    ],
)
def test_an_invalid_message_is_rejected_as_twilio_does(
    product: Listener, wrong: dict[str, Any], status: int, code: int
) -> None:
    message = {"to": CONTACT, "from_": CUSTOMER, "body": "Hello"} | wrong
    with pytest.raises(TwilioRestException) as raised:
        client(product).messages.create(**message)
    assert (raised.value.status, raised.value.code) == (status, code)
    assert client(product).messages.list() == []


def test_a_wrong_token_is_rejected(product: Listener) -> None:
    with pytest.raises(TwilioRestException) as raised:
        client(product, "another").messages.create(to=CONTACT, from_=CUSTOMER, body="Hello")
    assert (raised.value.status, raised.value.code) == (401, 20003)
    assert [recorded.status for recorded in product.provider.requests] == [401]


def test_a_simulated_failure_accepts_nothing(product: Listener) -> None:
    opted_out = {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}
    product.provider.behave(Behaviour(status=400, body=opted_out, times=1), Behaviour(status=503, times=1))
    for status, code in ((400, 21610), (503, 20503)):
        with pytest.raises(TwilioRestException) as raised:
            client(product).messages.create(to=CONTACT, from_=CUSTOMER, body="Hello")
        assert (raised.value.status, raised.value.code) == (status, code)
    assert client(product).messages.list() == []


def test_accepted_messages_are_listed_the_newest_first(product: Listener) -> None:
    messages = client(product).messages
    sids = [
        messages.create(to=to, from_=CUSTOMER, body="Hello").sid for to in (CONTACT, CONTACT, "+18045559999")
    ]
    assert [message.sid for message in messages.list()] == sids[::-1]
    assert [message.sid for message in messages.list(to=CONTACT, from_=CUSTOMER, page_size=1)] == [
        sids[1],
        sids[0],
    ]
    assert messages.list(from_="+12016660000") == []
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert len(messages.list(date_sent_after=now - hour, date_sent_before=now + hour)) == 3
    assert messages.list(date_sent_before=now - hour) == messages.list(date_sent_after=now + hour) == []
    assert product.provider.lookups[0].body == {}
    with pytest.raises(TwilioException, match="has the wrong format"):
        messages.list(date_sent="yesterday")
