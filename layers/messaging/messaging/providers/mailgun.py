"""Mailgun: email.

Send: POST https://api.mailgun.net/v3/example.com/messages (https://api.eu.mailgun.net for domains in the EU)
with basic authentication, `api` and the key; multipart/form-data:

    from="Ann" <user@example.com> to=contact@example.org cc=... subject=Hi text=... html=... h:Reply-To=...
    h:X-Campaign=... attachment=<a file> v:reference=7 v:recipient=contact@example.org
    200 {"id": "<20260203192638.000be97f99f8cea1@example.com>", "message": "Queued. Thank you."}
    400 {"message": "to parameter is not a valid address. please check documentation"}

`v:` fields are variables: they come back with every event, and are in the mail's header X-Mailgun-Variables.

Receive: from a route's forward() (not store()) a form, which is multipart if there are files. If the URL ends
in `mime`, the form has the whole mail as `body-mime`:

    recipient=user@example.com&sender=contact@example.org&from=Bob <contact@example.org>&subject=Re: Hi
    &message-headers=[["Message-Id", "<1@example.org>"], ...]&body-plain=...&body-html=...&attachment-count=1
    &attachment-1=<a file>&content-id-map={"<a@b>": "attachment-1"}&timestamp=...&token=...&signature=...

and from webhooks JSON, one event per request; from legacy webhooks a form with the same signature:

    {"signature": {"timestamp": "1770920772", "token": "e0b5477167110d68...", "signature": "12d99f5a1535..."},
     "event-data": {"event": "failed", "severity": "permanent", "reason": "bounce", "timestamp": 1770920771.5,
                    "recipient": "contact@example.org", "message": {"headers": {"message-id": "2026...@..."}},
                    "delivery-status": {"code": 550, "message": "..."}, "user-variables": {"reference": "7"}}}
    event=bounced&recipient=contact@example.org&Message-Id=<2026...@example.com>&code=550&error=...&reference=7

The signature is the hex HMAC-SHA256 of timestamp and token, not of the body: a token is valid for one body.
There is no status lookup: the Events API lags, and cannot be searched by variables.
Its documents recommend to repeat a request after a 500, and do not say that the message was not taken:
https://documentation.mailgun.com/docs/mailgun/quickstart-guide/responses

https://documentation.mailgun.com/docs/mailgun/user-manual/receive-forward-store/receive-http
https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks/securing-webhooks
"""

import hmac
import secrets
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any, NamedTuple
from urllib.parse import quote

from messaging.failures import Failure, SenderNotAllowed
from messaging.fields import clean_text, epoch_seconds
from messaging.mail import addresses, form, inbound, mime
from messaging.mail import message as mail_message
from messaging.mail.address_header import format_mailbox
from messaging.mail.defects import Defect
from messaging.mail.form_data import is_json, parse_form
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import basic_auth, get_list, get_str, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    reported_id,
    reported_time,
    value_at,
)
from messaging.transport import client, payload
from messaging.transport.fetch import FetchedFile, fetch
from messaging.transport.redact import redact

STATUS = {
    "accepted": Status.SENT,
    "delivered": Status.DELIVERED,
    "opened": Status.READ,
    "failed": Status.FAILED,  # if its severity is permanent
    "rejected": Status.FAILED,
    "bounced": Status.FAILED,  # of a legacy webhook, like `dropped`
    "dropped": Status.FAILED,
}
"""By event. A click may be a scanner's, and the others are about the contact."""
REASONS = (("delivery-status", "message"), ("reject", "reason"), ("reason",))
"""Where an event has its reason, in order of preference."""

MAIL_FIELDS = ("from", "sender", "body-plain", "body-html", "body-mime", "stripped-text")
"""Fields of a received mail, of which each has some."""
RESERVED = ("x-mailgun-variables",)
TOLERANCE = timedelta(hours=12)
"""Mailgun retries for eight hours with the token of the first request, and we store a token for at least a
day. If somebody moves digits between token and timestamp, the timestamp is decades away."""
VERDICTS = ("x-mailgun-sflag", "x-mailgun-sscore", "x-mailgun-spf", "x-mailgun-dkim-check-result")
EXTRA_FIELDS = ("sender", "message-url", "attachments")

_QUOTED = str.maketrans({'"': "%22", "\\": "%5C", "\r": "%0D", "\n": "%0A"})


