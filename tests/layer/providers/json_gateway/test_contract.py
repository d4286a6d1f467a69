"""The JSON gateways and the example provider fulfil the contract."""

import hashlib
import hmac
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from messaging.models import Channel
from messaging.providers import json_gateway
from tests.support import api
from tests.support.configuration import SIGNING_SECRET
from tests.support.providers.contract import Contract
from tests.support.providers.example_provider import ExampleProvider

EMAIL = {**api.NEW_EMAIL, "type": Channel.EMAIL}
REPORT = {"reference": "7", "status": "delivered", "timestamp": "2024-11-01T14:00:01Z"}


class JsonGateway(Contract):
    keys = (("signing_secret", "whsec_" + "B" * 32),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"url": url, "signing_secret": SIGNING_SECRET}

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return api.signed(body, age=datetime.now(UTC) - at)


class TestSms(JsonGateway):
    provider = json_gateway.Sms
    sent = api.NEW_SMS
    accepted = b'{"messaging_provider_id": "message-9"}'
    inbound = json.dumps(api.INBOUND_SMS).encode()
    message_fields = ("from", "to", "body", "messaging_provider_id")
    report = json.dumps({"messaging_provider_id": "message-9", **REPORT}).encode()


class TestEmail(JsonGateway):
    provider = json_gateway.Email
    sent = EMAIL
    accepted = b'{"xillio_id": "message-9"}'
    inbound = json.dumps({**api.INBOUND_EMAIL, "xillio_id": "message-1"}).encode()
    message_fields = ("from", "to", "body", "xillio_id")
    report = json.dumps({"xillio_id": "message-9", **REPORT}).encode()


class TestExampleProvider(Contract):
    """A provider outside the product, as a new provider would be tested."""

    provider = ExampleProvider
    sent = api.NEW_SMS
    accepted = b"OK message-9"
    inbound = json.dumps(
        {"received": [{"id": "message-1", "src": "123", "dst": "456", "text": "in"}]}
    ).encode()
    report = json.dumps({"reports": [{"id": "message-9", "ref": 7, "state": "done"}]}).encode()
    delivered = b"done"
    batch = json.dumps(
        {
            "reports": [
                {"id": "a", "ref": 1, "state": "done"},
                {"id": "b"},
                {"id": "c", "ref": 2, "state": "lost"},
            ]
        }
    ).encode()
    tolerance = None
    keys = (("key", "another key"),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"url": url, "key": "secret-of-example"}

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return {"x-example-signature": hmac.new(b"secret-of-example", body, hashlib.sha256).hexdigest()}
