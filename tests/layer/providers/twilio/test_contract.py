"""Twilio fulfils the contract. Twilio's own library makes the signatures."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from messaging.providers import twilio
from tests.layer.providers.twilio import signatures
from tests.support import api
from tests.support.providers.contract import Contract

INBOUND = {
    "MessageSid": "SM" + "01" * 16,
    "AccountSid": "AC1",
    "From": api.CONTACT,
    "To": api.CUSTOMER,
    "Body": "x",
    "NumMedia": "0",
}
REPORT = {"MessageSid": "message-9", "MessageStatus": "delivered", "To": api.CONTACT}


class TestTwilio(Contract):
    provider = twilio.Twilio
    inbound_id = INBOUND["MessageSid"]
    sent = api.NEW_SMS
    accepted = b'{"sid": "message-9", "status": "queued", "error_code": null}'
    accepted_status = 201
    inbound = urlencode(INBOUND).encode()
    message_fields = ("From", "To", "Body", "NumMedia")
    report = urlencode(REPORT).encode()
    unreadable = b"From=x"
    query = "reference=7"
    signs_url = True
    tolerance = None
    keys = (("auth_token", signatures.OTHER_TOKEN),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"account_sid": "AC1", "auth_token": signatures.TOKEN, "api_url": url}

    def content_type(self, body: bytes) -> str:
        return signatures.FORM

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return {signatures.HEADER: signatures.form(f"{self.url}?{self.query}", body)[signatures.HEADER]}
