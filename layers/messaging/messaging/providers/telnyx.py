"""Telnyx: SMS and MMS.

Out, POST https://api.telnyx.com/v2/messages with `Authorization: Bearer <api_key>`:

    {"from": "+18445550001", "to": "+18665550001", "type": "SMS", "text": "Hello, World!",
     "webhook_url": "https://api.example.com/api/webhooks/sms/telnyx?reference=7"}
    200 {"data": {"record_type": "message", "id": "40385f64-5717-4562-b3fc-2c963f66afa6", "to": [...]}}
    403 {"errors": [{"code": "40300", "title": "Blocked due to STOP message", "detail": "Messages ..."}]}

In, messages to the messaging profile's URL, and reports to the message's own:

    {"data": {"event_type": "message.received", "occurred_at": "2019-01-23T18:10:02.574Z", "payload": {
        "id": "7ee4241c-f127", "type": "MMS", "from": {"phone_number": "+18665550001"}, "text": "Hello",
        "to": [{"phone_number": "+18445550001"}], "cc": [], "media": [{"url": "https://a.telnyx.com/b"}]}}}
    {"data": {"event_type": "message.finalized", "occurred_at": "2019-12-09T21:32:14.148Z", "payload": {
        "id": "40385f64-5717", "to": [{"phone_number": "+18665550001", "status": "delivery_failed"}],
        "errors": [{"code": "40008", "title": "Undeliverable"}], "webhook_url": "https://...?reference=7"}}}

    telnyx-timestamp: 1600000000
    telnyx-signature-ed25519: <base64 of the Ed25519 signature of "1600000000|" and the body's bytes>

Our id comes back in the body's `webhook_url`, which is signed; the query is not. There is no look-up: a
message can be asked for by Telnyx's own id alone. An answer is wanted within two seconds: reading a request
calls nobody, and one transaction keeps it. A group's message is its sender's; `extra.cc` has the others.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
https://developers.telnyx.com/docs/messaging/messages/error-codes
"""

import json
import re
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime
from typing import Annotated, Any, Literal
from urllib.parse import quote

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from messaging.address import PhoneAddress
from messaging.failures import Failure, Misconfigured, OptedOut, OutcomeUnknown, PermanentFailure, Throttled
from messaging.fields import CleanedBody, Text, Time
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected
from messaging.providers.credentials import get_list, get_str, not_signed
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.settings import settings
from messaging.transport import client, signatures
from messaging.transport.payload import json_object, parse_reference
from messaging.transport.redact import redact

MAX_GROUP = 20_000_000
"""Bytes of the message for each whom a group's reached, all together: it is kept as often."""
TOLERANCE = 300  # seconds, as in Telnyx's own libraries
STATUS = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "delivery_unconfirmed": Status.SENT,  # final: the carrier tells no more
    "sending_failed": Status.FAILED,
    "delivery_failed": Status.FAILED,
    "expired": Status.FAILED,
}
KNOWN = ("id", "type", "from", "text", "subject")

_ACCOUNT = ("20002", "20006", "20012", "20013", "20014", "20015", "20016", "20017", "20100", "40312", "40314")
"""The key was revoked or has expired; the account; no money; messaging is disabled."""
FAILURES: Mapping[str, type[Failure]] = {
    "40300": OptedOut,
    "40318": Throttled,  # the queue is full
    "40320": Misconfigured,  # the number cannot be used yet
    **dict.fromkeys(_ACCOUNT, Misconfigured),
}
"""Codes that say more than the status of the answer."""

_MESSAGING = re.compile("40[0-9]{3}")
"""A code about the message, also where the answer's status is 403 or 404."""
_REFERENCE = re.compile("[?&]reference=([0-9]+)")
_SECONDS = re.compile("[0-9]{1,12}")

Id = Annotated[Text, Field(min_length=1, max_length=440)]
Word = Annotated[Text, Field(max_length=64)]
_ID: TypeAdapter[str] = TypeAdapter(Id)


class Party(BaseModel):
    phone_number: PhoneAddress


class Received(BaseModel):
    id: Id
    type: Literal["SMS", "MMS"]
    sender: Party = Field(alias="from")
    to: Annotated[list[Any], Field(min_length=1, max_length=100)]
    subject: Text | None = None
    text: CleanedBody | None = None
    media: list[dict[str, Any]] = []


class Fault(BaseModel, coerce_numbers_to_str=True):
    code: Word
    title: Any = None
    detail: Any = None


class Recipient(BaseModel):
    status: Word | None = None


class Sent(BaseModel):
    id: Id
    to: Annotated[list[Recipient], Field(max_length=100)] = []
    errors: list[Fault] = []
    webhook_url: Text | None = None


class Event(BaseModel):
    event_type: Word
    occurred_at: Time | None = None
    payload: dict[str, Any]


