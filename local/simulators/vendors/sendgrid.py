"""Simulates SendGrid. POST /<instance>/v3/mail/send sends; its reports are a batch of events.

https://www.twilio.com/docs/sendgrid/api-reference/mail-send/mail-send
https://www.twilio.com/docs/sendgrid/for-developers/tracking-events/event
https://www.twilio.com/docs/sendgrid/for-developers/parsing-email/setting-up-the-inbound-parse-webhook
"""

import base64
import json
import secrets
import time
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.utils import make_msgid, parseaddr
from typing import Any, ClassVar

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from urllib3.filepost import encode_multipart_formdata

from local.http.server import Request, Response, json_response
from local.simulators.behaviour import Behaviour
from local.simulators.vendor import (
    FAILURE,
    File,
    InboundMessage,
    VendorRequest,
    VendorResponse,
    derive_key,
    headers,
)
from local.simulators.webhook_sender import SignedWebhook

UNAUTHORIZED = "The provided authorization grant is invalid, expired, or revoked"
EVENT_NAMES = {"sent": "processed", "failed": "bounce"}
"""SendGrid's names for the statuses of other providers."""
EVENT_FIELDS: Mapping[str, dict[str, str]] = {
    "delivered": {"response": "250 OK"},
    "deferred": {"response": "450 4.2.1 try again later", "attempt": "1"},
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": f"550 5.1.1 {FAILURE['reason']}"},
    "dropped": {"reason": "Bounced Address"},
}
"""Fields that only events of one name have."""
REPORT_STATUSES = frozenset(
    {*EVENT_NAMES, *EVENT_NAMES.values(), *EVENT_FIELDS, "open", "click", "spamreport", "unsubscribe"}
)
FieldError = tuple[str, str | None]
"""A message and the name of a field."""


class SendGrid:
    channel: ClassVar[str] = "email"
    report_statuses: ClassVar[frozenset[str]] = REPORT_STATUSES

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._webhook_url = f"{gateway}/api/webhooks/{self.channel}/{name}"
        self._api_key = f"SG.{derive_key(secret, 'sendgrid api key').hex()}"
        # 31 of the 32 bytes, because the private number must be smaller than the order of the curve.
        number = int.from_bytes(derive_key(secret, "sendgrid signing key")[1:])
        self._signing_key = ec.derive_private_key(number, ec.SECP256R1())

    def credentials(self, url: str) -> dict[str, Any]:
        public = self._signing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"api_key": self._api_key, "public_key": base64.b64encode(public).decode(), "api_url": url}

    def parse_request(self, request: Request, path: Sequence[str]) -> VendorRequest | None:
        if (request.method, *path) != ("POST", "v3", "mail", "send"):
            return None
        text = request.body.decode("utf-8", "replace")
        if headers(request).get("authorization") != f"Bearer {self._api_key}":
            return VendorRequest(text, rejection=_error_response(401, (UNAUTHORIZED, None)))
        try:
            mail = json.loads(text)
            errors = _errors_in(mail)
        except (ValueError, TypeError, AttributeError):
            return VendorRequest(text, rejection=_error_response(400, ("Bad Request", None)))
        rejection = _error_response(400, *errors) if errors else None
        return VendorRequest(mail, text, rejection=rejection)

    def respond(self, _: VendorRequest) -> VendorResponse:
        message_id = _random_id()
        return VendorResponse(message_id, Response(202, headers=[("x-message-id", message_id)]))

    def failure_response(self, status: int) -> Response:
        return _error_response(status, ("simulated failure", None))

    def report_webhooks(
        self, request: VendorRequest, message_id: str, behaviour: Behaviour
    ) -> list[SignedWebhook]:
        """Return one batch with an event for each recipient and status, or nothing if there are none."""
        events: list[dict[str, Any]] = []
        for personalization in request.body["personalizations"]:
            custom_args = request.body.get("custom_args", {}) | personalization.get("custom_args", {})
            for status in behaviour.reports:
                for recipient in _recipients(personalization):
                    event = _event(status, recipient, message_id)
                    if behaviour.reference:
                        event |= custom_args
                    events.append(event)
        if not events:
            return []
        batch = json.dumps(events, separators=(",", ":")) + "\r\n"  # the signature covers the line end, too
        return [SignedWebhook(self._webhook_url, batch.encode(), "application/json", self._sign)]

    def inbound_webhook(self, message: InboundMessage) -> SignedWebhook:
        sender = parseaddr(message.sender)[1]
        envelope = {"to": [parseaddr(message.recipient)[1]], "from": sender}
        fields: dict[str, Any] = {
            "headers": _mail_headers(message),
            "from": message.sender,
            "to": message.recipient,
            "cc": ", ".join(message.cc),
            "subject": message.subject,
            "text": message.body,
            "html": message.html,
            "envelope": json.dumps(envelope),
            "charsets": json.dumps(dict.fromkeys(("to", "from", "subject", "text", "html"), "UTF-8")),
            "attachments": str(len(message.files)),
            "dkim": f"{{@{sender.rpartition('@')[2]} : pass}}",
            "SPF": "pass",
            "sender_ip": "192.0.2.1",
        }
        if message.files:
            fields |= _attachment_fields(message.files)
        present = {name: value for name, value in fields.items() if value not in (None, "")}
        body, content_type = encode_multipart_formdata(present)
        return SignedWebhook(self._webhook_url, body, content_type, self._sign)

    def _sign(self, _url: str, body: bytes) -> Mapping[str, str]:
        now = str(int(time.time()))
        signature = self._signing_key.sign(now.encode() + body, ec.ECDSA(SHA256()))
        return {
            "x-twilio-email-event-webhook-timestamp": now,
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        }


