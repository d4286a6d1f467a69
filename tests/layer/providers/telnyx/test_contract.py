"""Telnyx fulfils the contract. PyNaCl makes the signatures, as in Telnyx's own library."""

import json
from collections.abc import Mapping
from datetime import datetime
from typing import Any

from messaging.providers import telnyx
from tests.layer.providers.telnyx import signatures
from tests.support import api
from tests.support.providers.contract import Contract


def event(event_type: str, **payload: object) -> bytes:
    return json.dumps({"data": {"event_type": event_type, "payload": payload}}).encode()


def received(*numbers: str) -> bytes:
    to = [{"phone_number": number} for number in numbers]
    contact = {"phone_number": api.CONTACT}
    return event(
        "message.received", **{"id": "message-1", "type": "SMS", "from": contact, "to": to, "text": "x"}
    )


class TestTelnyx(Contract):
    provider = telnyx.Telnyx
    sent = api.NEW_SMS
    accepted = b'{"data": {"record_type": "message", "id": "message-9"}}'
    inbound = received(api.CUSTOMER)
    message_fields = ("phone_number", "text")
    report = event(
        "message.finalized",
        id="message-9",
        to=[{"status": "delivered"}],
        webhook_url="https://api.example.com/api/webhooks/sms/instance?reference=7",
    )
    batch = received(api.CUSTOMER, " ", "+12016661235")
    query = "reference=7"
    keys = (("public_key", signatures.OTHER_PUBLIC_KEY),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"api_url": url, "api_key": "KEY_secret", "public_key": signatures.PUBLIC_KEY}

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return signatures.headers(body, at)