class Mailgun(Provider):
    channels = frozenset({Channel.EMAIL})
    limits = Limits.for_email(cc=50, reserved_headers=RESERVED)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret
        self._url = (get_str(secret, "api_url") or "https://api.mailgun.net").rstrip("/")
        self._domain = get_str(secret, "domain")
        self._signing_keys = get_list(secret, "signing_key")

    def send(self, message: OutboundMessage) -> ProviderResult:
        api_key = required(self._secret, "api_key", self.name)
        domain = self._domain or message.sender.rpartition("@")[2]
        body, content_type = _multipart(_fields(message))
        headers = {"Authorization": basic_auth("api", api_key), "Content-Type": content_type}
        try:
            answer = client.post(f"{self._url}/v3/{quote(domain)}/messages", body, headers)
        except Failure as failure:
            raise self._with_reason(failure) from failure
        id = value_at(answer.body, "id")
        return ProviderResult.with_id(id.strip("<>") if isinstance(id, str) else None, "id")

    def _with_reason(self, failure: Failure) -> Failure:
        """The failure with Mailgun's reason. The domain is the sender's, unless it is in the secret."""
        failure.reason = redact(value_at(failure.body, "message")) or failure.reason
        if failure.code == "404" and not self._domain and "domain" in failure.reason.lower():
            return client.reclassify(failure, SenderNotAllowed)
        return failure

    def verify(self, webhook: Webhook) -> Verified:
        signature = _signature(webhook)
        key = self._signing_key_of(signature)
        if key is None or not signature.token.isascii():
            raise not_signed(self._signing_keys, "signing_key")
        signed_at = epoch_seconds(signature.timestamp) or 0
        if not signature.token or not webhook.is_within(TOLERANCE, signed_at):
            raise SignatureRejected("The request is stale.")
        replay_token = hmac.digest(key.encode(), f"once {signature.token}".encode(), "sha256")
        return Verified(replay_token=replay_token.hex())

    def _signing_key_of(self, signature: "Signature") -> str | None:
        """The key that made one of the request's signatures. None if none of our keys did."""
        text = (signature.timestamp + signature.token).encode(errors="replace")
        for key in self._signing_keys:
            expected = hmac.digest(key.encode(), text, "sha256").hex().encode()
            for value in (signature.signature, signature.parent_signature):
                if hmac.compare_digest(expected, value.encode(errors="replace")):
                    return key
        return None

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        if not is_json(webhook.body):
            fields = form.fields_by_name(parse_form(webhook.body))
            if _is_legacy_event(fields):
                return [_report(_legacy_event(fields), webhook.received_at)]
            return _received(fields, webhook.received_at)
        event = payload.json_object(webhook.body).get("event-data")
        if _get(event, "flags", "is-routed") is True:  # about a mail that we received, not one that we sent
            return []
        return [_report(event, webhook.received_at)]


def _fields(message: OutboundMessage) -> list[tuple[str, str | FetchedFile]]:
    text, html = mail_message.text_and_html(message)
    optional = {
        "subject": message.subject or "",
        "text": text,
        "html": html,
        "h:Reply-To": message.reply_to_mailbox and format_mailbox(message.reply_to_mailbox),
        **{f"h:{name}": value for name, value in message.headers.items()},
        "v:reference": str(message.id),
        "v:recipient": message.recipient if message.copies else None,
    }
    return [
        ("from", format_mailbox(message.from_mailbox)),
        ("to", format_mailbox(message.to_mailbox)),
        *(("cc", format_mailbox(copy)) for copy in message.copies),
        *((name, value) for name, value in optional.items() if value is not None),
        *(("attachment", file) for file in fetch(message.attachments)),
    ]


def _multipart(fields: Sequence[tuple[str, str | FetchedFile]]) -> tuple[bytes, str]:
    """The fields as multipart/form-data, and its Content-Type: https://www.rfc-editor.org/rfc/rfc7578"""
    boundary = secrets.token_hex(24)
    parts: list[bytes] = []
    for name, value in fields:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name.translate(_QUOTED)}"'
        if isinstance(value, FetchedFile):
            head += f'; filename="{value.name.translate(_QUOTED)}"\r\nContent-Type: {value.content_type}'
        content = value.content if isinstance(value, FetchedFile) else value.encode()
        parts.append(head.encode() + b"\r\n\r\n" + content + b"\r\n")
    parts.append(f"--{boundary}--\r\n".encode())
    return b"".join(parts), f"multipart/form-data; boundary={boundary}"


class Signature(NamedTuple):
    timestamp: str
    token: str
    signature: str
    parent_signature: str
    """By the parent account's key, for a subaccount."""


def _signature(webhook: Webhook) -> Signature:
    """The signature's fields; each is empty if the request does not have it."""
    names = ("timestamp", "token", "signature", "parent-signature")
    try:
        if is_json(webhook.body):
            fields = payload.json_object(webhook.body).get("signature")
            values = [str(_get(fields, name) or "") for name in names]
        else:
            form_fields = form.fields_by_name(parse_form(webhook.body))
            values = [text or "" for text in form.decode_fields(form_fields, {}, *names)]
    except Unreadable as error:
        raise SignatureRejected("The request has no signature.") from error
    return Signature(*values)


def _get(value: Any, *path: str) -> Any:
    """The value at a path of objects; None if it is not there."""
    for name in path:
        value = value.get(name) if isinstance(value, dict) else None
    return value


