"""A provider as somebody would add it: this file, and one line in the registry.

Send: POST a form to the secret's `url`:

    dst=%2B18045551234&src=%2B12016661234&text=Hello&ref=7
    200 OK message-9

Receive: messages and reports together, signed with the secret's `key`:

    {"received": [{"id": "message-1", "src": "+18045551234", "dst": "+12016661234", "text": "in"}],
     "reports": [{"id": "message-9", "ref": 7, "state": "done"}]}
    x-example-signature: <hex of the HMAC-SHA256 of the body>

It expects the response <thanks for="2"/>.
"""

import hmac
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any
from urllib.parse import urlencode

from pydantic import BaseModel, Field, ValidationError

from messaging.address import PhoneAddress
from messaging.fields import Body, ProviderId, Text
from messaging.models import MAX_ID, Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid
from messaging.providers.credentials import get_list, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import Provider, ProviderResult, Verified, Webhook, WebhookResponse
from messaging.transport import client
from messaging.transport.payload import json_object

STATUS = {"done": Status.DELIVERED, "lost": Status.FAILED}
FORM = "application/x-www-form-urlencoded"


class Received(BaseModel):
    id: ProviderId
    src: PhoneAddress
    dst: PhoneAddress
    text: Body


class Report(BaseModel):
    id: ProviderId
    ref: Annotated[int, Field(ge=1, le=MAX_ID)]
    state: Annotated[Text, Field(max_length=64)]


class Batch(BaseModel):
    received: list[dict[str, Any]] = []
    reports: list[dict[str, Any]] = []


class ExampleProvider(Provider):
    channels = frozenset({Channel.SMS})
    limits = Limits(body=160)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret
        self._keys = get_list(secret, "key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        url = required(self._secret, "url", self.name)
        form = {"dst": message.recipient, "src": message.sender, "text": message.body, "ref": message.id}
        answer = client.post(url, urlencode(form).encode(), {"Content-Type": FORM})
        word, _, id = answer.body.decode(errors="replace").partition(" ")
        return ProviderResult.with_id(id if word == "OK" else None, "id")

    def verify(self, webhook: Webhook) -> Verified:
        signature = webhook.headers.get("x-example-signature", "").encode(errors="replace")
        for key in self._keys:
            expected = hmac.digest(key.encode(), webhook.body, "sha256").hex().encode()
            if hmac.compare_digest(expected, signature):
                return Verified()
        raise not_signed(self._keys, "key")

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        try:
            batch = Batch.model_validate(json_object(webhook.body))
        except ValidationError as error:
            raise Invalid.of(error) from None
        parts: list[InboundMessage | DeliveryReport | Invalid] = []
        for fields in batch.received:
            try:
                parts.append(_message(Received.model_validate(fields)))
            except ValidationError as error:
                parts.append(Invalid.of(error))
        for fields in batch.reports:
            try:
                parts.append(_report(Report.model_validate(fields), webhook.received_at))
            except ValidationError as error:
                parts.append(Invalid.of(error))
        return parts

    def respond(self, messages: Sequence[str | None]) -> WebhookResponse:
        return WebhookResponse(f'<thanks for="{len(messages)}"/>', "application/xml")


def _message(received: Received) -> InboundMessage:
    return InboundMessage.model_validate(
        {
            "type": Channel.SMS,
            "from": received.src,
            "to": received.dst,
            "body": received.text,
            "provider_message_id": received.id,
        }
    )


def _report(report: Report, received_at: datetime) -> DeliveryReport:
    return DeliveryReport(
        provider_message_id=report.id,
        reference=report.ref,
        status=STATUS.get(report.state),
        timestamp=received_at,
    )
