"""The built-in providers keep to the contract."""

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
from tests.support.providers import pager
from tests.support.providers.contract import Contract

EMAIL = {**api.NEW_EMAIL, "type": Channel.EMAIL}
REPORT = {"reference": "7", "status": "delivered", "timestamp": "2024-11-01T14:00:01Z"}


class House(Contract):
    keys = (("signing_secret", "whsec_" + "B" * 32),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"url": url, "signing_secret": SIGNING_SECRET}

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return api.signed(body, age=datetime.now(UTC) - at)


class TestSms(House):
    provider = json_gateway.Sms
    sent = api.NEW_SMS
    accepted = b'{"messaging_provider_id": "message-9"}'
    inbound = json.dumps(api.INBOUND_SMS).encode()
    report = json.dumps({"messaging_provider_id": "message-9", **REPORT}).encode()


class TestEmail(House):
    provider = json_gateway.Email
    sent = EMAIL
    accepted = b'{"xillio_id": "message-9"}'
    inbound = json.dumps({**api.INBOUND_EMAIL, "xillio_id": "message-1"}).encode()
    report = json.dumps({"xillio_id": "message-9", **REPORT}).encode()


class TestPager(Contract):
    """One that is no part of the product: what its author would write to hold it to the contract."""

    provider = pager.Pager
    sent = api.NEW_SMS
    accepted = b"OK message-9"
    inbound = json.dumps({"got": [{"n": "message-1", "src": "123", "dst": "456", "text": "in"}]}).encode()
    report = json.dumps({"did": [{"n": "message-9", "ref": 7, "state": "done"}]}).encode()
    delivered = b"done"
    batch = json.dumps(
        {"did": [{"n": "a", "ref": 1, "state": "done"}, {"n": "b"}, {"n": "c", "ref": 2, "state": "lost"}]}
    ).encode()
    tolerance = None
    keys = ()

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"url": url, "key": "key"}

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return {"x-pager-signature": hmac.new(b"key", body, hashlib.sha256).hexdigest()}
