"""Plays Twilio: POST /<instance>/2010-04-01/Accounts/<account>/Messages.json sends, GET lists what was sent.

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
from typing import Any, ClassVar
from urllib.parse import parse_qs, urldefrag, urlencode, urlsplit

from local.http.server import Request, Response, json_response
from local.simulators.behaviour import Behaviour
from local.simulators.reports import Post
from local.simulators.vendor import FAILURE, Answered, Asked, Letter, headers, key

VERSION = "2010-04-01"
SERVICE_NUMBER = "+15005550006"
"""What a messaging service sends from."""
UNDELIVERED = ("failed", "undelivered")
Form = Mapping[str, Any]
Refusal = tuple[int, int, str]
"""HTTP's status, Twilio's code and message."""


class Twilio:
    channel: ClassVar[str] = "sms"
    words: ClassVar[frozenset[str]] = frozenset(
        {"accepted", "queued", "sending", "sent", "delivered", "read", *UNDELIVERED}
    )

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._webhook = f"{gateway}/api/webhooks/{self.channel}/{name}"
        self._account = "AC" + key(secret, "twilio account").hex()[:32]
        self._token = key(secret, "twilio token").hex()[:32]
        self._messages: list[dict[str, Any]] = []

    def credentials(self, url: str) -> dict[str, Any]:
        return {"account_sid": self._account, "auth_token": self._token, "api_url": url}

    def read(self, request: Request, path: Sequence[str]) -> Asked | None:
        match request.method, path:
            case "POST", [version, "Accounts", account, "Messages.json"] if version == VERSION:
                text, looks_up = request.body.decode("utf-8", "replace"), False
            case "GET", [version, "Accounts", account, "Messages.json"] if version == VERSION:
                text, looks_up = request.query, True
            case _:
                return None
        fields: dict[str, Any] = {
            name: values if name == "MediaUrl" else values[-1]
            for name, values in parse_qs(text, keep_blank_values=True).items()
        }
        basic = b64encode(f"{self._account}:{self._token}".encode()).decode()
        if account != self._account or headers(request).get("authorization") != f"Basic {basic}":
            refused: Refusal | None = (401, 20003, "Authenticate")
        else:
            refused = _asked_wrongly(fields) if looks_up else _sent_wrongly({"MediaUrl": []} | fields)
        return Asked(fields, text, looks_up, _error(*refused) if refused else None)

    def answer(self, asked: Asked) -> Answered:
        return self._find(asked.body) if asked.looks_up else self._take(asked.body)

    def _take(self, form: Form) -> Answered:
        media = form.get("MediaUrl", [])
        id = ("MM" if media else "SM") + uuid.uuid4().hex
        now = format_datetime(datetime.now(UTC))
        uri = f"/{VERSION}/Accounts/{self._account}/Messages/{id}"
        created = {
            "sid": id,
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
        listed = {"status": "sent", "date_sent": now, "from": form.get("From", SERVICE_NUMBER)}
        self._messages.append(created | listed)
        return Answered(id, json_response(201, created))

    def _find(self, query: Form) -> Answered:
        """The newest first, as Twilio's client and its users ask for them."""
        size, place = int(query.get("PageSize", 50)), int(query.get("Page", 0))
        found = [message for message in reversed(self._messages) if _matches(message, query)]
        shown = found[place * size : (place + 1) * size]

        def uri(page: int) -> str:
            filters = urlencode({**query, "PageSize": size, "Page": page})
            return f"/{VERSION}/Accounts/{self._account}/Messages.json?{filters}"

        page = {
            "messages": shown,
            "page": place,
            "page_size": size,
            "start": place * size,
            "end": place * size + max(len(shown) - 1, 0),
            "uri": uri(place),
            "first_page_uri": uri(0),
            "next_page_uri": uri(place + 1) if len(found) > (place + 1) * size else None,
            "previous_page_uri": uri(place - 1) if place else None,
        }
        return Answered(shown[0]["sid"] if shown else None, json_response(200, page))

    def failure(self, status: int) -> Response:
        return _error(status, 20000 + status, "told to fail")

    def reports(self, asked: Asked, id: str, told: Behaviour) -> list[Post]:
        """Our id is in the URL that the product has given: they name it whatever they are told."""
        if "StatusCallback" not in asked.body:
            return []
        told_of = {
            "AccountSid": self._account,
            "ApiVersion": VERSION,
            "From": asked.body.get("From", SERVICE_NUMBER),
            "MessageSid": id,
            "SmsSid": id,
            "To": asked.body["To"],
        }
        if service := asked.body.get("MessagingServiceSid"):
            told_of["MessagingServiceSid"] = service
        failed = {"ErrorCode": FAILURE["code"]}
        return [
            self._post(
                asked.body["StatusCallback"],
                told_of
                | {"MessageStatus": status, "SmsStatus": status}
                | (failed if status in UNDELIVERED else {}),
            )
            for status in told.reports
        ]

    def inbound(self, letter: Letter) -> Post:
        id = letter.id or ("MM" if letter.urls else "SM") + uuid.uuid4().hex
        told = dict.fromkeys(("MessageSid", "SmsSid", "SmsMessageSid"), id) | {
            "AccountSid": self._account,
            "ApiVersion": VERSION,
            "From": letter.sender,
            "To": letter.recipient,
            "Body": letter.body,
            "SmsStatus": "received",
            "NumMedia": str(len(letter.urls)),
            "NumSegments": "1",
            "FromCity": "",  # it has blanks for what it does not know, and signs them
            "FromCountry": "US",
        }
        for place, url in enumerate(letter.urls):
            told[f"MediaUrl{place}"] = url
            told[f"MediaContentType{place}"] = mimetypes.guess_type(url)[0] or "application/octet-stream"
        return self._post(self._webhook, told)

    def _post(self, url: str, form: Mapping[str, str]) -> Post:
        """What follows a # is for Twilio itself, and neither called nor signed."""
        return Post(
            urldefrag(url)[0],
            urlencode(form).encode(),
            "application/x-www-form-urlencoded; charset=UTF-8",
            lambda called, _: {"x-twilio-signature": self._signature(called, form)},
        )

    def _signature(self, url: str, form: Mapping[str, str]) -> str:
        """https://www.twilio.com/docs/usage/security#validating-requests"""
        signed = url + "".join(f"{name}{form[name]}" for name in sorted(form))
        return b64encode(hmac.digest(self._token.encode(), signed.encode(), "sha1")).decode()


