"""Simulates Twilio: POST /<instance>/2010-04-01/Accounts/<account>/Messages.json sends, GET lists messages.

https://www.twilio.com/docs/messaging/api/message-resource
https://www.twilio.com/docs/messaging/guides/webhook-request
"""

import hmac
import mimetypes
import uuid
from base64 import b64encode
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any, ClassVar, NamedTuple
from urllib.parse import parse_qs, urldefrag, urlencode, urlsplit

from local.http.server import Request, Response, json_response
from local.simulators.behaviour import Behaviour
from local.simulators.vendor import (
    FAILURE,
    InboundMessage,
    VendorRequest,
    VendorResponse,
    derive_key,
    headers,
)
from local.simulators.webhook_sender import SignedWebhook

VERSION = "2010-04-01"
SERVICE_NUMBER = "+15005550006"
"""The number that a messaging service sends from."""
UNDELIVERED = ("failed", "undelivered")
Form = Mapping[str, Any]


class TwilioError(NamedTuple):
    status: int
    code: int
    message: str


class Twilio:
    channel: ClassVar[str] = "sms"
    report_statuses: ClassVar[frozenset[str]] = frozenset(
        {"accepted", "queued", "sending", "sent", "delivered", "read", *UNDELIVERED}
    )

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._webhook_url = f"{gateway}/api/webhooks/{self.channel}/{name}"
        self._account = "AC" + derive_key(secret, "twilio account").hex()[:32]
        self._token = derive_key(secret, "twilio token").hex()[:32]
        self._messages: list[dict[str, Any]] = []

    def credentials(self, url: str) -> dict[str, Any]:
        return {"account_sid": self._account, "auth_token": self._token, "api_url": url}

    def parse_request(self, request: Request, path: Sequence[str]) -> VendorRequest | None:
        match request.method, path:
            case "POST", [version, "Accounts", account, "Messages.json"] if version == VERSION:
                text, is_status_lookup = request.body.decode("utf-8", "replace"), False
            case "GET", [version, "Accounts", account, "Messages.json"] if version == VERSION:
                text, is_status_lookup = request.query, True
            case _:
                return None
        fields = _parse_form(text)
        basic = b64encode(f"{self._account}:{self._token}".encode()).decode()
        if account != self._account or headers(request).get("authorization") != f"Basic {basic}":
            error: TwilioError | None = TwilioError(401, 20003, "Authenticate")
        elif is_status_lookup:
            error = _lookup_error(fields)
        else:
            error = _send_error({"MediaUrl": []} | fields)
        return VendorRequest(fields, text, is_status_lookup, _error_response(error) if error else None)

    def respond(self, request: VendorRequest) -> VendorResponse:
        if request.is_status_lookup:
            return self._list_messages(request.body)
        return self._send_message(request.body)

    def _send_message(self, form: Form) -> VendorResponse:
        media = form.get("MediaUrl", [])
        message_id = ("MM" if media else "SM") + uuid.uuid4().hex
        now = format_datetime(datetime.now(UTC))
        uri = f"/{VERSION}/Accounts/{self._account}/Messages/{message_id}"
        created = {
            "sid": message_id,
            "account_sid": self._account,
            "messaging_service_sid": form.get("MessagingServiceSid"),
            "api_version": VERSION,
            "from": form.get("From"),
            "to": form["To"],
            "body": form.get("Body", ""),
            "status": "queued",
            "direction": "outbound-api",
            "num_media": str(len(media)),
            "num_segments": "1",
            "date_created": now,
            "date_updated": now,
            "date_sent": None,
            "error_code": None,
            "error_message": None,
            "price": None,
            "price_unit": "USD",
            "uri": f"{uri}.json",
            "subresource_uris": {"media": f"{uri}/Media.json"},
        }
        sent = {"status": "sent", "date_sent": now, "from": form.get("From", SERVICE_NUMBER)}
        self._messages.append(created | sent)
        return VendorResponse(message_id, json_response(201, created))

    def _list_messages(self, query: Form) -> VendorResponse:
        """List the newest message first, as Twilio does."""
        size, page = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        matches = [message for message in reversed(self._messages) if _matches(message, query)]
        start, end = page * size, (page + 1) * size
        page_of_matches = matches[start:end]

        def uri(number: int) -> str:
            parameters = urlencode({**query, "PageSize": size, "Page": number})
            return f"/{VERSION}/Accounts/{self._account}/Messages.json?{parameters}"

        body = {
            "messages": page_of_matches,
            "page": page,
            "page_size": size,
            "start": start,
            "end": start + max(len(page_of_matches) - 1, 0),
            "uri": uri(page),
            "first_page_uri": uri(0),
            "next_page_uri": uri(page + 1) if len(matches) > end else None,
            "previous_page_uri": uri(page - 1) if page else None,
        }
        message_id = page_of_matches[0]["sid"] if page_of_matches else None
        return VendorResponse(message_id, json_response(200, body))

    def failure_response(self, status: int) -> Response:
        return _error_response(TwilioError(status, 20000 + status, "simulated failure"))

    def report_webhooks(
        self, request: VendorRequest, message_id: str, behaviour: Behaviour
    ) -> list[SignedWebhook]:
        """Post to StatusCallback. The product puts our message id into this URL, whatever the behaviour."""
        if "StatusCallback" not in request.body:
            return []
        webhooks: list[SignedWebhook] = []
        for status in behaviour.reports:
            fields = {
                "AccountSid": self._account,
                "ApiVersion": VERSION,
                "From": request.body.get("From", SERVICE_NUMBER),
                "MessageSid": message_id,
                "SmsSid": message_id,
                "To": request.body["To"],
                "MessageStatus": status,
                "SmsStatus": status,
            }
            if service := request.body.get("MessagingServiceSid"):
                fields["MessagingServiceSid"] = service
            if status in UNDELIVERED:
                fields["ErrorCode"] = FAILURE["code"]
            webhooks.append(self._webhook(request.body["StatusCallback"], fields))
        return webhooks

    def inbound_webhook(self, message: InboundMessage) -> SignedWebhook:
        urls = message.urls
        message_id = message.id or ("MM" if urls else "SM") + uuid.uuid4().hex
        fields = {
            "MessageSid": message_id,
            "SmsSid": message_id,
            "SmsMessageSid": message_id,
            "AccountSid": self._account,
            "ApiVersion": VERSION,
            "From": message.sender,
            "To": message.recipient,
            "Body": message.body,
            "SmsStatus": "received",
            "NumMedia": str(len(urls)),
            "NumSegments": "1",
            "FromCity": "",  # Twilio sends blanks for what it does not know, and signs them
            "FromCountry": "US",
        }
        for index, url in enumerate(urls):
            fields[f"MediaUrl{index}"] = url
            fields[f"MediaContentType{index}"] = mimetypes.guess_type(url)[0] or "application/octet-stream"
        return self._webhook(self._webhook_url, fields)

    def _webhook(self, url: str, form: Mapping[str, str]) -> SignedWebhook:
        """Drop the fragment of the URL: it holds options for Twilio, which Twilio does not sign."""

        def sign(called_url: str, _body: bytes) -> Mapping[str, str]:
            return {"x-twilio-signature": self._signature(called_url, form)}

        content_type = "application/x-www-form-urlencoded; charset=UTF-8"
        return SignedWebhook(urldefrag(url)[0], urlencode(form).encode(), content_type, sign)

    def _signature(self, url: str, form: Mapping[str, str]) -> str:
        """https://www.twilio.com/docs/usage/security#validating-requests"""
        signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        return b64encode(hmac.digest(self._token.encode(), signed.encode(), "sha1")).decode()


