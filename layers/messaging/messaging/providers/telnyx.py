"""Telnyx: SMS and MMS.

Send: POST https://api.telnyx.com/v2/messages with `Authorization: Bearer <api_key>`:

    {"from": "+18445550001", "to": "+18665550001", "type": "SMS", "text": "Hello, World!",
     "webhook_url": "https://api.example.com/api/webhooks/sms/telnyx?reference=7"}
    200 {"data": {"record_type": "message", "id": "40385f64-5717-4562-b3fc-2c963f66afa6", "to": [...]}}
    403 {"errors": [{"code": "40300", "title": "Blocked due to STOP message", "detail": "Messages ..."}]}

Receive: messages at the messaging profile's URL, and reports at the message's own URL:

    {"data": {"event_type": "message.received", "occurred_at": "2019-01-23T18:10:02.574Z", "payload": {
        "id": "7ee4241c-f127", "type": "MMS", "from": {"phone_number": "+18665550001"}, "text": "Hello",
        "to": [{"phone_number": "+18445550001"}], "cc": [], "media": [{"url": "https://a.telnyx.com/b"}]}}}
    {"data": {"event_type": "message.finalized", "occurred_at": "2019-12-09T21:32:14.148Z", "payload": {
        "id": "40385f64-5717", "to": [{"phone_number": "+18665550001", "status": "delivery_failed"}],
        "errors": [{"code": "40008", "title": "Undeliverable"}], "webhook_url": "https://...?reference=7"}}}

    telnyx-timestamp: 1600000000
    telnyx-signature-ed25519: <base64 of the Ed25519 signature of "1600000000|" and the body's bytes>

Our id is read from the body's `webhook_url`, which is signed; the query is not signed. There is no status
lookup: Telnyx only finds a message by its own id. Telnyx expects a response within two seconds: reading a
request calls no other service, and one transaction stores it. A group message is stored in the conversation
with its sender; `extra.cc` has the other members.

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
https://developers.telnyx.com/docs/messaging/messages/error-codes
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field, ValidationError

from messaging.address import PhoneAddress
from messaging.failures import Failure, Misconfigured, OptedOut, PermanentFailure, Throttled
from messaging.fields import CleanedBody, Text, Time, epoch_seconds
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected
from messaging.providers.credentials import get_list, get_str, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    callback_url,
    value_at,
)
from messaging.transport import client, signatures
from messaging.transport.payload import json_object, parse_reference
from messaging.transport.redact import redact

STATUS = {
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "delivery_unconfirmed": Status.SENT,  # final: the carrier reports nothing more
    "sending_failed": Status.FAILED,
    "delivery_failed": Status.FAILED,
    "expired": Status.FAILED,
}

ACCOUNT_ERRORS = (
    *("20002", "20006", "20012", "20013", "20014", "20015", "20016", "20017", "20100"),
    *("40312", "40314"),
)
"""The key is revoked or expired, the account is disabled or has no money, or messaging is disabled."""
FAILURES: Mapping[str, type[Failure]] = {
    "40300": OptedOut,
    "40318": Throttled,  # the queue is full
    "40320": Misconfigured,  # the number cannot be used yet
    **dict.fromkeys(ACCOUNT_ERRORS, Misconfigured),
}
"""Error codes that say more than the HTTP status."""
MESSAGE_ERROR = re.compile("40[0-9]{3}")
"""An error code about the message, also if the HTTP status is 403 or 404."""

TOLERANCE = timedelta(minutes=5)  # as in Telnyx's own libraries
MAX_GROUP = 20_000_000
"""Bytes of a group message, times its recipients: it is stored once for each of them."""
KNOWN_FIELDS = ("id", "type", "from", "text", "subject")

_REFERENCE = re.compile("[?&]reference=([0-9]+)")

Id = Annotated[Text, Field(min_length=1, max_length=440)]
Word = Annotated[Text, Field(max_length=64)]


class Error(BaseModel, coerce_numbers_to_str=True):
    code: Word
    title: Any = None
    detail: Any = None


class Event(BaseModel):
    event_type: Word
    occurred_at: Time | None = None
    payload: dict[str, Any]


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


class RecipientStatus(BaseModel):
    status: Word | None = None


class Sent(BaseModel):
    id: Id
    to: Annotated[list[RecipientStatus], Field(max_length=100)] = []
    errors: list[Error] = []
    webhook_url: Text | None = None


class Telnyx(Provider):
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=1530, body_in_ucs2=670, attachments=10)  # 10 parts of 153 characters, or of 67

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret
        self._url = (get_str(secret, "api_url") or "https://api.telnyx.com").rstrip("/") + "/v2/messages"
        self._profile = get_str(secret, "messaging_profile_id")
        self._public_keys = get_list(secret, "public_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        api_key = required(self._secret, "api_key", self.name)
        fields = {
            "from": message.sender,
            "to": message.recipient,
            "type": message.type.upper(),
            "text": message.body,
            "media_urls": message.attachments,
            "messaging_profile_id": self._profile,
            "webhook_url": callback_url(Channel.SMS, self.name, message.id),
        }
        body = json.dumps({name: value for name, value in fields.items() if value}, ensure_ascii=False)
        headers = {"Content-Type": "application/json", "Authorization": f"Bearer {api_key}"}
        try:
            answer = client.post(self._url, body.encode(), headers)
        except Failure as failure:
            raise _with_error(failure) from failure
        return ProviderResult.with_id(value_at(answer.body, "data", "id"), "id")

    def verify(self, webhook: Webhook) -> Verified:
        timestamp = webhook.headers.get("telnyx-timestamp", "")
        signed_at = epoch_seconds(timestamp)
        if signed_at is None:
            raise SignatureRejected("The request has no timestamp for its signature.")
        signature = webhook.headers.get("telnyx-signature-ed25519", "")
        try:
            signatures.verify_ed25519(self._public_keys, signature, f"{timestamp}|".encode() + webhook.body)
        except ValueError as error:
            raise not_signed(self._public_keys, "public_key") from error
        if not webhook.is_within(TOLERANCE, signed_at):
            raise SignatureRejected("The request is stale.")
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        try:
            event = Event.model_validate(json_object(webhook.body).get("data"))
            occurred_at = event.occurred_at or webhook.received_at
            if event.event_type != "message.received":
                return _reports(event, occurred_at)
            received = Received.model_validate(event.payload)
        except ValidationError as error:
            raise Invalid.of(error) from None
        if len(webhook.body) * len(received.to) > MAX_GROUP:
            raise Invalid.field("to", "must have fewer recipients for a message of this size")
        return [_message(received, recipient, event, occurred_at) for recipient in received.to]


def _with_error(failure: Failure) -> Failure:
    """The failure with Telnyx's code and reason, and of the type that the code stands for."""
    try:
        error = Error.model_validate(value_at(failure.body, "errors", 0))
    except ValidationError:  # the answer need not say more than its HTTP status
        pass
    else:
        failure.code = error.code
        failure.reason = redact(error.detail) or redact(error.title) or failure.reason
    failure_type = type(failure)
    if failure.code in FAILURES:
        failure_type = FAILURES[failure.code]
    elif isinstance(failure, Misconfigured) and MESSAGE_ERROR.fullmatch(failure.code):
        failure_type = PermanentFailure
    wait = failure.headers.get("x-ratelimit-reset")
    failure = client.reclassify(failure, failure_type)
    if isinstance(failure, Throttled) and failure.retry_after is None:
        failure.retry_after = client.retry_after(wait)
    return failure


