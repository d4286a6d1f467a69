"""SendGrid: email, by its v3 API, its Event Webhook and its Inbound Parse Webhook.

Send: POST to /v3/mail/send:

    Authorization: Bearer SG.Kq3
    {"personalizations": [{"to": [{"email": "contact@example.org"}],
                           "custom_args": {"reference": "7", "instance": "sendgrid"}}],
     "from": {"email": "user@example.com", "name": "Ann"}, "subject": "Hi",
     "content": [{"type": "text/plain", "value": "Hello"}]}
    202, X-Message-Id: LRzXl_NHStOGhQ4kofSm_A
    400, {"errors": [{"message": "Does not contain a valid address.", "field": "from.email", "help": null}]}

Receive: batches of events, which hold our arguments, and mail as a form. In raw mode the form's field `email`
is the whole mail:

    [{"event": "bounce", "email": "contact@example.org", "timestamp": 1600112492, "type": "bounce",
      "status": "5.1.1", "reason": "550 5.1.1 unknown", "reference": "7", "instance": "sendgrid",
      "sg_message_id": "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0"}]
    headers=Message-ID: <1@example.org>...  subject=Hi  text=Hello  html=  charsets={"text":"iso-8859-1"}
    envelope={"to":["user@example.com"],"from":"contact@example.org"}  content-ids={"logo":"attachment1"}
    attachment-info={"attachment1":{"filename":"a.png","type":"image/png"}}  attachment1=...  SPF=pass

Both are signed: ECDSA on P-256 over the time and the body, which the secret's `public_key` verifies:

    X-Twilio-Email-Event-Webhook-Timestamp: 1600112502
    X-Twilio-Email-Event-Webhook-Signature: MEUCIGHQVtGj+Y3LkG9fLcxf3qfI10QysgDWmMOVmxG0u6ZUAiEAyBiXDWzM...

There is no status lookup: the Email Activity API is sold separately. The event `processed` says that a mail
was accepted.
Its documents do not say whether a message is taken that is answered with 500:
https://www.twilio.com/docs/sendgrid/api-reference/how-to-use-the-sendgrid-v3-api/errors

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
from datetime import datetime, timedelta
from typing import Any

from messaging.address import Mailbox
from messaging.failures import Failure, Misconfigured, OutcomeUnknown, SenderNotAllowed, Throttled
from messaging.fields import clean_text, epoch_seconds
from messaging.mail import form, inbound, mime
from messaging.mail import message as mail_message
from messaging.mail.addresses import comparable_address
from messaging.mail.form_data import is_json, parse_form
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import get_list, get_str, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    WebhookResponse,
    reported_id,
    reported_time,
    value_at,
)
from messaging.transport import client, payload, signatures
from messaging.transport.fetch import fetch
from messaging.transport.redact import redact

STATUS = {
    "processed": Status.SENT,
    "delivered": Status.DELIVERED,
    "bounce": Status.FAILED,  # also of the type `blocked`: SendGrid does not retry
    "dropped": Status.FAILED,
    "open": Status.READ,
}
"""By event. `deferred` is not final, a click may be a scanner's, and the others are about the contact."""

MACHINE = (True, "true", "1")
NO_SUBJECT = "(no subject)"  # SendGrid refuses an empty subject; mail readers show this one
RESERVED = ("x-sg-id", "x-sg-eid")  # SendGrid reserves others too, which our API already refuses
TOLERANCE = timedelta(minutes=5)
EXTRA_FIELDS = ("dkim", "SPF", "spam_score", "spam_report", "sender_ip")


