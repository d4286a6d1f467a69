"""Twilio: SMS, MMS. Its other channels are none of ours: what `whatsapp:+18045551234` says is kept unread.

Out, POST /2010-04-01/Accounts/AC1/Messages.json with basic authentication, as a form; the answer is JSON:

    To=%2B18045551234&From=%2B12016661234&Body=Hello&MediaUrl=https%3A%2F%2Fexample.com%2Fimage.jpg
    201 {"sid": "SM9", "status": "queued", "error_code": null, "date_sent": null}
    400 {"code": 21610, "message": "Attempt to send to unsubscribed recipient", "status": 400}

In, as a form by one URL: a message, or what became of one that we sent, which alone has a MessageStatus:

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
from messaging.fields import Body, Text, clean_text
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import get_digits, get_list, get_str, not_signed
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.settings import settings
from messaging.transport import client
from messaging.transport.payload import parse_reference, urlencoded

STATUS = dict.fromkeys(("accepted", "scheduled", "queued", "sending", "sent"), Status.SENT)  # it is there
STATUS |= dict.fromkeys(("failed", "undelivered", "canceled"), Status.FAILED)
STATUS |= {"delivered": Status.DELIVERED, "read": Status.READ}
"""The others say nothing of what we sent: receiving, received, partially_delivered."""

FAILURES: Mapping[int, type[Failure]] = {
    21610: OptedOut,
    **dict.fromkeys((14107, 20429, 21611, 30001, 30022, 63018), Throttled),
    **dict.fromkeys((10001, 20003, 20005, 20006, 20008, 20404, 21609, 21701, 21703, 21705), Misconfigured),
    **dict.fromkeys((21211, 21212, 21408, 21606, 21608, 21612, 21614, 21617), PermanentFailure),
}
"""Codes that say more than the status of the answer: https://www.twilio.com/docs/api/errors"""

FORM = "application/x-www-form-urlencoded"
RETRIES = "#rc=5&rp=all"  # of a callback, whatever was wrong; else one, where no connection was made
PAGE = 250  # messages of a look-up: at their longest about as much as we read of an answer
CLOCKS = timedelta(seconds=5)  # by which Twilio's and the database's may differ
TAKEN_WITHIN = timedelta(minutes=1)  # of the attempt's begin
_PRIVATE = re.compile(r"https?://\S+|\+?\d[\d ().-]{5,}\d")  # a URL, a phone number

Id = Annotated[Text, Field(min_length=1, max_length=512)]
Sid = Annotated[str, Field(pattern="^(SM|MM)[0-9a-fA-F]{32}$")]
"""To the letter: fields are signed without what parts them, and one could be given the end of another."""
Reason = Annotated[Text, AfterValidator(lambda text: _PRIVATE.sub("…", text[:5000])[:1000])]


class Sent(BaseModel):
    sid: Id


class Listed(Sent):
    direction: str
    sender: str | None = Field(alias="from")  # None while a messaging service has not chosen
    body: str | None
    num_media: int
    date_created: Annotated[AwareDatetime, BeforeValidator(lambda told: parsedate_to_datetime(str(told)))]

    def may_be(self, message: OutboundMessage) -> bool:
        """Twilio may have put words in front (on a trial), replaced characters, or removed the text."""
        known, text = (re.sub(r"\W", "", body or "") for body in (self.body, message.body))
        ours = self.direction.startswith("outbound") and self.sender in (None, message.sender)
        return ours and (not known or known.endswith(text))


class Page(BaseModel):
    messages: list[Listed]


class Refusal(BaseModel):
    code: Annotated[int, Field(ge=1, le=999_999)]
    message: Reason = ""


class Inbound(BaseModel, extra="allow"):
    provider_message_id: Sid = Field(alias="MessageSid")
    sender: PhoneAddress = Field(alias="From")
    recipient: PhoneAddress = Field(alias="To")
    body: Body = Field(alias="Body")


class Callback(BaseModel):
    provider_message_id: Id = Field(alias="MessageSid")
    word: Annotated[Text, Field(min_length=1, max_length=64)] = Field(alias="MessageStatus")
    code: Annotated[Text, Field(max_length=64)] = Field("", alias="ErrorCode")
    reason: Reason = Field("", alias="ErrorMessage")


