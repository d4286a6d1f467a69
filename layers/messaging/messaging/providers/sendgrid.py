"""SendGrid: email, by its v3 API, its Event Webhook and its Inbound Parse Webhook.

Out, POST to /v3/mail/send:

    Authorization: Bearer SG.Kq3
    {"personalizations": [{"to": [{"email": "contact@example.org"}],
                           "custom_args": {"reference": "7", "instance": "sendgrid"}}],
     "from": {"email": "user@example.com"}, "subject": "Hi",
     "content": [{"type": "text/plain", "value": "Hello"}]}
    202, X-Message-Id: LRzXl_NHStOGhQ4kofSm_A
    400, {"errors": [{"message": "Does not contain a valid address.", "field": "from.email", "help": null}]}

In, events come in batches and bear our arguments; a mail is a form, in raw mode whole in its field `email`:

    [{"event": "bounce", "email": "contact@example.org", "timestamp": 1600112492, "type": "bounce",
      "status": "5.1.1", "reason": "550 5.1.1 unknown", "reference": "7", "instance": "sendgrid",
      "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0"}]
    headers=Message-ID: <1@example.org>...  subject=Hi  text=Hello  html=  charsets={"text":"iso-8859-1"}
    envelope={"to":["user@example.com"],"from":"contact@example.org"}  content-ids={"logo":"attachment1"}
    attachment-info={"attachment1":{"filename":"a.png","type":"image/png"}}  attachment1=...  SPF=pass

Both are signed: ECDSA on P-256 over the time and the body, which the secret's `public_key` verifies:

    X-Twilio-Email-Event-Webhook-Timestamp: 1600112502
    X-Twilio-Email-Event-Webhook-Signature: MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM...

There is no look-up: the Email Activity API is bought separately. The event `processed` tells what was taken.
https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

import base64
import hashlib
import json
import re
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BaseModel, Field, ValidationError
from pydantic_core import PydanticCustomError, from_json

from messaging import address
from messaging.failures import Failure, Misconfigured, OutcomeUnknown, Throttled
from messaging.fields import MAX_BODY, Text, clean_text
from messaging.mail import form, inbound, mime
from messaging.mail import message as mail_message
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import get_list, get_str, not_signed
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.transport import client, payload, signatures
from messaging.transport.fetch import fetch
from messaging.transport.redact import redact

STATUS = {
    "processed": Status.SENT,
    "delivered": Status.DELIVERED,
    "bounce": Status.FAILED,  # also of the type `blocked`: SendGrid tries no more
    "dropped": Status.FAILED,
    "open": Status.READ,
}
"""Of events. `deferred` is still under way, a click may be a scanner's, the others are about the contact."""

NO_SUBJECT = "(no subject)"  # in the place of none, which SendGrid refuses; as mail readers have it
RESERVED = ("x-sg-id", "x-sg-eid")  # the others that it lists no mail of ours can name
TOLERANCE = 300  # seconds


class Event(BaseModel):
    event: Annotated[Text, Field(min_length=1, max_length=64)]
    email: Annotated[str, Field(max_length=1000)] = ""
    timestamp: Annotated[int, Field(ge=0, lt=253402300800)] | None = None
    sg_message_id: str | None = None
    sg_machine_open: bool = False
    status: Any = None
    type: Any = None
    reason: Any = None
    response: Any = None
    reference: Any = None
    instance: Any = None
    recipient: Any = None

    def read(self, received_at: datetime) -> DeliveryReport:
        reference, id = payload.parse_reference(str(self.reference)), _id(self.sg_message_id)
        if reference is None and id is None:
            raise Invalid.field("sg_message_id", "names no message that we sent")
        status, word = STATUS.get(self.event), self.event
        if self.recipient and self.recipient != mark(self.reference, self.email):
            status, word = None, f"copy_{word}"  # which says nothing of the message itself
        elif word == "open" and self.sg_machine_open:
            status, word = None, "machine_open"  # of a proxy that fetches whatever arrives
        elif status is Status.FAILED:
            word = redact(self.status) or redact(self.type) or word
        at = received_at if self.timestamp is None else datetime.fromtimestamp(self.timestamp, UTC)
        tells = status in (None, Status.FAILED)
        return DeliveryReport(
            provider_message_id=id,
            reference=reference,
            status=status,
            code=word if tells else None,
            reason=redact(self.reason) or redact(self.response) if tells else None,
            timestamp=at,
        )


