"""Mailgun: email.

Out, POST https://api.mailgun.net/v3/example.com/messages (https://api.eu.mailgun.net for domains in the EU)
with basic auth, `api` and the key; multipart/form-data:

    from=user@example.com to=contact@example.org cc=... subject=Hi text=... html=... h:Reply-To=...
    h:X-Campaign=... attachment=<a file> v:reference=7 v:recipient=contact@example.org
    200 {"id": "<20260203192638.000be97f99f8cea1@example.com>", "message": "Queued. Thank you."}
    400 {"message": "to parameter is not a valid address. please check documentation"}

`v:` are variables: they come back with every event, and stand in the head of the mail (X-Mailgun-Variables).

In, from a route's forward() (not store()) a form, with files a multipart one; to a URL that ends in `mime`
with the whole mail as `body-mime` instead:

    recipient=user@example.com&sender=contact@example.org&from=Bob <contact@example.org>&subject=Re: Hi
    &message-headers=[["Message-Id", "<1@example.org>"], ...]&body-plain=...&body-html=...&attachment-count=1
    &attachment-1=<a file>&content-id-map={"<a@b>": "attachment-1"}&timestamp=...&token=...&signature=...

and from webhooks JSON, one event each:

    {"signature": {"timestamp": "1770920772", "token": "e0b5477167110d68...", "signature": "12d99f5a1535..."},
     "event-data": {"event": "failed", "severity": "permanent", "reason": "bounce", "timestamp": 1770920771.5,
                    "recipient": "contact@example.org", "message": {"headers": {"message-id": "2026...@..."}},
                    "delivery-status": {"code": 550, "message": "..."}, "user-variables": {"reference": "7"}}}

The signature is the hex HMAC-SHA256 of timestamp and token, and not of the body: a token is good for one
request. There is no look-up: the Events API tells late, and is not asked by variables.
https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hashlib
import hmac
import re
import secrets
from base64 import b64encode
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any
from urllib.parse import quote

from pydantic import Field, TypeAdapter
from pydantic_core import PydanticCustomError, from_json

from messaging import address
from messaging.failures import Failure, Misconfigured, OutcomeUnknown, PermanentFailure
from messaging.fields import MAX_BODY, Text, clean_text
from messaging.mail import addresses, form, inbound, mime
from messaging.mail import message as mail_message
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import get_list, get_str, not_signed
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.transport import client, payload
from messaging.transport.fetch import FetchedFile, fetch
from messaging.transport.redact import redact

STATUS = {"accepted": Status.SENT, "delivered": Status.DELIVERED, "opened": Status.READ}
STATUS |= dict.fromkeys(("failed", "rejected"), Status.FAILED)  # failed where its severity is permanent
"""Of events. A click may be a scanner's, the others are about the contact."""
REASONS = (("delivery-status", "message"), ("reject", "reason"), ("reason",))

OURS = ("x-mailgun-variables",)
TOLERANCE = 12 * 3600
"""Seconds: Mailgun comes again for eight hours with the first time's token, and a token is known for a day at
least. Digits that are moved from the token to the time, or back, make a time of another decade."""
SIGNED = ("timestamp", "token", "signature", "parent-signature")
VERDICTS = ("x-mailgun-sflag", "x-mailgun-sscore", "x-mailgun-spf", "x-mailgun-dkim-check-result")
_QUOTED = str.maketrans({'"': "%22", "\\": "%5C", "\r": "%0D", "\n": "%0A"})
_SECONDS = re.compile("[0-9]{1,12}")
_ID: TypeAdapter[str] = TypeAdapter(Annotated[Text, Field(min_length=1, max_length=512)])


