"""Delivery: what each result of a call does to its message, and when the message is sent again."""

import time
from typing import Any

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging import providers as registry
from messaging.models import OutboundMessage
from messaging.postgres.database import StatementRejected
from messaging.providers import json_gateway
from messaging.providers.provider import ProviderResult
from tests.support.api import INBOUND_SMS, call
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.delivery import accept, deliver, events, make_due, state, wait
from tests.support.log_lines import Printed

pytestmark = pytest.mark.usefixtures("aws")


def test_a_message_is_sent_to_its_provider_once(
    database: Database, aws: Aws, providers: ProviderSimulator, printed: Printed
) -> None:
    accept(aws)
    for _ in range(2):
        deliver(1)
    [request] = providers.requests
    assert (request.path, request.body["reference"], request.body["body"]) == ("/sms", "1", "Hello")
    assert state(database) == ("sent", None, 1)
    assert events(database) == [["attempt", 1, "sent", None]]
    assert database.value("SELECT provider_message_id FROM messages") == request.id
    assert aws.receive_queued() == []


@pytest.mark.parametrize(
    ("behaviour", "status", "code"),
    [
        (Behaviour(status=500), "unknown", "500"),
        (Behaviour(status=503), "queued", "503"),
        (Behaviour(status=429), "queued", "429"),
        (Behaviour(status=401), "queued", "401"),
        (Behaviour(status=400), "failed", "400"),
        (Behaviour(status=422), "failed", "422"),
        (Behaviour(status=302), "queued", "302"),
        (Behaviour(close="before"), "unknown", "no_answer"),
        (Behaviour(close="after"), "unknown", "no_answer"),
        (Behaviour(body="<html>"), "unknown", "unreadable_answer"),
        (Behaviour(body='{"id": 1}'), "unknown", "unreadable_answer"),
    ],
)
def test_each_failure_leads_to_its_status(
    database: Database, aws: Aws, providers: ProviderSimulator, behaviour: Behaviour, status: str, code: str
) -> None:
    accept(aws)
    providers.behave(behaviour)
    deliver(1)
    assert state(database) == (status, code, 1)
    assert events(database) == [["attempt", 1, status, code]]
    assert len(aws.receive_queued()) + aws.count_delayed() == (
        status != "failed"
    )  # an unknown outcome is dispatched for its lookup
    make_due(database)
    providers.behave()
    deliver(1)
    if status == "queued":
        assert state(database) == ("sent", None, 2)
        assert events(database)[1:] == [["attempt", 2, "sent", None]]
    else:
        assert state(database) == (status, code, 1)
        assert len(providers.requests) == 1


def test_a_message_that_is_not_due_yet_is_not_sent(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    providers.behave(Behaviour(status=503, retry_after=60, times=1))
    for _ in range(2):
        deliver(1)
    assert len(providers.requests) == 1
    assert state(database) == ("queued", "503", 1)


@pytest.mark.parametrize(
    ("retry_after", "least", "most"), [(0, 0, 4), (120, 120, 120), (10**13, 86400, 86400)]
)
def test_a_retry_waits_as_long_as_the_provider_asks_up_to_a_day(
    database: Database, aws: Aws, providers: ProviderSimulator, retry_after: int, least: float, most: float
) -> None:
    accept(aws)
    providers.behave(Behaviour(status=429, retry_after=retry_after))
    deliver(1)
    assert least - 0.5 <= wait(database) <= most


@pytest.mark.slow
def test_a_message_fails_after_its_last_attempt(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="3")
    accept(aws)
    providers.behave(Behaviour(status=503))
    for _ in range(4):
        deliver(1)
        make_due(database)
    assert state(database) == ("failed", "503", 3)
    assert [event[2] for event in events(database)] == ["queued", "queued", "failed"]
    assert len(providers.requests) == 3


class BuggyProvider(json_gateway.Sms):
    def send(self, message: OutboundMessage) -> ProviderResult:
        if message.body == "fault":
            raise KeyError(message.body)
        if message.body == "nothing":
            return None  # type: ignore[return-value]  # what a faulty provider does
        return super().send(message)


def test_a_bug_in_a_provider_makes_only_its_own_message_unknown(
    database: Database,
    aws: Aws,
    providers: ProviderSimulator,
    printed: Printed,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.REGISTRY, "sms", BuggyProvider)
    for body in ("fault", "nothing", "Hello"):
        accept(aws, body=body)
    deliver(1, 2, 3)
    assert state(database) == ("unknown", "internal_error", 1)
    assert state(database, 2)[0] == "unknown"
    assert state(database, 3)[0] == "sent"
    faults = [line for line in printed.logs if line["level"] == "ERROR"]
    assert [line["message_id"] for line in faults] == [1]


def test_an_attempt_that_cannot_be_recorded_does_not_lose_the_others(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws, 10)
    database.rows("ALTER TABLE message_events ADD CONSTRAINT broken CHECK (message_id <> 2)")
    try:
        with pytest.raises(StatementRejected):
            deliver(*range(1, 11))
    finally:
        database.rows("ALTER TABLE message_events DROP CONSTRAINT broken")
    statuses = "SELECT status, count(*) FROM messages GROUP BY 1 ORDER BY 1"
    assert database.rows(statuses) == [["sending", 1], ["sent", 9]]


def test_ten_calls_run_at_the_same_time(database: Database, aws: Aws, providers: ProviderSimulator) -> None:
    ids = accept(aws, 10)
    providers.behave(Behaviour(delay=0.5))
    started = time.monotonic()
    deliver(*ids)
    assert time.monotonic() - started < 2.5
    assert database.value("SELECT count(*) FROM messages WHERE status = 'sent'") == 10


def test_nothing_is_claimed_with_too_little_time_left(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws, 2)
    with pytest.raises(TimeoutError):
        deliver(1, 2, seconds=19.9)
    assert providers.requests == []
    assert state(database) == ("queued", None, 0)
    deliver(1, 2, seconds=20.1)
    assert state(database) == ("sent", None, 1)


def test_a_claim_outlives_its_invocation(database: Database, aws: Aws, providers: ProviderSimulator) -> None:
    accept(aws)
    providers.behave(Behaviour(close="after"))
    lease = "SELECT expires_at - clock_timestamp() FROM leases"
    leases: list[Any] = []

    class SeesLease(json_gateway.Sms):
        def send(self, message: OutboundMessage) -> ProviderResult:
            leases.append(database.value(lease))
            return super().send(message)

    with pytest.MonkeyPatch.context() as patch:
        patch.setitem(registry.REGISTRY, "sms", SeesLease)
        deliver(1, seconds=30)
    assert 30 < leases[0].total_seconds() <= 45


def test_messages_that_are_not_queued_are_ignored(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")
    call("POST", "/api/webhooks/sms", INBOUND_SMS)
    accept(aws)
    deliver(1, 2, 2, 999, 2**63 - 1)
    deliver()
    assert [request.body["reference"] for request in providers.requests] == ["2"]
    assert state(database) == ("received", None, 0)


def test_retries_are_dispatched_with_a_delay(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    ids = accept(aws, 3)
    providers.behave(Behaviour(status=503, retry_after=60))
    deliver(*ids)
    assert aws.receive_queued() == []
    assert aws.count_delayed() == 3
