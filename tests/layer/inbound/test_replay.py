"""Replay: a stored request is parsed again after a fix, within the time of the invocation."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from messaging import providers
from messaging.inbound import receive as inbound_receive
from messaging.inbound import replay as inbound_replay
from messaging.inbound.store import Selector
from messaging.models import Channel
from messaging.providers import json_gateway
from messaging.providers.provider import Webhook, WebhookResponse
from tests.support import api
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = pytest.mark.usefixtures("providers", "database")

MESSAGES = "SELECT count(*) FROM messages"
REQUESTS = "SELECT fault FROM webhook_requests ORDER BY id"
UNPARSED = Selector(Channel.SMS, unparsed=True)


class Faulty(json_gateway.Sms):
    """A provider with a bug."""

    def parse(self, webhook: Webhook) -> Any:
        raise KeyError(webhook.body)


def webhook(fields: Mapping[str, object]) -> Webhook:
    body = json.dumps(fields).encode()
    return Webhook("https://example.com/", "", api.signed(body), body)


def receive(fields: Mapping[str, object]) -> WebhookResponse:
    return inbound_receive.receive(Channel.SMS, "sms", webhook(fields))


def receive_unread(monkeypatch: pytest.MonkeyPatch) -> None:
    """Receive a message that cannot be read before the provider's bug is fixed."""
    with monkeypatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        receive(INBOUND_SMS)


def replay(selector: Selector = UNPARSED) -> tuple[int, int, int, int | None]:
    return inbound_replay.replay(selector, 0, lambda: 20)


def test_a_request_with_a_bug_s_fault_is_replayed_once_after_the_fix(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    with monkeypatch.context() as faulty:
        faulty.setitem(providers.REGISTRY, "sms", Faulty)
        for _ in range(2):  # the provider may repeat it
            assert receive(INBOUND_SMS).status == 202
        [[fault]] = database.rows(REQUESTS)
        assert str(fault).startswith("KeyError in test_replay.py, line ")
        assert replay() == (0, 1, 0, None)
    assert database.value(MESSAGES) == 0
    assert replay() == (1, 0, 0, None)
    assert database.rows(REQUESTS) == [[None]]
    assert replay() == (0, 0, 0, None)
    assert replay(Selector(Channel.SMS, ids=[1])) == (1, 0, 0, None)
    assert database.value(MESSAGES) == 1


def test_a_replayed_message_has_the_time_of_its_arrival(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    """If a part has no time of its own, it has the time of its request."""
    receive_unread(monkeypatch)
    replay()
    rows = "SELECT m.timestamp = r.received_at FROM messages m, webhook_requests r"
    assert database.value(rows) is True


def test_a_request_of_a_removed_provider_is_counted_as_not_configured(
    database: Database, configure: Configure
) -> None:
    receive(INBOUND_SMS)
    database.rows("UPDATE webhook_requests SET provider = 'gone', fault = 'x'")
    receive({**INBOUND_SMS, "messaging_provider_id": "message-2"})
    assert replay(Selector(Channel.SMS, ids=[1, 2])) == (1, 0, 1, None)


def test_a_replay_stops_in_time_and_returns_where_to_continue(database: Database) -> None:
    for n in range(25):
        receive({**INBOUND_SMS, "messaging_provider_id": f"message-{n}"})
    left = iter([20.0] * 12 + [0.0])
    everything = Selector(Channel.SMS, provider="sms")
    assert inbound_replay.replay(everything, 0, lambda: next(left)) == (12, 0, 0, 12)
    assert inbound_replay.replay(everything, 12, lambda: 20) == (13, 0, 0, None)


def test_a_function_replays_only_requests_of_its_route(database: Database) -> None:
    inbound_receive.receive(Channel.EMAIL, "email", webhook(INBOUND_EMAIL))
    assert replay(Selector(Channel.SMS, ids=[1])) == (0, 0, 0, None)
    assert replay(Selector(Channel.EMAIL, ids=[1])) == (1, 0, 0, None)


def test_a_request_that_the_provider_repeats_after_the_fix_needs_no_replay(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    receive_unread(monkeypatch)
    assert receive(INBOUND_SMS).status == 200
    assert database.rows(REQUESTS) == [[None]]
