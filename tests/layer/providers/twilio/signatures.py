"""Signatures as Twilio makes them, by its own library: https://github.com/twilio/twilio-python."""

from collections.abc import Mapping, Sequence
from urllib.parse import parse_qs

from twilio.request_validator import RequestValidator

from messaging.problems import SignatureRejected
from messaging.providers.provider import Webhook
from messaging.providers.twilio import Twilio

URL = "https://api.example.com/api/webhooks/sms/twilio"
TOKEN, OTHER_TOKEN = "5ed1f2a1b8e64d7cba0e8f3c2d9a4b71", "c0ffee00c0ffee00c0ffee00c0ffee00"
CREDENTIALS = {"account_sid": "AC1", "auth_token": TOKEN}
HEADER = "x-twilio-signature"
FORM, JSON = "application/x-www-form-urlencoded; charset=UTF-8", "application/json"


class Fields:
    """A form whose names may repeat, in the type that the library expects."""

    def __init__(self, fields: Mapping[str, Sequence[str]]) -> None:
        self._fields = fields

    def __iter__(self) -> object:
        return iter(self._fields)

    def __len__(self) -> int:
        return len(self._fields)

    def getall(self, name: str) -> Sequence[str]:
        return self._fields[name]


def signature(url: str, fields: Mapping[str, Sequence[str]], token: str = TOKEN) -> str:
    return str(RequestValidator(token).compute_signature(url, Fields(fields) if fields else {}))


def form(url: str, body: bytes, token: str = TOKEN) -> dict[str, str]:
    """The headers of a form that is sent to this URL."""
    fields = parse_qs(body.decode(), keep_blank_values=True)
    return {HEADER: signature(url, fields, token), "content-type": FORM}


def json(url: str, token: str = TOKEN) -> dict[str, str]:
    """The headers of JSON that is sent to this URL, which has the hash of the body."""
    return {HEADER: signature(url, {}, token), "content-type": JSON}


def provider(token: object = TOKEN) -> Twilio:
    return Twilio("twilio", {"account_sid": "AC1", "auth_token": token})


def signed(body: bytes, query: str = "reference=7", url: str = URL, signed_url: str = "") -> Webhook:
    called = f"{signed_url or url}?{query}".rstrip("?")
    return Webhook(url, query, form(called, body), body)


def is_accepted(webhook: Webhook, twilio: Twilio | None = None) -> bool:
    try:
        return (twilio or provider()).verify(webhook).signed
    except SignatureRejected:
        return False
