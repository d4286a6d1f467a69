"""Twilio: SMS and MMS. Its other channels are not supported: a request from `whatsapp:+18045551234` is stored
unread.

Send: POST /2010-04-01/Accounts/AC1/Messages.json with basic authentication, as a form. The answer is JSON:

    To=%2B18045551234&From=%2B12016661234&Body=Hello&MediaUrl=https%3A%2F%2Fexample.com%2Fimage.jpg
    201 {"sid": "SM9", "status": "queued", "error_code": null, "date_sent": null}
    400 {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}

Receive: forms. A message, and a report about a message that we sent; only the report has a MessageStatus:

    MessageSid=SM1&AccountSid=AC1&From=%2B18045551234&To=%2B12016661234&Body=Hi&SmsStatus=received&NumMedia=1
    &MediaUrl0=https%3A%2F%2Fapi.twilio.com%2F...&MediaContentType0=image%2Fjpeg
    ?reference=7  MessageSid=SM9&MessageStatus=undelivered&ErrorCode=30003&To=%2B18045551234
    X-Twilio-Signature: RSOYDt4T1cUTdK1PDd93/VVr8B8=

After a 500 the message may have been taken, and a retry may deliver it twice; 503 asks for another try:
https://www.twilio.com/docs/api/errors/20500
https://www.twilio.com/docs/api/errors/20503

https://www.twilio.com/docs/messaging/api/message-resource
https://www.twilio.com/docs/messaging/guides/webhook-request
https://www.twilio.com/docs/usage/webhooks/webhooks-security
"""

import hashlib
import hmac
import re
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import timedelta
from email.utils import parsedate_to_datetime
from typing import Annotated, Any
from urllib.parse import quote, urlencode

from pydantic import (
    AfterValidator,
    AliasChoices,
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    Field,
    ValidationError,
)
from pydantic_core import PydanticCustomError

from messaging.address import received_phone
from messaging.failures import (
    Failure,
    Misconfigured,
    OptedOut,
    OutcomeUnknown,
    PermanentFailure,
    SenderNotAllowed,
    Throttled,
)
from messaging.fields import Body, ProviderId, Text, clean_text, is_web_address
from messaging.mail.defects import Defect
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import basic_auth, get_digits, get_list, get_str, missing, not_signed
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    WebhookResponse,
    callback_url,
    reported_id,
    value_at,
)
from messaging.transport import client
from messaging.transport.base64_text import decode_base64_text
from messaging.transport.payload import parse_reference, urlencoded

STATUS = {
    "accepted": Status.SENT,
    "scheduled": Status.SENT,
    "queued": Status.SENT,
    "sending": Status.SENT,
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "failed": Status.FAILED,
    "undelivered": Status.FAILED,
    "canceled": Status.FAILED,
}
"""The others (receiving, received, partially_delivered) say nothing about a message that we sent."""

FAILURES: Mapping[int, type[Failure]] = {
    21610: OptedOut,
    **dict.fromkeys((14107, 20429, 21611, 30001, 30022, 63018), Throttled),
    **dict.fromkeys((10001, 20003, 20005, 20006, 20008, 20404, 21609, 21701, 21703, 21705), Misconfigured),
    **dict.fromkeys((21601, 21606, 21659, 21660, 21661), SenderNotAllowed),  # not a number of this account
    **dict.fromkeys((21211, 21212, 21408, 21608, 21612, 21614, 21617), PermanentFailure),
}
"""Error codes that say more than the HTTP status: https://www.twilio.com/docs/api/errors"""

FORM = "application/x-www-form-urlencoded"
RETRIES = "#rc=5&rp=all"
"""Makes Twilio retry a callback five times after any error. By default it retries once, and only if it could
not connect."""
PAGE_SIZE = 250  # messages per status lookup: the longest page is about as much as we read of an answer
CLOCK_SKEW = timedelta(seconds=5)  # between Twilio and the database
ACCEPTED_WITHIN = timedelta(minutes=1)  # after the attempt began

