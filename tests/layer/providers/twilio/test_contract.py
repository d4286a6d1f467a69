"""Twilio keeps to the contract; its signatures are made by its own library."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from messaging.providers import twilio
from tests import calls
from tests.layer.providers.contract import Contract
from tests.layer.providers.twilio import signing

INBOUND = {
    "MessageSid": "SM" + "01" * 16,
    "AccountSid": "AC1",
    "From": calls.CONTACT,
    "To": calls.CUSTOMER,
    "Body": "x",
    "NumMedia": "0",
}
REPORT = {"MessageSid": "message-9", "MessageStatus": "delivered", "To": calls.CONTACT}


class TestTwilio(Contract):
    provider = twilio.Twilio
    inbound_id = INBOUND["MessageSid"]
    sent = calls.NEW_SMS
    accepted = b'{"sid": "message-9", "status": "queued", "error_code": null}'
    accepted_status = 201
    inbound = urlencode(INBOUND).encode()
    report = urlencode(REPORT).encode()
    unreadable = b"From=x"
    query = "reference=7"
    signs_url = True
    tolerance = None
    keys = (("auth_token", signing.OTHER_TOKEN),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"account_sid": "AC1", "auth_token": signing.TOKEN, "api_url": url}

    def content_type(self, body: bytes) -> str:
        return signing.FORM

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return {signing.HEADER: signing.form(f"{self.url}?{self.query}", body)[signing.HEADER]}
