"""Requests as in the documentation of Twilio, and a function that reads them."""

from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import parse_qsl, urlencode

from messaging.models import DeliveryReport, InboundMessage
from messaging.providers.provider import Webhook
from messaging.providers.twilio import Twilio
from tests.layer.providers.twilio import signatures

PAYLOADS = Path(__file__).parent / "payloads"
RECEIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.form").read_bytes()


def changed(name: str, **fields: str | None) -> bytes:
    """The payload with other fields; None takes one out."""
    form: dict[str, str | None] = dict(parse_qsl(payload(name).decode(), keep_blank_values=True))
    return urlencode({key: value for key, value in (form | fields).items() if value is not None}).encode()


def read(body: bytes, query: str = "") -> InboundMessage | DeliveryReport:
    headers = {"content-type": signatures.FORM}
    [part] = Twilio("twilio", {}).parse(
        Webhook("https://api.example.com/api/webhooks/sms/twilio", query, headers, body, RECEIVED_AT)
    )
    return part


def message(body: bytes) -> InboundMessage:
    part = read(body)
    assert isinstance(part, InboundMessage)
    return part


def report(body: bytes, query: str = "") -> DeliveryReport:
    part = read(body, query)
    assert isinstance(part, DeliveryReport)
    return part
