"""SES fulfils the contract."""

import json
from pathlib import Path

import pytest

from messaging.models import Channel
from messaging.providers.ses import Ses
from tests.support import api
from tests.support.providers.sns import Amazon, envelope

pytestmark = pytest.mark.slow

EMAIL = {**api.NEW_EMAIL, "type": Channel.EMAIL}
PAYLOADS = Path(__file__).parent / "payloads"


def request(name: str) -> bytes:
    return json.dumps(envelope((PAYLOADS / f"{name}.json").read_text())).encode()


class TestSes(Amazon):
    provider = Ses
    sent = EMAIL
    sent_id = "010001937c1d3a2b-0a1b2c3d-4e5f-6789-abcd-ef0123456789-000000"
    accepted = json.dumps({"MessageId": sent_id}).encode()
    inbound = request("received")
    inbound_id = "d6iitobk75ur44p8kdnnp7g2n800/user@example.com"
    report = request("delivery")
    delivered = b"Delivery"
