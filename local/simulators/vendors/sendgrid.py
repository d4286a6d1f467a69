"""Plays SendGrid: POST /<instance>/v3/mail/send sends; what becomes of it is told in a batch of events.

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
from local.simulators.reports import Post
from local.simulators.vendor import FAILURE, Answered, Asked, Letter, headers, key

UNAUTHORIZED = "The provided authorization grant is invalid, expired, or revoked"
EVENTS = {"sent": "processed", "failed": "bounce"}
"""What SendGrid calls what other providers call otherwise."""
TOLD: Mapping[str, dict[str, str]] = {
    "delivered": {"response": "250 OK"},
    "deferred": {"response": "450 4.2.1 try again later", "attempt": "1"},
    "bounce": {"type": "bounce", "status": "5.1.1", "reason": f"550 5.1.1 {FAILURE['reason']}"},
    "dropped": {"reason": "Bounced Address"},
}


WORDS = frozenset({*EVENTS, *EVENTS.values(), *TOLD, "open", "click", "spamreport", "unsubscribe"})


class SendGrid:
    channel: ClassVar[str] = "email"
    words: ClassVar[frozenset[str]] = WORDS

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._webhook = f"{gateway}/api/webhooks/{self.channel}/{name}"
        self._api_key = f"SG.{key(secret, 'sendgrid api key').hex()}"
        number = int.from_bytes(key(secret, "sendgrid signing key")[1:])  # smaller than the curve's order
        self._signing_key = ec.derive_private_key(number, ec.SECP256R1())

    def credentials(self, url: str) -> dict[str, Any]:
        public = self._signing_key.public_key().public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        return {"api_key": self._api_key, "public_key": base64.b64encode(public).decode(), "api_url": url}

    def read(self, request: Request, path: Sequence[str]) -> Asked | None:
        if (request.method, *path) != ("POST", "v3", "mail", "send"):
            return None
        text = request.body.decode("utf-8", "replace")
        if headers(request).get("authorization") != f"Bearer {self._api_key}":
            return Asked(text, refusal=_errors(401, (UNAUTHORIZED, None)))
        try:
            mail = json.loads(text)
            wrong = _wrong_with(mail)
        except (ValueError, TypeError, AttributeError):
            return Asked(text, refusal=_errors(400, ("Bad Request", None)))
        return Asked(mail, text, refusal=_errors(400, *wrong) if wrong else None)

    def answer(self, _: Asked) -> Answered:
        id = base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[:22]
        return Answered(id, Response(202, headers=[("x-message-id", id)]))

    def failure(self, status: int) -> Response:
        return _errors(status, ("told to fail", None))

    def reports(self, asked: Asked, id: str, told: Behaviour) -> list[Post]:
        """All in one batch: each that it is told, of each who was written to."""
        events = []
        for addressed in asked.body["personalizations"]:
            named = {**asked.body.get("custom_args", {}), **addressed.get("custom_args", {})}
            for status in told.reports:
                event = EVENTS.get(status, status)
                events += [
                    {
                        "email": to["email"],
                        "timestamp": int(time.time()),
                        "smtp-id": f"<{id}@geopod-ismtpd-0>",
                        "event": event,
                        "sg_event_id": base64.urlsafe_b64encode(secrets.token_bytes(16)).decode()[:22],
                        "sg_message_id": f"{id}.recvd-54d7b8c-4x2zk-1-672C1A6C-5.0",
                    }
                    | TOLD.get(event, {})
                    | (named if told.reference else {})
                    for kind in ("to", "cc", "bcc")
                    for to in addressed.get(kind, [])
                ]
        batch = json.dumps(events, separators=(",", ":")) + "\r\n"  # which is signed as well
        return [Post(self._webhook, batch.encode(), "application/json", self._sign)] if events else []

    def inbound(self, letter: Letter) -> Post:
        sender = parseaddr(letter.sender)[1]
        envelope = {"to": [parseaddr(letter.recipient)[1]], "from": sender}
        names = [f"attachment{number}" for number, _ in enumerate(letter.files, 1)]
        fields: dict[str, Any] = {
            "headers": _head(letter),
            "from": letter.sender,
            "to": letter.recipient,
            "cc": ", ".join(letter.cc),
            "subject": letter.subject,
            "text": letter.body,
            "html": letter.html,
            "envelope": json.dumps(envelope),
            "charsets": json.dumps(dict.fromkeys(("to", "from", "subject", "text", "html"), "UTF-8")),
            "attachments": str(len(names)),
            "dkim": f"{{@{sender.rpartition('@')[2]} : pass}}",
            "SPF": "pass",
            "sender_ip": "192.0.2.1",
        }
        if names:
            described = {
                name: {"filename": file.name, "name": file.name, "type": file.type}
                | ({"content-id": file.content_id} if file.content_id else {})
                for name, file in zip(names, letter.files, strict=True)
            }
            content_ids = {one["content-id"]: name for name, one in described.items() if "content-id" in one}
            fields["content-ids"] = json.dumps(content_ids) if content_ids else None
            fields["attachment-info"] = json.dumps(described)
            for name, file in zip(names, letter.files, strict=True):
                fields[name] = (file.name, base64.b64decode(file.content, validate=True), file.type)
        told = {name: value for name, value in fields.items() if value not in (None, "")}
        body, content_type = encode_multipart_formdata(told)
        return Post(self._webhook, body, content_type, self._sign)

    def _sign(self, _: str, body: bytes) -> Mapping[str, str]:
        now = str(int(time.time()))
        signature = self._signing_key.sign(now.encode() + body, ec.ECDSA(SHA256()))
        return {
            "x-twilio-email-event-webhook-timestamp": now,
            "x-twilio-email-event-webhook-signature": base64.b64encode(signature).decode(),
        }


def _head(letter: Letter) -> str:
    mail = EmailMessage()
    mail["Message-ID"] = letter.id or make_msgid(domain="example.org")
    mail["From"], mail["To"], mail["Subject"] = letter.sender, letter.recipient, letter.subject
    if letter.cc:
        mail["Cc"] = ", ".join(letter.cc)
    return mail.as_string()


def _wrong_with(mail: Mapping[str, Any]) -> list[tuple[str, str | None]]:
    addressed = mail.get("personalizations") or []
    content = mail.get("content") or []
    subjects = [mail.get("subject"), *(one.get("subject") for one in addressed)]
    rules = [
        (not (mail.get("from") or {}).get("email"), "from.email", "The from object must be provided."),
        (not addressed, "personalizations", "At least one personalization is required."),
        (
            not all(to.get("email") for one in addressed for to in one.get("to") or [{}]),
            "personalizations.0.to",
            "The to array is required.",
        ),
        (not any(subjects), "subject", "The subject is required."),
        (not content, "content", "There must be at least one content block."),
        (
            not all(one.get("value") for one in content),
            "content.0.value",
            "The content value must be a string of at least one character.",
        ),
    ]
    return [(message, field) for wrong, field, message in rules if wrong]


def _errors(status: int, *errors: tuple[str, str | None]) -> Response:
    listed = [{"message": message, "field": field, "help": None} for message, field in errors]
    return json_response(status, {"errors": listed})