def _parse_form(text: str) -> dict[str, Any]:
    """Return each field's last value; MediaUrl is a list."""
    fields: dict[str, Any] = {}
    for name, values in parse_qs(text, keep_blank_values=True).items():
        fields[name] = values if name == "MediaUrl" else values[-1]
    return fields


def _send_error(form: Form) -> TwilioError | None:
    error: tuple[int, str] | None = None
    if not form.get("To"):
        error = 21604, "A 'To' phone number is required."
    elif not form.get("From") and not form.get("MessagingServiceSid"):
        error = 21603, "A 'From' number is required."
    elif not form.get("Body") and not form["MediaUrl"]:
        error = 21602, "Message body is required."
    elif len(form.get("Body", "")) > 1600:
        error = 21617, "The message body is longer than 1600 characters."
    elif len(form["MediaUrl"]) > 10:
        error = 21623, "There are more than 10 media."
    elif not _is_url(form.get("StatusCallback", "http://a")):
        error = 21609, "The StatusCallback is not a valid URL."
    return TwilioError(400, *error) if error else None


def _lookup_error(query: Form) -> TwilioError | None:
    try:
        _sent_within(datetime.now(UTC), query)
        int(query.get("PageSize", 50))
        int(query.get("Page", 0))
    except ValueError:
        return TwilioError(400, 20001, "A parameter has the wrong format.")
    return None


def _matches(message: Form, query: Form) -> bool:
    if query.get("To", message["to"]) != message["to"]:
        return False
    if query.get("From", message["from"]) != message["from"]:
        return False
    return _sent_within(parsedate_to_datetime(message["date_sent"]), query)


def _sent_within(sent: datetime, query: Form) -> bool:
    """Whether a time is on the day, or between the times, that a query asks for."""
    day = _parse_time(query.get("DateSent"), sent)
    earliest = _parse_time(query.get("DateSent>"), sent)
    latest = _parse_time(query.get("DateSent<"), sent)
    return day.date() == sent.date() and earliest <= sent <= latest


def _parse_time(text: str | None, default: datetime) -> datetime:
    """A date without a time is the beginning of its day, in UTC."""
    if text is None:
        return default
    time = datetime.fromisoformat(text)
    return time if time.tzinfo else time.replace(tzinfo=UTC)


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _error_response(error: TwilioError) -> Response:
    more_info = f"https://www.twilio.com/docs/errors/{error.code}"
    fields = {"code": error.code, "message": error.message, "more_info": more_info, "status": error.status}
    return json_response(error.status, fields)