class SendGrid:
    channels = frozenset({Channel.EMAIL})
    limits = Limits(body=MAX_BODY, attachments=100, cc=50, reply_to=True, headers=20, reserved=RESERVED)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._api_key = get_str(secret, "api_key")
        self._url = (get_str(secret, "api_url") or "https://api.sendgrid.com").rstrip("/") + "/v3/mail/send"
        self._public_keys = get_list(secret, "public_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        if not self._api_key:
            raise Misconfigured("not_configured", f"The secret holds no api_key for {self.name}.")
        written = json.dumps(self._written(message), ensure_ascii=False).encode()
        headers = {"Authorization": f"Bearer {self._api_key}", "Content-Type": "application/json"}
        try:
            answer = client.post(self._url, written, headers)
        except Failure as failure:
            raise _as_told(failure) from failure
        if answer.status != 202:
            raise OutcomeUnknown("unreadable_answer", f"The answer is {answer.status}, and not 202.")
        return ProviderResult(_id(answer.headers.get("x-message-id")))

    def _written(self, message: OutboundMessage) -> dict[str, Any]:
        arguments = {"reference": str(message.id), "instance": self.name}
        to: dict[str, Any] = {"to": [{"email": message.recipient}], "custom_args": arguments}
        if copies := [{"email": one} for one in message.cc if one != message.recipient]:  # refused if twice
            to["cc"] = copies
            arguments["recipient"] = mark(message.id, message.recipient)
        kinds = zip(("text/plain", "text/html"), mail_message.text_and_html(message), strict=True)
        files = [
            {
                "content": base64.b64encode(one.content).decode(),
                "filename": re.sub("[;,]", "_", one.name),  # which are refused
                "type": one.content_type,
                "disposition": "attachment",
            }
            for one in fetch(message.attachments)
        ]
        fields = {
            "personalizations": [to],
            "from": {"email": message.sender},
            "reply_to": {"email": message.reply_to} if message.reply_to else None,
            "subject": ((message.subject or "").strip() and message.subject) or NO_SUBJECT,
            "content": [{"type": kind, "value": text} for kind, text in kinds if text],
            "attachments": files,
            "headers": message.headers,
        }
        return {name: value for name, value in fields.items() if value}

    def verify(self, webhook: Webhook) -> Verified:
        told = webhook.headers.get("x-twilio-email-event-webhook-timestamp", "")
        at = _seconds(told)
        signature = webhook.headers.get("x-twilio-email-event-webhook-signature", "")
        if not signature:
            raise SignatureRejected("The request bears no signature.")
        if at is None or abs(at - webhook.received_at.timestamp()) > TOLERANCE:
            raise SignatureRejected("The request is stale, or bears no time.")
        try:
            signatures.verify_ecdsa(self._public_keys, signature, told.encode() + webhook.body)
        except ValueError as error:
            raise not_signed(self._public_keys, "public_key") from error
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        if "form" in webhook.headers.get("content-type", "").partition(";")[0].lower():
            return _received(webhook)
        events = payload.json_value(webhook.body)
        if not isinstance(events, list):
            raise Unreadable("The body is no batch of events.")
        return [part for one in events for part in self._read(one, webhook.received_at)]

    def _read(self, fields: Any, received_at: datetime) -> Sequence[DeliveryReport | Invalid]:
        """Nothing of an event about the account, or another instance's message."""
        try:
            event = Event.model_validate(fields)
            ours = event.event != "account_status_change" and event.instance in (None, self.name)
            return [event.read(received_at)] if ours else []
        except Invalid as invalid:
            return [invalid]
        except ValidationError as error:
            return [Invalid.found(error.errors(include_input=False, include_url=False))]

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # all is answered alike
        return Answer(content_type="text/plain")


def _received(webhook: Webhook) -> list[InboundMessage | Invalid]:
    fields = form.fields_by_name(payload.form(webhook.headers.get("content-type", ""), webhook.body))
    read = mail_message.parse_mail(fields["email"].content) if "email" in fields else _put_together(fields)
    extra = form.extra_fields(fields, ("dkim", "SPF", "spam_score", "spam_report", "sender_ip"))
    return inbound.inbound_messages(read, form.envelope_recipients(fields), webhook.received_at, extra)


def _put_together(fields: form.Fields) -> mail_message.Mail:
    charsets = form.json_field(fields, "charsets")
    text, html, *told = form.decode_fields(fields, charsets, "text", "html", "subject", "from", "to", "cc")
    headers = dict(mime.parse_headers(fields["headers"].content if "headers" in fields else b""))
    for name, value in zip(("subject", "from", "to", "cc"), told, strict=True):
        if value and (name == "subject" or name not in headers):  # its charset is known only here
            headers[name] = [value]
    files = form.files(fields, form.json_field(fields, "attachment-info"))
    content_ids = form.content_ids(form.json_field(fields, "content-ids"), files)
    return mail_message.build_mail(headers, text, html, list(files.values()), content_ids)


def _as_told(failure: Failure) -> Failure:
    """With the reason that stands in the answer, and the wait that its head asks for."""
    with suppress(ValueError, TypeError, KeyError, AttributeError):
        wrong = [(one.get("field"), one["message"]) for one in from_json(failure.body)["errors"]]
        reason = redact("; ".join(f"{field}: {text}" if field else text for field, text in wrong))
        failure.reason = reason or failure.reason
    reset = _seconds(failure.headers.get("x-ratelimit-reset", ""))
    if isinstance(failure, Throttled) and reset is not None:
        left = timedelta(seconds=max(reset - time.time(), 0))
        failure.retry_after = max(left, failure.retry_after or left)
    return failure


def _seconds(digits: str) -> int | None:
    return int(digits) if digits.isascii() and digits.isdigit() and len(digits) < 12 else None


def _id(text: str | None) -> str | None:
    """An X-Message-Id, and what stands before the first dot of its events' sg_message_id, are the same."""
    id = clean_text(text or "").partition(".")[0].strip()
    return id if 0 < len(id) <= 512 else None


def mark(reference: object, recipient: str) -> str:
    """Tells the recipient from copies; arguments are not to hold an address, as SendGrid keeps them."""
    with suppress(PydanticCustomError):
        recipient = address.normalize_email(recipient)
    return hashlib.sha256(f"{reference} {recipient}".encode()).hexdigest()[:8]