_PRIVATE = re.compile(r"https?://\S+|\+?\d[\d ().-]{5,}\d")  # a URL, a phone number
_MEDIA_URL = re.compile("MediaUrl[0-9]{1,3}")
_POSITIVE = re.compile("0*[1-9][0-9]{0,3}")
_OTHER_CHANNEL = re.compile(r"[a-z]+:\S+")  # whatsapp:+18045551234
_SIGNED_UNESCAPED = {"%40": "@", "%3A": ":", "%27": "'"}
_ESCAPES = re.compile("|".join(_SIGNED_UNESCAPED), re.IGNORECASE)
MAX_ORIGINAL = 5000  # characters of an address or a body that are stored as they were sent
MAX_WORD = 64  # characters of a status or an error code
MAX_MEDIA = 100
RECEIVED = ("received", "receiving")


def _redact_reason(text: str) -> str:
    return _PRIVATE.sub("…", text[:5000])[:1000]


def _parse_date(value: object) -> object:
    return parsedate_to_datetime(str(value))


def _phone(text: str) -> str:
    if _OTHER_CHANNEL.fullmatch(text):
        raise PydanticCustomError("channel", "must not be an address of another channel")
    return received_phone(text, is_international=True)


PhoneAddress = Annotated[str, AfterValidator(_phone)]

Sid = Annotated[str, Field(pattern="^(SM|MM)[0-9a-fA-F]{32}$")]
"""Checked strictly: Twilio signs the fields without separators, so a forger could move the end of one field
to the next."""
Reason = Annotated[Text, AfterValidator(_redact_reason)]


class ErrorAnswer(BaseModel):
    code: Annotated[int, Field(ge=1, le=999_999)]
    message: Reason = ""


class ListedMessage(BaseModel):
    sid: ProviderId
    direction: str
    sender: str | None = Field(alias="from")  # None until a messaging service has chosen one
    body: str | None
    num_media: int
    date_created: Annotated[AwareDatetime, BeforeValidator(_parse_date)]

    def may_be(self, message: OutboundMessage) -> bool:
        """Whether this can be our message. Twilio may have put a text in front of it (on a trial account),
        replaced characters, or deleted the text."""
        if not self.direction.startswith("outbound") or self.sender not in (None, message.sender):
            return False
        listed_text = re.sub(r"\W", "", self.body or "")
        sent_text = re.sub(r"\W", "", message.body)
        return not listed_text or listed_text.endswith(sent_text)


class MessageList(BaseModel):
    messages: list[ListedMessage]


class Inbound(BaseModel, extra="allow"):
    provider_message_id: Sid = Field(validation_alias=AliasChoices("MessageSid", "SmsMessageSid", "SmsSid"))
    sender: PhoneAddress = Field(alias="From")
    recipient: PhoneAddress = Field(alias="To")
    body: Body = Field("", alias="Body")