def _as_told(failure: Failure) -> Failure:
    """The failure with the code and the reason of the answer, and of the kind that the code says."""
    with suppress(ValueError, TypeError, LookupError):  # it need not say more than its status
        told = Fault.model_validate(from_json(failure.body)["errors"][0])
        failure.code, failure.reason = told.code, redact(told.detail) or redact(told.title) or failure.reason
    about_it = isinstance(failure, Misconfigured) and _MESSAGING.fullmatch(failure.code)
    kind = FAILURES.get(failure.code, PermanentFailure if about_it else type(failure))
    reset, failure = failure.headers.get("x-ratelimit-reset"), client.reclassify(failure, kind)
    if isinstance(failure, Throttled) and failure.retry_after is None:
        failure.retry_after = client.retry_after(reset)
    return failure


class Telnyx:
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=1530, body_in_ucs2=670, attachments=10)  # 10 parts, of 153 characters or of 67

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._url = (get_str(secret, "api_url") or "https://api.telnyx.com").rstrip("/") + "/v2/messages"
        self._api_key = get_str(secret, "api_key")
        self._profile = get_str(secret, "messaging_profile_id")
        self._public_keys = get_list(secret, "public_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        if not self._api_key:
            raise Misconfigured("not_configured", f"The secret holds no api_key for {self.name}.")
        path = f"/api/webhooks/sms/{quote(self.name, safe='')}?reference={message.id}"
        fields = {
            "from": message.sender,
            "to": message.recipient,
            "type": message.type.upper(),
            "text": message.body,
            "media_urls": message.attachments,
            "messaging_profile_id": self._profile,
            "webhook_url": settings().public_url and settings().public_url.rstrip("/") + path,
        }
        body = json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {self._api_key}"}
        try:
            answer = client.post(self._url, body.encode(), headers)
        except Failure as failure:
            raise _as_told(failure) from failure
        try:
            return ProviderResult(_ID.validate_python(from_json(answer.body)["data"]["id"]))
        except (ValueError, TypeError, LookupError) as error:
            raise OutcomeUnknown("unreadable_answer", "The answer holds no id.") from error

    def verify(self, webhook: Webhook) -> Verified:
        signed_at = webhook.headers.get("telnyx-timestamp", "")
        if not _SECONDS.fullmatch(signed_at):
            raise SignatureRejected("The request bears no time of its signature.")
        signed = f"{signed_at}|".encode() + webhook.body
        signature = webhook.headers.get("telnyx-signature-ed25519", "")
        try:
            signatures.verify_ed25519(self._public_keys, signature, signed)
        except ValueError as error:
            raise not_signed(self._public_keys, "public_key") from error
        if abs(webhook.received_at.timestamp() - int(signed_at)) > TOLERANCE:
            raise SignatureRejected("The request was signed at another time.")
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        try:
            event = Event.model_validate(json_object(webhook.body).get("data"))
            told_at = event.occurred_at or webhook.received_at
            if event.event_type != "message.received":
                return _reports(event, told_at)
            received = Received.model_validate(event.payload)
            if len(webhook.body) * len(received.to) > MAX_GROUP:
                raise Invalid.field("to", "names too many for a message of this size")
            return [_message(received, one, event, told_at) for one in received.to]
        except ValidationError as error:
            raise Invalid.found(error.errors(include_input=False, include_url=False)) from None

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # all is answered alike
        return Answer()


def _message(received: Received, to: object, event: Event, told_at: datetime) -> InboundMessage | Invalid:
    extra = {name: value for name, value in event.payload.items() if name not in KNOWN and value}
    try:
        recipient = Party.model_validate(to).phone_number
        fields = {
            "type": received.type.lower(),
            "from": received.sender.phone_number,
            "to": recipient,
            "subject": received.subject or None,
            "body": received.text or "",
            "attachments": [one["url"] for one in received.media if one.get("url")],
            "timestamp": told_at,
            "provider_message_id": received.id if len(received.to) == 1 else f"{received.id}/{recipient}",
            "extra": extra,
        }
        return InboundMessage.model_validate(fields)
    except ValidationError as error:
        return Invalid.found(error.errors(include_input=False, include_url=False))


def _reports(event: Event, told_at: datetime) -> list[DeliveryReport]:
    sent = Sent.model_validate(event.payload)
    ours = _REFERENCE.search(sent.webhook_url or "")
    fault = sent.errors[0] if sent.errors else Fault(code="")
    on_its_way = Status.SENT if event.event_type == "message.sent" else None
    return [
        DeliveryReport(
            provider_message_id=sent.id,
            reference=parse_reference(ours and ours[1]),
            status=STATUS.get(word, on_its_way),
            code=fault.code or (None if on_its_way or word == STATUS.get(word) else word),
            reason=redact(fault.detail) or redact(fault.title),
            timestamp=told_at,
        )
        for word in [one.status or event.event_type for one in sent.to] or [event.event_type]
    ]