class Mailgun:
    channels = frozenset({Channel.EMAIL})
    limits = Limits(body=MAX_BODY, attachments=100, cc=50, reply_to=True, headers=20, reserved=OURS)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._url = (get_str(secret, "api_url") or "https://api.mailgun.net").rstrip("/")
        self._api_key = get_str(secret, "api_key")
        self._domain = get_str(secret, "domain")
        self._signing_keys = get_list(secret, "signing_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        if not self._api_key:
            raise Misconfigured("not_configured", f"The secret holds no api_key for {self.name}.")
        domain = self._domain or message.sender.rpartition("@")[2]
        written, kind = _form(_fields(message))
        user = b64encode(f"api:{self._api_key}".encode()).decode()
        headers = {"Authorization": f"Basic {user}", "Content-Type": kind}
        try:
            answer = client.post(f"{self._url}/v3/{quote(domain)}/messages", written, headers)
        except Failure as failure:
            raise self._as_told(failure) from failure
        try:
            return ProviderResult(_ID.validate_python(from_json(answer.body)["id"].strip("<>")))
        except (ValueError, TypeError, LookupError, AttributeError) as error:
            raise OutcomeUnknown("unreadable_answer", "The answer holds no id.") from error

    def _as_told(self, failure: Failure) -> Failure:
        """With the reason of the answer, which may be that there is no such domain."""
        with suppress(ValueError, TypeError, LookupError):
            failure.reason = redact(from_json(failure.body)["message"]) or failure.reason
        theirs = failure.code == "404" and not self._domain and "domain" in failure.reason.lower()
        return PermanentFailure("404", failure.reason) if theirs else failure

    def verify(self, webhook: Webhook) -> Verified:
        timestamp, token, *signatures = _signature(webhook)
        text = (timestamp + token).encode(errors="replace")
        known = [one.encode(errors="replace") for one in signatures]
        made = {key: hmac.new(key.encode(), text, hashlib.sha256).hexdigest() for key in self._signing_keys}
        keys = [key for key, a in made.items() if any(hmac.compare_digest(a.encode(), b) for b in known)]
        if not token.isascii() or not keys:
            raise not_signed(self._signing_keys, "signing_key")
        at = int(timestamp) if _SECONDS.fullmatch(timestamp) else 0
        if not token or abs(webhook.received_at.timestamp() - at) > TOLERANCE:
            raise SignatureRejected("The request was signed at another time.")
        return Verified(once=hmac.new(keys[0].encode(), f"once {token}".encode(), hashlib.sha256).hexdigest())

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        if "json" not in webhook.headers.get("content-type", "").lower().partition(";")[0]:
            return _received(webhook)
        event = payload.json_object(webhook.body).get("event-data")
        routed = _at(event, "flags", "is-routed") is True  # a mail that came in, and none that we sent
        return [] if routed else [_report(event, webhook.received_at)]

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # all is answered alike
        return Answer()


def _fields(message: OutboundMessage) -> list[tuple[str, str | FetchedFile]]:
    text, html = mail_message.text_and_html(message)
    copies = [one for one in message.cc if one != message.recipient]
    fields = [
        ("from", message.sender),
        ("to", message.recipient),
        *(("cc", one) for one in copies),
        ("subject", message.subject or ""),
        ("text", text),
        ("html", html),
        ("h:Reply-To", message.reply_to),
        *((f"h:{name}", value) for name, value in message.headers.items()),
        ("v:reference", str(message.id)),
        ("v:recipient", message.recipient if copies else None),
    ]
    files = [("attachment", one) for one in fetch(message.attachments)]
    return [*((name, value) for name, value in fields if value is not None), *files]


def _form(fields: Sequence[tuple[str, str | FetchedFile]]) -> tuple[bytes, str]:
    """As multipart/form-data, with its Content-Type: https://www.rfc-editor.org/rfc/rfc7578"""
    boundary = secrets.token_hex(24)
    parts: list[bytes] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name.translate(_QUOTED)}"'
        if isinstance(value, FetchedFile):
            head += f'; filename="{value.name.translate(_QUOTED)}"\r\nContent-Type: {value.content_type}'
        content = value.content if isinstance(value, FetchedFile) else value.encode()
        parts.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    return b"".join([*parts, f"--{boundary}--\r\n".encode()]), f"multipart/form-data; boundary={boundary}"