class Twilio(Provider):
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=1600, attachments=10)
    webhook_response = WebhookResponse("<Response/>", "text/xml")

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._auth_tokens = get_list(secret, "auth_token")
        self._account = get_str(secret, "account_sid")
        self._user = get_str(secret, "api_key_sid") or self._account
        self._password = get_str(secret, "api_key_secret")
        if not self._password and self._auth_tokens:
            self._password = self._auth_tokens[0]
        self._service = get_str(secret, "messaging_service_sid")
        self._validity_period = get_digits(secret, "validity_period")
        self._api_url = get_str(secret, "api_url") or "https://api.twilio.com"

    def send(self, message: OutboundMessage) -> ProviderResult:
        url, headers = self._messages_resource()
        callback = callback_url(Channel.SMS, self.name, message.id)
        fields = [
            ("To", message.recipient),
            ("From", message.sender),
            ("Body", message.body),
            *(("MediaUrl", attachment) for attachment in message.attachments),
            ("MessagingServiceSid", self._service),
            ("ValidityPeriod", self._validity_period),
            ("StatusCallback", callback and callback + RETRIES),
        ]
        form = urlencode([(name, value) for name, value in fields if value])
        try:
            answer = client.post(url, form.encode(), {**headers, "Content-Type": FORM})
        except Failure as failure:
            raise _with_error(failure) from failure
        return ProviderResult.with_id(value_at(answer.body, "sid"), "sid")

    def fetch_status(self, message: OutboundMessage) -> ProviderResult:
        """Looks for the message by address, text and time: Twilio's list does not show our id, and has no
        DateSent for a message that still waits.

        Never returns None: the list is said to lag by minutes, so a message that is not listed may have been
        accepted. Raises OutcomeUnknown unless exactly one listed message is ours.
        """
        url, headers = self._messages_resource()
        query = {"To": message.recipient, "PageSize": str(PAGE_SIZE)}
        if not self._service:
            query["From"] = message.sender
        answer = client.get(f"{url}?{urlencode(query)}", headers)
        try:
            listed = MessageList.model_validate_json(answer.body).messages
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer is not a list of messages.") from error
        candidates = []
        for candidate in listed:
            age = candidate.date_created - message.attempted_at
            if candidate.may_be(message) and -CLOCK_SKEW <= age <= ACCEPTED_WITHIN:
                candidates.append(candidate)
        if len(candidates) == 1:
            [candidate] = candidates
            if (candidate.body, candidate.num_media) == (message.body, len(message.attachments)):
                return ProviderResult(candidate.sid)
        raise OutcomeUnknown("not_listed", "Twilio lists no message that is certainly this one.")

    def _messages_resource(self) -> tuple[str, dict[str, str]]:
        """The URL and the headers of a request. Raises Misconfigured if the secret lacks a field."""
        if not self._account:
            raise missing("account_sid", self.name)
        if not self._password:
            raise missing("auth_token or api_key_secret", self.name)
        account = quote(self._account, safe="")
        url = f"{self._api_url.rstrip('/')}/2010-04-01/Accounts/{account}/Messages.json"
        return url, {"Authorization": basic_auth(self._user, self._password)}

    def verify(self, webhook: Webhook) -> Verified:
        """The signature holds no time. A repeated request is recognised by its MessageSid."""
        signature = webhook.headers.get("x-twilio-signature", "").encode(errors="replace")
        bodies = _signed_fields(webhook)
        for url in _signed_urls(webhook):
            for fields in bodies:
                for token in self._auth_tokens:
                    expected = b64encode(
                        hmac.digest(token.encode(), url.encode(errors="replace") + fields, "sha1")
                    )
                    if hmac.compare_digest(expected, signature):
                        return Verified()
        raise not_signed(self._auth_tokens, "auth_token")

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        fields = {clean_text(name): clean_text(value) for name, value in urlencoded(webhook.body)}
        try:
            if _is_report(fields):
                return [_report(fields, webhook)]
            return [_inbound(fields, webhook)]
        except ValidationError as error:
            raise Invalid.of(error) from None


def _with_error(failure: Failure) -> Failure:
    """The failure with Twilio's code and reason, and of the type that the code stands for."""
    try:
        error = ErrorAnswer.model_validate_json(failure.body)
    except ValidationError:
        return failure
    failure.code, failure.reason = str(error.code), error.message or failure.reason
    return client.reclassify(failure, FAILURES.get(error.code, type(failure)))


def _signed_urls(webhook: Webhook) -> list[str]:
    """The webhook's URL without and with its port, and with some escapes of its query removed: Twilio signs
    any of these. https://github.com/twilio/twilio-node/pull/621"""
    scheme, _, address = webhook.url.partition("://")
    host, slash, path = address.partition("/")
    name, _, port = host.partition(":")
    if not port:
        port = "80" if scheme == "http" else "443"
    query = f"?{webhook.query}" if webhook.query else ""
    unescaped = _ESCAPES.sub(lambda escape: _SIGNED_UNESCAPED[escape[0].upper()], query)
    return [
        f"{scheme}://{host}{slash}{path}{query}"
        for query in dict.fromkeys((query, unescaped))
        for host in (name, f"{name}:{port}")
    ]


