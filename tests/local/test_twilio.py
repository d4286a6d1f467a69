"""The playing Twilio, as Twilio's own client and validator see it."""

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

MMS = "MM" + "1" * 32

US, THEM = "+12016661234", "+18045551234"


class Here:
    """Twilio's own, led to where it is played."""

    def __init__(self, api_url: str) -> None:
        self._client = TwilioHttpClient()
        self._api_url = api_url

    def request(self, method: str, url: str, *rest: Any, **options: Any) -> Any:
        url = url.replace("https://api.twilio.com", self._api_url)
        return self._client.request(method, url, *rest, **options)


@pytest.fixture
def product() -> Iterator[Listener]:
    with Listener("texts", "twilio").running() as product:
        yield product


def client(product: Listener, token: str | None = None) -> Client:
    return Client(
        product.credentials["account_sid"],
        token or product.credentials["auth_token"],
        http_client=Here(product.api_url),
    )


def form(product: Listener, webhook: Request) -> dict[str, str]:
    """Of a webhook that Twilio's validator lets in."""
    fields = dict(parse_qsl(webhook.body.decode(), keep_blank_values=True))
    validator = RequestValidator(product.credentials["auth_token"])
    signature = header(webhook, "x-twilio-signature")
    assert validator.validate(product.called(webhook), fields, signature)
    assert not validator.validate(product.called(webhook), fields | {"From": "+15005550001"}, signature)
    return fields


def test_a_message_is_taken_and_reported_on_where_it_says(product: Listener) -> None:
    callback = f"{product.url}/api/webhooks/sms/texts?reference=7#rc=5&rp=all"
    sent = client(product).messages.create(to=THEM, from_=US, body="Grüße", status_callback=callback)
    assert (sent.status, sent.body, sent.direction) == ("queued", "Grüße", "outbound-api")
    eventually(lambda: len(product.webhooks) == 2)
    told = [form(product, webhook) for webhook in product.webhooks]
    assert [one["MessageStatus"] for one in told] == ["sent", "delivered"]
    assert {(one["MessageSid"], one["From"], one["To"]) for one in told} == {(sent.sid, US, THEM)}
    assert {product.called(webhook) for webhook in product.webhooks} == {callback.partition("#")[0]}
    [received] = product.provider.requests
    assert (received.id, received.status, received.body["Body"]) == (sent.sid, 201, "Grüße")


def test_a_callback_is_repeated_until_it_is_taken(product: Listener) -> None:
    product.troubles = 2
    product.provider.behave(Behaviour(reports=["undelivered"], report_delay=0))
    client(product).messages.create(to=THEM, from_=US, body="Hello", status_callback=f"{product.url}/there")
    [webhook] = eventually(lambda: product.webhooks)
    assert form(product, webhook)["ErrorCode"] == "30003"


def test_media_are_sent_and_received_by_their_urls(product: Listener) -> None:
    urls = ["https://example.com/a.jpg", "https://example.com/b"]
    assert client(product).messages.create(to=THEM, from_=US, media_url=urls).num_media == "2"
    assert product.provider.requests[0].body["MediaUrl"] == urls
    letter = {"from": THEM, "to": US, "attachments": urls, "id": MMS}
    status, told = call("POST", f"{product.api_url}/inbound", json.dumps(letter).encode())
    assert (status, told) == (200, {"status": 200, "answer": "<Response/>"})
    [webhook] = product.webhooks
    assert webhook.path == "/api/webhooks/sms/texts"
    found = form(product, webhook)
    assert (found["MessageSid"], found["Body"], found["NumMedia"]) == (MMS, "", "2")
    assert [found["MediaUrl1"], found["MediaContentType0"]] == [urls[1], "image/jpeg"]


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
def test_a_message_that_is_not_one_is_refused_as_twilio_does(
    product: Listener, wrong: dict[str, Any], status: int, code: int
) -> None:
    message = {"to": THEM, "from_": US, "body": "Hello"} | wrong
    with pytest.raises(TwilioRestException) as refused:
        client(product).messages.create(**message)
    assert (refused.value.status, refused.value.code) == (status, code)
    assert client(product).messages.list() == []


def test_who_has_not_the_token_is_refused(product: Listener) -> None:
    with pytest.raises(TwilioRestException) as refused:
        client(product, "another").messages.create(to=THEM, from_=US, body="Hello")
    assert (refused.value.status, refused.value.code) == (401, 20003)
    assert [received.status for received in product.provider.requests] == [401]


def test_it_fails_as_it_is_told_and_takes_nothing(product: Listener) -> None:
    opted_out = {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}
    product.provider.behave(Behaviour(status=400, body=opted_out, times=1), Behaviour(status=503, times=1))
    for status, code in ((400, 21610), (503, 20503)):
        with pytest.raises(TwilioRestException) as refused:
            client(product).messages.create(to=THEM, from_=US, body="Hello")
        assert (refused.value.status, refused.value.code) == (status, code)
    assert client(product).messages.list() == []


def test_what_it_has_taken_can_be_listed_the_newest_first(product: Listener) -> None:
    messages = client(product).messages
    sids = [messages.create(to=to, from_=US, body="Hello").sid for to in (THEM, THEM, "+18045559999")]
    assert [one.sid for one in messages.list()] == sids[::-1]
    assert [one.sid for one in messages.list(to=THEM, from_=US, page_size=1)] == [sids[1], sids[0]]
    assert messages.list(from_="+12016660000") == []
    now, hour = datetime.now(UTC), timedelta(hours=1)
    assert len(messages.list(date_sent_after=now - hour, date_sent_before=now + hour)) == 3
    assert messages.list(date_sent_before=now - hour) == messages.list(date_sent_after=now + hour) == []
    assert product.provider.lookups[0].body == {}
    with pytest.raises(TwilioException, match="has the wrong format"):
        messages.list(date_sent="yesterday")