class Twilio:
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=1600, attachments=10)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._tokens = get_list(secret, "auth_token")
        self._account = get_str(secret, "account_sid")
        self._user = get_str(secret, "api_key_sid") or self._account
        self._password = get_str(secret, "api_key_secret") or next(iter(self._tokens), "")
        self._service = get_str(secret, "messaging_service_sid")
        self._validity = get_digits(secret, "validity_period")
        self._api = get_str(secret, "api_url") or "https://api.twilio.com"

    def send(self, message: OutboundMessage) -> ProviderResult:
        url, headers = self._messages()
        form = [("To", message.recipient), ("From", message.sender), ("Body", message.body)]
        form += [("MediaUrl", one) for one in message.attachments]
        form += [("MessagingServiceSid", self._service), ("ValidityPeriod", self._validity)]
        if called := settings().public_url.rstrip("/"):
            callback = f"{called}/api/webhooks/sms/{quote(self.name)}?reference={message.id}{RETRIES}"
            form.append(("StatusCallback", callback))
        body = urlencode([(name, value) for name, value in form if value]).encode()
        try:
            answer = client.post(url, body, {**headers, "Content-Type": FORM})
            return ProviderResult(Sent.model_validate_json(answer.body).sid)
        except Failure as failure:
            raise _as_told(failure) from failure
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer holds no sid.") from error

    def fetch_status(self, message: OutboundMessage) -> ProviderResult:
        """By address, text and time: Twilio does not list our id, nor DateSent of one that still waits."""
        url, headers = self._messages()
        asked = {"To": message.recipient, "PageSize": PAGE}
        if not self._service:
            asked["From"] = message.sender
        try:
            page = Page.model_validate_json(client.get(f"{url}?{urlencode(asked)}", headers).body)
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer is no list of messages.") from error
        began = message.attempted_at
        like = [one for one in page.messages if one.may_be(message)]
        match [one for one in like if -CLOCKS <= one.date_created - began <= TAKEN_WITHIN]:
            case [one] if (one.body, one.num_media) == (message.body, len(message.attachments)):
                return ProviderResult(one.sid)
        # That it is not there yet proves nothing: the list is said to lag, by minutes and more.
        raise OutcomeUnknown("not_listed", "Twilio lists no message that is this one for certain.")

    def _messages(self) -> tuple[str, dict[str, str]]:
        if not (self._account and self._password):
            field = "auth_token or api_key_secret" if self._account else "account_sid"
            raise Misconfigured("not_configured", f"The secret holds no {field} for {self.name}.")
        key = b64encode(f"{self._user}:{self._password}".encode()).decode()
        url = f"{self._api.rstrip('/')}/2010-04-01/Accounts/{quote(self._account, safe='')}/Messages.json"
        return url, {"Authorization": f"Basic {key}"}

    def verify(self, webhook: Webhook) -> Verified:
        """There is no time in what Twilio signs: a request that comes again is known by its MessageSid."""
        scheme, _, address = webhook.url.partition("://")
        host, slash, path = address.partition("/")
        name, _, port = host.partition(":")
        rest = slash + path + (webhook.query and f"?{webhook.query}") + _signed_fields(webhook)
        given = webhook.headers.get("x-twilio-signature", "").encode(errors="replace")
        for host in (name, f"{name}:{port or {'http': 80}.get(scheme, 443)}"):  # Twilio may sign either
            signed = f"{scheme}://{host}{rest}".encode(errors="replace")
            made = (b64encode(hmac.digest(token.encode(), signed, "sha1")) for token in self._tokens)
            if any(hmac.compare_digest(one, given) for one in made):
                return Verified()
        raise not_signed(self._tokens, "auth_token")

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        fields = {clean_text(name): clean_text(value) for name, value in urlencoded(webhook.body)}
        try:
            return [(_report if "MessageStatus" in fields else _inbound)(fields, webhook)]
        except ValidationError as error:
            raise Invalid.found(error.errors(include_input=False, include_url=False)) from None

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # a callback takes it too
        return Answer("<Response/>", "text/xml")


def _as_told(failure: Failure) -> Failure:
    """The failure with Twilio's code and reason, and of the kind that the code says."""
    try:
        told = Refusal.model_validate_json(failure.body)
    except ValidationError:
        return failure
    failure.code, failure.reason = str(told.code), told.message or failure.reason
    return client.reclassify(failure, FAILURES.get(told.code, type(failure)))


def _signed_fields(webhook: Webhook) -> str:
    """What of the body is signed with the URL, where a hash of it in the URL does not stand for it."""
    kind = webhook.headers.get("content-type", "").partition(";")[0].strip().lower()
    try:
        given = [value.encode() for name, value in urlencoded(webhook.query) if name == "bodySHA256"]
        if not given and (kind == FORM or not webhook.body):
            return "".join(name + value for name, value in sorted(set(urlencoded(webhook.body))))
    except Unreadable as error:
        raise SignatureRejected("What Twilio signs cannot be read.") from error
    made = hashlib.sha256(webhook.body).hexdigest().encode()
    if kind == "application/json" and given and all(hmac.compare_digest(made, one) for one in given):
        return ""
    raise SignatureRejected("The body is of a type that Twilio does not sign, or another than it has signed.")


def _inbound(fields: Mapping[str, str], webhook: Webhook) -> InboundMessage:
    told = Inbound.model_validate(fields)
    extra = dict(told.model_extra or {})  # NumMedia too, which need not be true
    media = sorted((int(name[8:]), name) for name in extra if re.fullmatch("MediaUrl[0-9]{1,3}", name))
    read: dict[str, Any] = {"from": told.sender, "to": told.recipient, "body": told.body}
    read |= {"provider_message_id": told.provider_message_id, "timestamp": webhook.received_at}
    read |= {"type": "mms" if media else "sms", "attachments": [extra.pop(name) for _, name in media]}
    return InboundMessage.model_validate(read | {"extra": extra})


def _report(fields: Mapping[str, str], webhook: Webhook) -> DeliveryReport:
    told = Callback.model_validate(fields)
    status = STATUS.get(told.word)
    return DeliveryReport(
        provider_message_id=told.provider_message_id,
        reference=parse_reference(dict(urlencoded(webhook.query)).get("reference")),
        status=status,
        code=told.code or (told.word if status in (None, Status.FAILED) else None),
        reason=told.reason or None,
        timestamp=webhook.received_at,  # RawDlrDoneDate is of no known time zone
    )
