"""SendGrid fulfils the contract."""

import json
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from messaging.providers import sendgrid
from tests.layer.providers.sendgrid import signatures
from tests.support import api
from tests.support.providers.contract import Contract

FORM = "multipart/form-data; boundary=xYzZY"
INBOUND = Path(__file__).parent / "payloads" / "inbound_text.form"
EMAIL = {**api.NEW_EMAIL, "type": "email"}
EVENT = {
    "email": "contact@example.org",
    "timestamp": 1730469600,
    "event": "delivered",
    "sg_event_id": "ZGVsaXZlcmVkLTAtMTA5OTQ5MTk",
    "sg_message_id": "message-9.recvd-6d4bb8c9c4-7xw9n-1-6724D9A0-1A.0",
    "reference": "7",
}


class TestSendGrid(Contract):
    provider = sendgrid.SendGrid
    sent = EMAIL
    accepted = b""
    accepted_head = b"X-Message-Id: message-9\r\n"
    accepted_status = 202
    inbound = INBOUND.read_bytes()
    inbound_id = "message-1@example.org/76b552b96e157f451e447cdebf085bc9cd4fb239/user@example.com"
    report = json.dumps([EVENT]).encode()
    batch = json.dumps([EVENT, {"event": ""}, {**EVENT, "event": "bounce"}]).encode()
    keys = (("public_key", signatures.OTHER_PUBLIC_KEY),)

    def secret(self, url: str) -> Mapping[str, Any]:
        return {"api_url": url, "api_key": "SG.secret", "public_key": signatures.PUBLIC_KEY}

    def content_type(self, body: bytes) -> str:
        return FORM if body.startswith(b"--") else "application/json"

    def raw_mail(self, raw: bytes) -> bytes:
        envelope = b'{"to": ["user@example.com"], "from": "contact@example.org"}'
        part = b'--xYzZY\r\nContent-Disposition: form-data; name="%s"\r\n\r\n%s\r\n'
        mail = raw.replace(b"--xYzZY", b"")
        return part % (b"envelope", envelope) + part % (b"email", mail) + b"--xYzZY--\r\n"

    def sign(self, body: bytes, at: datetime) -> Mapping[str, str]:
        return signatures.headers(body, at)
