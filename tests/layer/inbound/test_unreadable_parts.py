"""A batch of which much cannot be read: what is told of it stays short."""

from typing import Any

import pytest

from messaging import providers
from messaging.inbound import receive
from messaging.models import Channel
from messaging.problems import Invalid
from messaging.providers import json_gateway
from messaging.providers.provider import Webhook
from tests.support import api
from tests.support.database import Database
from tests.support.log_lines import Printed


class Batch(json_gateway.Sms):
    def parse(self, webhook: Webhook) -> Any:
        return [Invalid.field(f"events.{n}", "is no object") for n in range(int(webhook.body))]


@pytest.mark.slow
@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(("parts", "more"), [(10, ""), (2500, "; and 2490 more")])
def test_ten_of_its_faults_are_told(
    database: Database, printed: Printed, monkeypatch: pytest.MonkeyPatch, parts: int, more: str
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "sms", Batch)
    body = str(parts).encode()
    told = receive.receive(Channel.SMS, "sms", Webhook("https://example.com/", "", api.signed(body), body))
    assert told.status == 202
    assert len([line for line in printed.logs if line["level"] == "ERROR" and line["errors"] == parts]) == 10
    listed = "; ".join(f"Invalid: events.{n}" for n in range(10))
    assert database.value("SELECT fault FROM webhook_requests") == listed + more