def _signature(webhook: Webhook) -> list[str]:
    """What stands in the fields of SIGNED; empty where there is none."""
    try:
        if "json" in webhook.headers.get("content-type", "").lower().partition(";")[0]:
            told = payload.json_object(webhook.body).get("signature")
            return [str(_at(told, name) or "") for name in SIGNED]
        return [
            text or ""
            for text in form.decode_fields(
                form.fields_by_name(payload.form(webhook.headers.get("content-type", ""), webhook.body)),
                {},
                *SIGNED,
            )
        ]
    except Unreadable as error:
        raise SignatureRejected("The request bears no signature.") from error


def _at(value: Any, *names: str) -> Any:
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _received(webhook: Webhook) -> list[InboundMessage | Invalid]:
    fields = form.fields_by_name(payload.form(webhook.headers.get("content-type", ""), webhook.body))
    raw = fields.get("body-mime")
    headers = mime.split_head(raw.content)[0] if raw else _headers(fields)
    read = mail_message.parse_mail(raw.content) if raw else _put_together(fields, headers)
    extra = form.extra_fields(fields, ("sender", "message-url", "attachments"))
    extra |= {name: clean_text(mime.first_header(headers, name)) for name in VERDICTS if name in headers}
    [recipient] = form.decode_fields(fields, {}, "recipient")
    if not (reached := addresses.split_mailboxes(recipient or "")):
        raise Invalid.field("recipient", "names nobody whom it reached")
    return inbound.inbound_messages(read, reached, webhook.received_at, extra)


def _headers(fields: form.Fields) -> mime.Headers:
    headers: dict[str, list[str]] = {}
    with suppress(Unreadable, KeyError, TypeError):
        for one in payload.json_value(fields["message-headers"].content):
            if isinstance(one, list) and len(one) == 2:  # one that is no pair does not lose the others
                headers.setdefault(str(one[0]).lower(), []).append(str(one[1]))
    return headers


def _put_together(fields: form.Fields, headers: mime.Headers) -> mail_message.Mail:
    text, html, sender, subject = form.decode_fields(fields, {}, "body-plain", "body-html", "from", "subject")
    headers = {"from": [sender or ""], "subject": [subject or ""], **headers}
    files = form.files(fields, {})
    ids = form.content_ids(form.json_field(fields, "content-id-map"), files)
    return mail_message.build_mail(headers, text, html, list(files.values()), ids)


def _report(event: Any, received_at: datetime) -> DeliveryReport:
    word, at = redact(_at(event, "event")), _at(event, "timestamp")
    id = clean_text(str(_at(event, "message", "headers", "message-id") or "")).strip("<>")[:512] or None
    reference = payload.parse_reference(str(_at(event, "user-variables", "reference")))
    for field, told in (("event", word), ("message.headers.message-id", id or reference)):
        if told is None:
            raise Invalid.field(f"event-data.{field}", "is not that of a message that we sent")
    status, code = STATUS.get(str(word)), word
    to, main = _at(event, "recipient"), _at(event, "user-variables", "recipient")
    if to and main and _plain(to) != _plain(main):
        status, code = None, f"copy_{word}"  # which says nothing of the message itself
    elif status is Status.FAILED:
        code = (
            redact(str(_at(event, "delivery-status", "code") or "")) or redact(_at(event, "reason")) or word
        )
        status = None if _at(event, "severity") == "temporary" else status
    tells = status in (None, Status.FAILED)
    reasons = filter(None, (redact(_at(event, *path)) for path in REASONS))
    known = isinstance(at, (int, float)) and 0 <= at < 253402300800
    return DeliveryReport(
        provider_message_id=id,
        reference=reference,
        status=status,
        code=code if tells else None,
        reason=next(reasons, None) if tells else None,
        timestamp=datetime.fromtimestamp(at, UTC) if known else received_at,
    )


def _plain(written: Any) -> str:
    with suppress(PydanticCustomError):
        return address.normalize_email(str(written)[:1000])
    return str(written).lower()
