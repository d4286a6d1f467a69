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

from pydantic import AfterValidator, AwareDatetime, BaseModel, BeforeValidator, Field, ValidationError

from messaging.address import PhoneAddress
from messaging.failures import Failure, Misconfigured, OptedOut, OutcomeUnknown, PermanentFailure, Throttled
from messaging.fields import Body, ProviderId, Text, clean_text
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
    value_at,
)
from messaging.transport import client
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
    **dict.fromkeys((21211, 21212, 21408, 21606, 21608, 21612, 21614, 21617), PermanentFailure),
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


def _redact_reason(text: str) -> str:
    return _PRIVATE.sub("…", text[:5000])[:1000]


def _parse_date(value: object) -> object:
    return parsedate_to_datetime(str(value))


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
    provider_message_id: Sid = Field(alias="MessageSid")
    sender: PhoneAddress = Field(alias="From")
    recipient: PhoneAddress = Field(alias="To")
    body: Body = Field(alias="Body")


class StatusCallback(BaseModel):
    provider_message_id: ProviderId = Field(alias="MessageSid")
    status: Annotated[Text, Field(min_length=1, max_length=64)] = Field(alias="MessageStatus")
    code: Annotated[Text, Field(max_length=64)] = Field("", alias="ErrorCode")
    reason: Reason = Field("", alias="ErrorMessage")


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
        fields = _signed_fields(webhook)
        for url in _signed_urls(webhook):
            signed = (url + fields).encode(errors="replace")
            for token in self._auth_tokens:
                expected = b64encode(hmac.digest(token.encode(), signed, "sha1"))
                if hmac.compare_digest(expected, signature):
                    return Verified()
        raise not_signed(self._auth_tokens, "auth_token")

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        fields = {clean_text(name): clean_text(value) for name, value in urlencoded(webhook.body)}
        try:
            if "MessageStatus" in fields:
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
    """The webhook's URL without and with its port: Twilio signs either."""
    scheme, _, address = webhook.url.partition("://")
    host, slash, path = address.partition("/")
    name, _, port = host.partition(":")
    if not port:
        port = "80" if scheme == "http" else "443"
    query = f"?{webhook.query}" if webhook.query else ""
    return [f"{scheme}://{host}{slash}{path}{query}" for host in (name, f"{name}:{port}")]


def _signed_fields(webhook: Webhook) -> str:
    """The part of the body that is signed after the URL: the sorted fields of a form. For JSON it is empty,
    because the URL holds the body's hash in bodySHA256. Raises SignatureRejected for any other body."""
    try:
        hashes = [value.encode() for name, value in urlencoded(webhook.query) if name == "bodySHA256"]
        if not hashes and (webhook.media_type == FORM or not webhook.body):
            return "".join(name + value for name, value in sorted(set(urlencoded(webhook.body))))
    except Unreadable as error:
        raise SignatureRejected("The signed fields cannot be read.") from error
    expected = hashlib.sha256(webhook.body).hexdigest().encode()
    matches = [hmac.compare_digest(expected, value) for value in hashes]
    if webhook.media_type == "application/json" and matches and all(matches):
        return ""
    raise SignatureRejected("The body is of a type that Twilio does not sign, or does not match its hash.")


def _inbound(fields: Mapping[str, str], webhook: Webhook) -> InboundMessage:
    inbound = Inbound.model_validate(fields)
    extra = dict(inbound.model_extra or {})
    media = [name for name in extra if _MEDIA_URL.fullmatch(name)]  # NumMedia is not reliable
    media.sort(key=lambda name: (int(name.removeprefix("MediaUrl")), name))
    attachments = [extra.pop(name) for name in media]
    return InboundMessage.model_validate(
        {
            "type": Channel.MMS if media else Channel.SMS,
            "from": inbound.sender,
            "to": inbound.recipient,
            "body": inbound.body,
            "attachments": attachments,
            "timestamp": webhook.received_at,
            "provider_message_id": inbound.provider_message_id,
            "extra": extra,
        }
    )


def _report(fields: Mapping[str, str], webhook: Webhook) -> DeliveryReport:
    callback = StatusCallback.model_validate(fields)
    status = STATUS.get(callback.status)
    code = callback.code or None
    if code is None and status in (None, Status.FAILED):
        code = callback.status
    return DeliveryReport(
        provider_message_id=callback.provider_message_id,
        reference=parse_reference(dict(urlencoded(webhook.query)).get("reference")),
        status=status,
        code=code,
        reason=callback.reason or None,
        timestamp=webhook.received_at,  # RawDlrDoneDate has no time zone
    )