def _signed_fields(webhook: Webhook) -> list[bytes]:
    """The part of the body that is signed after the URL: the sorted fields of a form. For JSON it is empty,
    because the URL holds the body's hash in bodySHA256. Raises SignatureRejected for any other body.

    If a form is not in UTF-8, Twilio may have signed its bytes or the text with replacement characters.
    """
    try:
        hashes = [value.encode() for name, value in urlencoded(webhook.query) if name == "bodySHA256"]
        if not hashes and (webhook.media_type == FORM or not webhook.body):
            return [_sorted_fields(webhook.body, errors) for errors in ("surrogateescape", "replace")]
    except Unreadable as error:
        raise SignatureRejected("The signed fields cannot be read.") from error
    expected = hashlib.sha256(webhook.body).hexdigest().encode()
    matches = [hmac.compare_digest(expected, value) for value in hashes]
    if webhook.media_type == "application/json" and matches and all(matches):
        return [b""]
    raise SignatureRejected("The body is of a type that Twilio does not sign, or does not match its hash.")


def _sorted_fields(body: bytes, errors: str) -> bytes:
    fields = sorted(set(urlencoded(body, errors=errors)))
    return "".join(name + value for name, value in fields).encode(errors="surrogateescape")


def _inbound(fields: Mapping[str, str], webhook: Webhook) -> InboundMessage:
    inbound = Inbound.model_validate(fields)
    extra = dict(inbound.model_extra or {})
    for name, address in (("From", inbound.sender), ("To", inbound.recipient)):
        if fields[name] != address:
            extra[name] = fields[name][:MAX_ORIGINAL]
    attachments = _media(extra)
    media_count = fields.get("NumMedia", "")
    expected_media = int(media_count) if _POSITIVE.fullmatch(media_count) else 0
    is_mms = bool(attachments) or expected_media > 0
    has_lost_media = expected_media > len(attachments) or any(map(_MEDIA_URL.fullmatch, extra))
    defects = [Defect.MEDIA_MISSING] if has_lost_media else []
    body = decode_base64_text(inbound.body)
    if body is None:
        body = inbound.body
    else:
        extra["Body"] = inbound.body[:MAX_ORIGINAL]
        defects.append(Defect.TEXT_IN_BASE64)
    if defects:
        extra["defects"] = defects
    return InboundMessage.model_validate(
        {
            "type": Channel.MMS if is_mms else Channel.SMS,
            "from": inbound.sender,
            "to": inbound.recipient,
            "body": body,
            "attachments": attachments,
            "timestamp": webhook.received_at,
            "provider_message_id": inbound.provider_message_id,
            "extra": extra,
        }
    )


def _media(extra: dict[str, str]) -> list[str]:
    """Take the URLs of media out of `extra`, in their order. NumMedia is not reliable. What is not a URL
    stays."""
    names = [name for name in extra if _MEDIA_URL.fullmatch(name) and is_web_address(extra[name])]
    names.sort(key=lambda name: (int(name.removeprefix("MediaUrl")), name))
    return [extra.pop(name) for name in names[:MAX_MEDIA]]


def _is_report(fields: Mapping[str, str]) -> bool:
    """Whether the request is about a message that we sent. Both kinds have an SmsStatus."""
    word = fields.get("MessageStatus", fields.get("SmsStatus", RECEIVED[0]))
    return word not in RECEIVED or ("MessageStatus" in fields and "Body" not in fields)


def _report(fields: Mapping[str, str], webhook: Webhook) -> DeliveryReport:
    """A report that names no message, or not in our terms, is read as far as possible."""
    word = fields.get("MessageStatus", fields.get("SmsStatus", ""))[:MAX_WORD]
    status = STATUS.get(word)
    code = fields.get("ErrorCode", "")[:MAX_WORD]
    if not code and status in (None, Status.FAILED):
        code = word
    return DeliveryReport(
        provider_message_id=reported_id(fields.get("MessageSid") or fields.get("SmsSid")),
        reference=parse_reference(dict(urlencoded(webhook.query)).get("reference")),
        status=status,
        code=code or None,
        reason=_redact_reason(fields.get("ErrorMessage", "")) or None,
        timestamp=webhook.received_at,  # RawDlrDoneDate has no time zone
    )