def _random_id() -> str:
    return base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[:22]


def _recipients(personalization: Mapping[str, Any]) -> list[str]:
    recipients: list[str] = []
    for kind in ("to", "cc", "bcc"):
        recipients += [recipient["email"] for recipient in personalization.get(kind, [])]
    return recipients


def _event(status: str, recipient: str, message_id: str) -> dict[str, Any]:
    name = EVENT_NAMES.get(status, status)
    return {
        "email": recipient,
        "timestamp": int(time.time()),
        "smtp-id": f"<{message_id}@geopod-ismtpd-0>",
        "event": name,
        "sg_event_id": _random_id(),
        "sg_message_id": f"{message_id}.recvd-54d7b8c-4x2zk-1-672C1A6C-5.0",
        **EVENT_FIELDS.get(name, {}),
    }


def _attachment_fields(files: Sequence[File]) -> dict[str, Any]:
    fields: dict[str, Any] = {}
    attachment_info: dict[str, dict[str, str]] = {}
    content_ids: dict[str, str] = {}
    for number, file in enumerate(files, 1):
        name = f"attachment{number}"
        fields[name] = (file.name, base64.b64decode(file.content, validate=True), file.type)
        attachment_info[name] = {"filename": file.name, "name": file.name, "type": file.type}
        if file.content_id:
            attachment_info[name]["content-id"] = file.content_id
            content_ids[file.content_id] = name
    fields["attachment-info"] = json.dumps(attachment_info)
    if content_ids:
        fields["content-ids"] = json.dumps(content_ids)
    return fields


def _mail_headers(message: InboundMessage) -> str:
    mail = EmailMessage()
    mail["Message-ID"] = message.id or make_msgid(domain="example.org")
    mail["From"], mail["To"], mail["Subject"] = message.sender, message.recipient, message.subject
    if message.cc:
        mail["Cc"] = ", ".join(message.cc)
    return mail.as_string()


def _errors_in(mail: Mapping[str, Any]) -> list[FieldError]:
    """Raises TypeError or AttributeError if a field has another type."""
    errors: list[FieldError] = []
    personalizations = mail.get("personalizations") or []
    content = mail.get("content") or []
    if not (mail.get("from") or {}).get("email"):
        errors.append(("The from object must be provided.", "from.email"))
    if not personalizations:
        errors.append(("At least one personalization is required.", "personalizations"))
    for personalization in personalizations:
        if not all(recipient.get("email") for recipient in personalization.get("to") or [{}]):
            errors.append(("The to array is required.", "personalizations.0.to"))
            break
    subjects = [mail.get("subject")]
    subjects += [personalization.get("subject") for personalization in personalizations]
    if not any(subjects):
        errors.append(("The subject is required.", "subject"))
    if not content:
        errors.append(("There must be at least one content block.", "content"))
    if not all(block.get("value") for block in content):
        errors.append(("The content value must be a string of at least one character.", "content.0.value"))
    return errors


def _error_response(status: int, *errors: FieldError) -> Response:
    details = [{"message": message, "field": field, "help": None} for message, field in errors]
    return json_response(status, {"errors": details})
