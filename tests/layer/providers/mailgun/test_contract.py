"""Mailgun fulfils the contract with both formats of received mail."""

import json
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, ClassVar
from urllib.parse import urlencode

from messaging.models import Channel
from messaging.providers import mailgun
from tests.layer.providers.mailgun import signatures
from tests.support import api
from tests.support.providers.contract import Contract

HEADERS = json.dumps([["Message-Id", "<message-1@example.org>"], ["From", "contact@example.org"]])
MAIL = {"recipient": "user@example.com", "from": "contact@example.org", "message-headers": HEADERS}
REPORT = {
    "event": "delivered",
    "message": {"headers": {"message-id": "message-9"}},
    "user-variables": {"reference": "7"},
}


class Mailgun(Contract):
    provider = mailgun.Mailgun
    sent: ClassVar = {**api.NEW_EMAIL, "type": Channel.EMAIL}
    accepted = b'{"id": "<message-9>", "message": "Queued. Thank you."}'
    report = json.dumps({"event-data": REPORT}).encode()
    signs_body = False
    signature_fields = ("timestamp", "token", "signature")
    tolerance = timedelta(hours=12)
    keys = (("signing_key", signatures.OTHER_KEY),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"api_url": url, "api_key": "key-secret", "signing_key": signatures.KEY}

    def content_type(self, body: bytes) -> str:
        if body.startswith(b"--"):
            return signatures.MULTIPART
        return "application/json" if body.startswith(b"{") else signatures.URLENCODED

    def signed(self, body: bytes, at: datetime) -> bytes:
        return signatures.signed(body, self.content_type(body), at)


class TestUrlencoded(Mailgun):
    inbound_id = "message-1@example.org/b73717448e3a29aa700a31cd14f8f42381cdc42a/user@example.com"
    inbound = urlencode({**MAIL, "body-plain": "in"}).encode()
    unreadable = urlencode({**MAIL, "recipient": ","}).encode()

    def raw_mail(self, raw: bytes) -> bytes:
        return urlencode({"recipient": "user@example.com", "body-mime": raw}).encode()


class TestMultipart(Mailgun):
    inbound_id = "message-1@example.org/b287d8ffd5c1a69483b548306d044839aa21c6da/user@example.com"
    inbound = signatures.multipart(MAIL, {"attachment-1": ("a.png", "image/png", bytes(range(256)))})
    unreadable = signatures.multipart({"recipient": "user@example.com", "body-mime": " "}, {})
