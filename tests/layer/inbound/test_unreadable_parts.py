"""The fault of a request with many unreadable parts: it stays short."""

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
        return [Invalid.field(f"events.{n}", "must be an object") for n in range(int(webhook.body))]


@pytest.mark.slow
@pytest.mark.usefixtures("providers")
@pytest.mark.parametrize(("parts", "more"), [(10, ""), (2500, "; and 2490 more")])
def test_a_fault_lists_at_most_ten_parts(
    database: Database, printed: Printed, monkeypatch: pytest.MonkeyPatch, parts: int, more: str
) -> None:
    monkeypatch.setitem(providers.REGISTRY, "sms", Batch)
    body = str(parts).encode()
    answer = receive.receive(Channel.SMS, "sms", Webhook("https://example.com/", "", api.signed(body), body))
    assert answer.status == 202
    assert len([line for line in printed.logs if line["level"] == "ERROR" and line["errors"] == parts]) == 10
    listed = "; ".join(f"Invalid: events.{n}" for n in range(10))
    assert database.value("SELECT fault FROM webhook_requests") == listed + more