def _message(
    received: Received, recipient: object, event: Event, occurred_at: datetime
) -> InboundMessage | Invalid:
    try:
        number = Party.model_validate(recipient).phone_number
        return InboundMessage.model_validate(
            {
                "type": received.type.lower(),
                "from": received.sender.phone_number,
                "to": number,
                "subject": received.subject or None,
                "body": received.text or "",
                "attachments": [media["url"] for media in received.media if media.get("url")],
                "timestamp": occurred_at,
                "provider_message_id": received.id if len(received.to) == 1 else f"{received.id}/{number}",
                "extra": {
                    name: value for name, value in event.payload.items() if name not in KNOWN_FIELDS and value
                },
            }
        )
    except ValidationError as error:
        return Invalid.of(error)


def _reports(event: Event, occurred_at: datetime) -> list[DeliveryReport]:
    """One report for each recipient; one for the event itself if it names no recipients."""
    sent = Sent.model_validate(event.payload)
    reference = _REFERENCE.search(sent.webhook_url or "")
    error = sent.errors[0] if sent.errors else Error(code="")
    default = Status.SENT if event.event_type == "message.sent" else None
    status_texts = [recipient.status or event.event_type for recipient in sent.to] or [event.event_type]
    reports = []
    for status_text in status_texts:
        status = STATUS.get(status_text, default)
        code = error.code or None
        if code is None and default is None and status_text != status:
            code = status_text
        reports.append(
            DeliveryReport(
                provider_message_id=sent.id,
                reference=parse_reference(reference[1] if reference else None),
                status=status,
                code=code,
                reason=redact(error.detail) or redact(error.title),
                timestamp=occurred_at,
            )
        )
    return reports