def _sent_wrongly(form: Form) -> Refusal | None:
    rules = [
        (not form.get("To"), 21604, "A 'To' phone number is required."),
        (not form.get("From") and not form.get("MessagingServiceSid"), 21603, "A 'From' number is required."),
        (not form.get("Body") and not form["MediaUrl"], 21602, "Message body is required."),
        (len(form.get("Body", "")) > 1600, 21617, "The message body is longer than 1600 characters."),
        (len(form["MediaUrl"]) > 10, 21623, "There are more than 10 media."),
        (not _is_url(form.get("StatusCallback", "http://a")), 21609, "The StatusCallback is no valid URL."),
    ]
    return next(((400, code, message) for wrong, code, message in rules if wrong), None)


def _asked_wrongly(query: Form) -> Refusal | None:
    try:
        _matches({"to": None, "from": None, "date_sent": format_datetime(datetime.now(UTC))}, query)
        int(query.get("PageSize", 50)), int(query.get("Page", 0))
    except ValueError:
        return 400, 20001, "A parameter is not of its form."
    return None


def _matches(message: Form, query: Form) -> bool:
    for name, field in (("To", "to"), ("From", "from")):
        if query.get(name, message[field]) != message[field]:
            return False
    sent = parsedate_to_datetime(message["date_sent"])
    return _moment(query.get("DateSent"), sent).date() == sent.date() and _moment(
        query.get("DateSent>"), sent
    ) <= sent <= _moment(query.get("DateSent<"), sent)


def _moment(text: str | None, otherwise: datetime) -> datetime:
    """Of a day its beginning."""
    if text is None:
        return otherwise
    moment = datetime.fromisoformat(text)
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _is_url(text: str) -> bool:
    parts = urlsplit(text)
    return parts.scheme in ("http", "https") and bool(parts.hostname)


def _error(status: int, code: int, message: str) -> Response:
    more = f"https://www.twilio.com/docs/errors/{code}"
    return json_response(status, {"code": code, "message": message, "more_info": more, "status": status})
