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

Its documents recommend to repeat a request after a 5xx, and warn of duplicates:
https://developers.telnyx.com/development/api-fundamentals/reliability/command-retries

https://developers.telnyx.com/docs/messaging/messages/receiving-webhooks
https://developers.telnyx.com/docs/messaging/messages/error-codes
"""

import json
import re
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Annotated, Any, Literal

from pydantic import BaseModel, BeforeValidator, Field, ValidationError

from messaging.address import ReceivedNumber
from messaging.failures import Failure, Misconfigured, OptedOut, PermanentFailure, Throttled
from messaging.fields import CleanedBody, Text, epoch_seconds, is_web_address
from messaging.mail.defects import Defect
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, OverLimit, SignatureRejected
from messaging.providers.credentials import get_list, get_str, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    callback_url,
    reported_id,
    reported_time,
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
MAX_MEDIA = 100
MAX_RECIPIENTS = 100
KNOWN_FIELDS = ("id", "type", "from", "text", "subject")

_REFERENCE = re.compile("[?&]reference=([0-9]+)")


def _to_list(value: object) -> list[Any]:
    """A list. Telnyx's API version 1, and some events, have one item instead of a list, or null."""
    if value is None:
        return []
    return value if isinstance(value, list) else [value]


def _to_party(value: object) -> object:
    return {"phone_number": value} if isinstance(value, str) else value


def _to_type(value: object) -> object:
    return value.upper() if isinstance(value, str) else value


Id = Annotated[Text, Field(min_length=1, max_length=440)]
Word = Annotated[Text, Field(max_length=64)]


class Error(BaseModel, coerce_numbers_to_str=True):
    code: Word
    title: Any = None
    detail: Any = None


class Event(BaseModel):
    event_type: Word
    occurred_at: Any = None
    payload: dict[str, Any]


class Party(BaseModel):
    phone_number: ReceivedNumber


class Received(BaseModel):
    id: Id
    type: Annotated[Literal["SMS", "MMS"] | None, BeforeValidator(_to_type)] = None
    sender: Annotated[Party, BeforeValidator(_to_party)] = Field(alias="from")
    to: Annotated[list[Any], BeforeValidator(_to_list), Field(min_length=1, max_length=100)]
    subject: Text | None = None
    text: CleanedBody | None = None
    media: Annotated[list[Any], BeforeValidator(_to_list)] = []


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
            occurred_at = reported_time(event.occurred_at) or webhook.received_at
            if event.event_type != "message.received":
                return _reports(event, occurred_at)
            received = Received.model_validate(event.payload)
        except ValidationError as error:
            raise Invalid.of(error) from None
        if len(webhook.body) * len(received.to) > MAX_GROUP:
            raise OverLimit.field("to", "must have fewer recipients for a message of this size")
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
        number = Party.model_validate(_to_party(recipient)).phone_number
        extra = {name: value for name, value in event.payload.items() if name not in KNOWN_FIELDS and value}
        if _written_number(event.payload["from"]) != received.sender.phone_number:
            extra["from"] = event.payload["from"]
        attachments, is_complete = _media(received.media)
        if not is_complete:
            extra["defects"] = [Defect.MEDIA_MISSING]
        return InboundMessage.model_validate(
            {
                "type": (received.type or ("MMS" if received.media else "SMS")).lower(),
                "from": received.sender.phone_number,
                "to": number,
                "subject": received.subject or None,
                "body": received.text or "",
                "attachments": attachments,
                "timestamp": occurred_at,
                "provider_message_id": received.id if len(received.to) == 1 else f"{received.id}/{number}",
                "extra": extra,
            }
        )
    except ValidationError as error:
        return Invalid.of(error)


def _written_number(party: object) -> object:
    return party.get("phone_number") if isinstance(party, dict) else party


def _media(media: Sequence[object]) -> tuple[list[str], bool]:
    """The URLs of a message's files, and whether each file has one. `extra.media` has all of them."""
    urls = []
    for item in media:
        url = item.get("url") if isinstance(item, dict) else item
        if isinstance(url, str) and is_web_address(url):
            urls.append(url)
    return urls[:MAX_MEDIA], len(urls) == len(media) <= MAX_MEDIA


def _reports(event: Event, occurred_at: datetime) -> list[DeliveryReport]:
    """One report for each recipient; one for the event itself if it names no recipients.

    What is not as documented is read as far as possible.
    """
    sent = event.payload
    webhook_url = sent.get("webhook_url")
    reference = _REFERENCE.search(webhook_url) if isinstance(webhook_url, str) else None
    error = _first_error(sent.get("errors"))
    default = Status.SENT if event.event_type == "message.sent" else None
    reports = []
    for recipient in _to_list(sent.get("to"))[:MAX_RECIPIENTS] or [None]:
        word = redact(recipient.get("status") if isinstance(recipient, dict) else None) or event.event_type
        status = STATUS.get(word, default)
        code = error.code or None
        if code is None and default is None and word != status:
            code = word
        reports.append(
            DeliveryReport(
                provider_message_id=reported_id(sent.get("id")),
                reference=parse_reference(reference[1] if reference else None),
                status=status,
                code=code,
                reason=redact(error.detail) or redact(error.title),
                timestamp=occurred_at,
            )
        )
    return reports


def _first_error(errors: object) -> Error:
    """The first error of a report. Its code is empty if there is none."""
    try:
        return Error.model_validate(_to_list(errors)[0])
    except (ValidationError, IndexError):
        return Error(code="")