class SendGrid(Provider):
    channels = frozenset({Channel.EMAIL})
    limits = Limits.for_email(cc=50, reserved_headers=RESERVED)
    webhook_response = WebhookResponse(content_type="text/plain")

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret
        self._url = (get_str(secret, "api_url") or "https://api.sendgrid.com").rstrip("/") + "/v3/mail/send"
        self._public_keys = get_list(secret, "public_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        api_key = required(self._secret, "api_key", self.name)
        body = json.dumps(self._request(message), ensure_ascii=False).encode()
        headers = {"Authorization": f"Bearer {api_key}", "Content-Type": "application/json"}
        try:
            answer = client.post(self._url, body, headers)
        except Failure as failure:
            raise _with_error(failure) from failure
        if answer.status != 202:
            raise OutcomeUnknown("unreadable_answer", f"The answer is {answer.status} instead of 202.")
        return ProviderResult(_message_id(answer.headers.get("x-message-id")))

    def _request(self, message: OutboundMessage) -> dict[str, Any]:
        arguments = {"reference": str(message.id), "instance": self.name}
        personalization: dict[str, Any] = {"to": [_mailbox(message.to_mailbox)], "custom_args": arguments}
        if message.copies:
            personalization["cc"] = [_mailbox(copy) for copy in message.copies]
            arguments["recipient"] = recipient_mark(message.id, message.recipient)
        text, html = mail_message.text_and_html(message)
        content = [("text/plain", text), ("text/html", html)]
        attachments = [
            {
                "content": base64.b64encode(file.content).decode(),
                "filename": re.sub("[;,]", "_", file.name),  # SendGrid refuses these characters
                "type": file.content_type,
                "disposition": "attachment",
            }
            for file in fetch(message.attachments)
        ]
        subject = message.subject if message.subject and message.subject.strip() else NO_SUBJECT
        fields = {
            "personalizations": [personalization],
            "from": _mailbox(message.from_mailbox),
            "reply_to": message.reply_to_mailbox and _mailbox(message.reply_to_mailbox),
            "subject": subject,
            "content": [{"type": type, "value": value} for type, value in content if value],
            "attachments": attachments,
            "headers": message.headers,
        }
        return {name: value for name, value in fields.items() if value}

    def verify(self, webhook: Webhook) -> Verified:
        timestamp = webhook.headers.get("x-twilio-email-event-webhook-timestamp", "")
        signature = webhook.headers.get("x-twilio-email-event-webhook-signature", "")
        if not signature:
            raise SignatureRejected("The request has no signature.")
        signed_at = epoch_seconds(timestamp)
        if signed_at is None or not webhook.is_within(TOLERANCE, signed_at):
            raise SignatureRejected("The request is stale, or has no timestamp.")
        try:
            signatures.verify_ecdsa(self._public_keys, signature, timestamp.encode() + webhook.body)
        except ValueError as error:
            raise not_signed(self._public_keys, "public_key") from error
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        if not is_json(webhook.body):
            return _received(webhook)
        events = payload.json_value(webhook.body)
        if not isinstance(events, list):
            raise Unreadable("The body is not a list of events.")
        parts: list[DeliveryReport | Invalid] = []
        for event in events:
            word = redact(event.get("event")) if isinstance(event, dict) else None
            if word is None:
                parts.append(Invalid.field("event", "must be the name of an event"))
            elif word != "account_status_change" and event.get("instance") in (None, self.name):
                parts.append(_report(word, event, webhook.received_at))
        return parts


def _mailbox(mailbox: Mailbox) -> dict[str, str]:
    """SendGrid writes the header itself: the name is neither quoted nor encoded."""
    return {"email": mailbox.address} | ({"name": mailbox.name} if mailbox.name else {})


def _with_error(failure: Failure) -> Failure:
    """The failure with SendGrid's reason, and with the wait that it asks for.

    A 403 that names `from` says that the address does not match a verified Sender Identity:
    https://www.twilio.com/docs/sendgrid/for-developers/sending-email/sender-identity
    """
    errors = value_at(failure.body, "errors")
    reasons, fields = [], set()
    for error in errors if isinstance(errors, list) else []:
        if isinstance(error, dict) and isinstance(error.get("message"), str):
            field = error.get("field")
            fields.add(str(field).partition(".")[0])
            reasons.append(f"{field}: {error['message']}" if field else error["message"])
    failure.reason = redact("; ".join(reasons)) or failure.reason
    reset = epoch_seconds(failure.headers.get("x-ratelimit-reset", ""))
    if isinstance(failure, Throttled) and reset is not None:
        wait = timedelta(seconds=max(reset - time.time(), 0))
        failure.retry_after = max(wait, failure.retry_after or wait)
    if isinstance(failure, Misconfigured) and "from" in fields:
        return client.reclassify(failure, SenderNotAllowed)
    return failure


def _message_id(value: object) -> str | None:
    """The part of an sg_message_id before its first dot, which equals the X-Message-Id of the send."""
    return reported_id(value.partition(".")[0] if isinstance(value, str) else value)


def recipient_mark(reference: object, recipient: str) -> str:
    """Tells the recipient from the cc copies. It is a hash because SendGrid stores arguments, which should
    not hold an address."""
    text = f"{reference} {comparable_address(recipient)}"
    return hashlib.sha256(text.encode()).hexdigest()[:8]


def _report(word: str, event: Mapping[str, Any], received_at: datetime) -> DeliveryReport:
    """Read an event as far as possible: nobody can correct it. Some name no message, such as a bounce that
    arrives days later, without an sg_message_id."""
    id = _message_id(event.get("sg_message_id"))
    reference = payload.parse_reference(str(event.get("reference")))
    timestamp = reported_time(event.get("timestamp")) or received_at
    reason = redact(event.get("reason")) or redact(event.get("response"))
    mark = event.get("recipient")
    if mark and mark != recipient_mark(event.get("reference"), str(event.get("email") or "")):
        return DeliveryReport.of_copy(
            word, provider_message_id=id, reference=reference, reason=reason, timestamp=timestamp
        )
    status, code = STATUS.get(word), word
    if word == "open" and event.get("sg_machine_open") in MACHINE:
        status, code = None, "machine_open"  # a mail proxy opened it, not the contact
    elif status is Status.FAILED:
        code = redact(event.get("status")) or redact(event.get("type")) or code
    return DeliveryReport.of_message(
        status, code, reason, provider_message_id=id, reference=reference, timestamp=timestamp
    )


def _received(webhook: Webhook) -> list[InboundMessage | Invalid]:
    fields = form.fields_by_name(parse_form(webhook.body))
    mail = mail_message.parse_mail(fields["email"].content) if "email" in fields else _mail(fields)
    extra = form.extra_fields(fields, EXTRA_FIELDS)
    recipients, sender = _envelope(fields)
    return inbound.inbound_messages(mail, recipients, webhook.received_at, extra, envelope_sender=sender)


def _mail(fields: form.Fields) -> mail_message.Mail:
    """Puts a mail together from the fields of a form."""
    charsets = form.json_field(fields, "charsets")
    headers, defects = mime.parse_headers(fields["headers"].content if "headers" in fields else b"")
    names = ("text", "html", "subject")
    text, html, subject = form.decode_fields(fields, charsets, *names, defects=defects)
    if subject:  # its charset is only known here
        headers["subject"] = [subject]
    for name in ("from", "to", "cc"):
        [value] = form.decode_fields(fields, charsets, name, defects=defects)
        if value and name not in headers:
            headers[name] = [value]
    files = form.files(fields, _file_descriptions(fields))
    content_ids = form.content_ids(form.json_field(fields, "content-ids"), files)
    return mail_message.build_mail(headers, text, html, list(files.values()), content_ids, defects)


def _file_descriptions(fields: form.Fields) -> dict[str, form.FileDescription]:
    """The names and types in `attachment-info`, by the name of the file's field."""
    descriptions = {}
    for field, info in form.json_field(fields, "attachment-info").items():
        if isinstance(info, dict):
            name = form.first_text(info.get("filename"), info.get("name"))
            descriptions[field] = form.FileDescription(name, form.first_text(info.get("type")))
    return descriptions


def _envelope(fields: form.Fields) -> tuple[list[str], str]:
    """Our addresses in the mail's envelope, and its sender. Raises Invalid if there are no addresses."""
    envelope = form.json_field(fields, "envelope")
    recipients = envelope.get("to")
    if isinstance(recipients, str):
        recipients = [recipients]
    if not isinstance(recipients, list) or not recipients:
        raise Invalid.field("envelope", "must name at least one recipient")
    texts = [clean_text(str(recipient)) for recipient in recipients]
    return texts, clean_text(str(envelope.get("from") or ""))