def _received(fields: form.Fields, received_at: datetime) -> list[InboundMessage | Invalid]:
    if "body-mime" in fields:
        raw = fields["body-mime"].content
        headers, _ = mime.split_mail(raw, set())
        mail = mail_message.parse_mail(raw)
    else:
        headers = _headers(fields)
        mail = _mail(fields, headers)
    extra = form.extra_fields(fields, EXTRA_FIELDS)
    for name in VERDICTS:
        if name in headers:
            extra[name] = clean_text(mime.first_header(headers, name))
    recipient, sender = form.decode_fields(fields, {}, "recipient", "sender")
    if not addresses.parse_mailboxes(recipient or ""):
        raise Invalid.field("recipient", "must name at least one recipient")
    return inbound.inbound_messages(mail, [recipient or ""], received_at, extra, envelope_sender=sender)


def _headers(fields: form.Fields) -> mime.Headers:
    """The mail's headers, by their names in lower case."""
    headers: dict[str, list[str]] = {}
    if "message-headers" not in fields:
        return headers
    try:
        pairs = payload.json_value(fields["message-headers"].content)
    except Unreadable:
        return headers
    for pair in pairs if isinstance(pairs, list) else []:
        if isinstance(pair, list) and len(pair) == 2:  # a malformed pair does not lose the others
            name, value = pair
            headers.setdefault(str(name).lower(), []).append(str(value))
    return headers


def _mail(fields: form.Fields, headers: mime.Headers) -> mail_message.Mail:
    """Puts a mail together from the fields of a form."""
    defects = set[Defect]()
    names = ("body-plain", "body-html", "from", "subject")
    text, html, sender, subject = form.decode_fields(fields, {}, *names, defects=defects)
    headers = {"from": [sender or ""], "subject": [subject or ""], **headers}
    files = form.files(fields, {})
    content_ids = form.content_ids(form.json_field(fields, "content-id-map"), files)
    return mail_message.build_mail(headers, text, html, list(files.values()), content_ids, defects)


def _is_legacy_event(fields: form.Fields) -> bool:
    """Whether a form is an event of a legacy webhook. The fields of a mail can include `event`, because each
    of its headers is a field, but a mail also has a sender and a body."""
    return "event" in fields and not any(name in fields for name in MAIL_FIELDS)


def _legacy_event(fields: form.Fields) -> Mapping[str, Any]:
    """The form of a legacy webhook as the event that other webhooks send as JSON."""
    names = [name for name, field in fields.items() if field.filename is None]
    values = form.decode_fields(fields, {}, *names)
    texts = {name.lower(): value for name, value in zip(names, values, strict=True)}
    reasons = (texts.get(name) for name in ("error", "description", "notification"))
    return {
        "event": texts["event"],
        "timestamp": texts.get("timestamp"),
        "recipient": texts.get("recipient"),
        "message": {"headers": {"message-id": texts.get("message-id")}},
        "user-variables": _variables(fields) or {"reference": texts.get("reference")},
        "delivery-status": {"code": texts.get("code"), "message": form.first_text(*reasons)},
        "reason": texts.get("reason"),
        "client-info": {"bot": texts.get("bot"), "client-type": texts.get("client-type")},
    }


def _variables(fields: form.Fields) -> Mapping[str, Any]:
    """The variables of a sent mail, from its headers. Empty if it has none."""
    try:
        return payload.json_object(mime.first_header(_headers(fields), "x-mailgun-variables").encode())
    except Unreadable:
        return {}


def _report(event: Any, received_at: datetime) -> DeliveryReport:
    """Read an event as far as possible: nobody can correct it. Some name no message.

    Raises Invalid if it is not an event.
    """
    word = redact(_get(event, "event"))
    if word is None:
        raise Invalid.field("event-data.event", "must be the name of an event")
    message_id = _get(event, "message", "headers", "message-id")
    id = reported_id(message_id.strip().strip("<>") if isinstance(message_id, str) else message_id)
    reference = payload.parse_reference(str(_get(event, "user-variables", "reference")))
    timestamp = reported_time(_get(event, "timestamp")) or received_at
    if _is_about_copy(event):
        return DeliveryReport.of_copy(
            word, provider_message_id=id, reference=reference, reason=_reason(event), timestamp=timestamp
        )
    status, code = STATUS.get(word), word
    if status is Status.FAILED:
        smtp_code = redact(str(_get(event, "delivery-status", "code") or ""))
        code = smtp_code or redact(_get(event, "reason")) or word
        if _get(event, "severity") == "temporary":
            status = None
    elif word == "opened" and _is_by_machine(event):
        status, code = None, "machine_open"
    return DeliveryReport.of_message(
        status, code, _reason(event), provider_message_id=id, reference=reference, timestamp=timestamp
    )


def _is_by_machine(event: Any) -> bool:
    """Whether a mail proxy or a scanner opened the mail, such as `apple` or `gmail`, and not the contact."""
    return bool(_get(event, "client-info", "bot")) or _get(event, "client-info", "client-type") == "robot"


def _is_about_copy(event: Any) -> bool:
    recipient = _get(event, "recipient")
    main_recipient = _get(event, "user-variables", "recipient")
    if not recipient or not main_recipient:
        return False
    return addresses.comparable_address(str(recipient)) != addresses.comparable_address(str(main_recipient))


def _reason(event: Any) -> str | None:
    for path in REASONS:
        if reason := redact(_get(event, *path)):
            return reason
    return None
