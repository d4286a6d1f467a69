"""AWS End User Messaging SMS fulfils the contract."""

import json
from pathlib import Path

import pytest

from messaging.providers.aws_sms import AwsSms
from tests.support import api
from tests.support.providers.sns import Amazon, envelope

pytestmark = pytest.mark.slow

PAYLOADS = Path(__file__).parent / "payloads"


def request(name: str) -> bytes:
    return json.dumps(envelope((PAYLOADS / f"{name}.json").read_text())).encode()


class TestAwsSms(Amazon):
    provider = AwsSms
    sent = api.NEW_SMS
    accepted = b'{"MessageId": "9539975a-e71f-45f3-b496-8d98dc098a77"}'
    sent_id = "9539975a-e71f-45f3-b496-8d98dc098a77"
    inbound = request("inbound")
    inbound_id = "cae173d2-66b9-564c-8309-21f858e9fb84"
    report = request("delivered")
    delivered = b"TEXT_DELIVERED"
