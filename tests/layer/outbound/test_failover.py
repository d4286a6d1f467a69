"""Failover: the order in which providers are tried, and after which failures no other one is."""

from collections.abc import Iterator

import pytest

from local import Behaviour
from local.services import ports
from local.simulators.provider import ProviderSimulator
from messaging import providers as registry
from tests.support.api import message
from tests.support.aws import Aws
from tests.support.configuration import SIGNING_SECRET, Configure
from tests.support.database import Database
from tests.support.delivery import accept, deliver, events, let_pass, relayed, state, wait
from tests.support.providers.example_provider import ExampleProvider

pytestmark = pytest.mark.slow

NAMES = ("first", "second", "third")
NEXT_ATTEMPT = """
    SELECT provider, next_attempt_at <= clock_timestamp()
      FROM messages JOIN outbound_queue ON message_id = id WHERE id = :id"""
OPEN_CIRCUIT = """
INSERT INTO circuits (provider, changed_at, open_until, openings)
VALUES (:name, clock_timestamp(), clock_timestamp() + :seconds * interval '1 second', 1)
"""


@pytest.fixture
def simulator(aws: Aws, configure: Configure) -> Iterator[ProviderSimulator]:
    """Three instances of the JSON gateway. An SMS goes to the first unless it fails."""
    provider = ProviderSimulator(
        ports.choose("127.0.0.1", 0, ""),
        gateway="http://127.0.0.1:9",
        secret=SIGNING_SECRET,
        instances=dict.fromkeys(NAMES, "sms"),
    )
    provider.start()
    secret = {name: {"url": f"{provider.url}/{name}", "signing_secret": SIGNING_SECRET} for name in NAMES}
    configure(
        PROVIDERS=",".join(f"{name}=sms" for name in NAMES), PROVIDER_SECRET_ARN=aws.create_secret(secret)
    )
    yield provider
    provider.stop()


def called_instances(provider: ProviderSimulator) -> list[str]:
    return [request.path.strip("/") for request in provider.requests]


def open_circuit(database: Database, name: str, seconds: int = 30) -> None:
    database.rows(OPEN_CIRCUIT, name=name, seconds=seconds)


@pytest.mark.parametrize("status", [401, 403, 408, 425, 429, 503])
def test_the_next_provider_is_tried_at_once_if_the_first_did_not_take_it(
    database: Database, aws: Aws, simulator: ProviderSimulator, status: int
) -> None:
    accept(aws)
    simulator.behave(Behaviour(status=status, retry_after=3600), at="first")
    deliver(1)
    assert state(database) == ("queued", str(status), 1)
    assert database.rows(NEXT_ATTEMPT, id=1) == [["second", True]]
    assert [dispatch["Body"] for dispatch in aws.receive_queued()] == ["1"]
    deliver(1)
    assert called_instances(simulator) == ["first", "second"]
    sent = message(1)
    assert (sent["status"], sent["provider"], sent["error"]) == ("sent", "second", None)
    assert sent["provider_message_id"] == simulator.requests[1].id
    assert [event["provider"] for event in sent["events"]] == ["first", "second"]


def test_the_next_provider_is_tried_if_the_others_cannot_be_reached_or_used(
    database: Database, aws: Aws, simulator: ProviderSimulator, configure: Configure
) -> None:
    fields = {"url": f"{simulator.url}/third", "signing_secret": SIGNING_SECRET}
    closed = f"http://127.0.0.1:{ports.choose('127.0.0.1', 0, '')}/"
    configure(
        PROVIDER_SECRET_ARN=aws.create_secret({"first": {"url": closed}, "second": {}, "third": fields})
    )
    accept(aws)
    for _ in range(3):
        deliver(1)
    assert called_instances(simulator) == ["third"]
    assert [code for *_, code in events(database)] == ["not_connected", "not_configured", None]


@pytest.mark.parametrize(
    ("behaviour", "status"),
    [
        *((Behaviour(status=status), "failed") for status in (400, 410, 422)),
        (Behaviour(status=400, body={"error": {"code": "opted_out"}}), "failed"),
        (Behaviour(close="before"), "unknown"),
        (Behaviour(close="after"), "unknown"),
        (Behaviour(body="<html>"), "unknown"),
    ],
)
def test_no_other_provider_is_tried_after_a_refusal_or_an_unknown_outcome(
    database: Database, aws: Aws, simulator: ProviderSimulator, behaviour: Behaviour, status: str
) -> None:
    accept(aws)
    simulator.behave(behaviour, at="first")
    deliver(1)
    let_pass(database, 300)
    deliver(1)
    assert called_instances(simulator) == ["first"]
    assert (state(database)[0], message(1)["provider"]) == (status, "first")


def test_after_the_last_provider_the_first_is_tried_again_later(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    accept(aws)
    simulator.behave(Behaviour(status=503), at="first")
    simulator.behave(Behaviour(status=503), at="second")
    simulator.behave(Behaviour(status=503, retry_after=100), at="third")
    for _ in range(4):
        deliver(1)
    assert called_instances(simulator) == [*NAMES]
    assert database.rows(NEXT_ATTEMPT, id=1) == [["first", False]]
    assert wait(database) == pytest.approx(100, abs=1)
    assert aws.count_delayed() == 1
    let_pass(database, 100)
    deliver(1)
    assert called_instances(simulator) == [*NAMES, "first"]
    assert database.rows(NEXT_ATTEMPT, id=1) == [["second", True]]


@pytest.mark.parametrize("status", [500, 502, 504, 520])
def test_no_other_provider_is_tried_if_the_first_may_have_it(
    database: Database, aws: Aws, simulator: ProviderSimulator, status: int
) -> None:
    accept(aws)
    simulator.behave(Behaviour(status=status, accepts=True, reports=()), at="first")
    deliver(1)
    assert state(database) == ("unknown", str(status), 1)
    assert message(1)["provider"] == "first"
    assert called_instances(simulator) == ["first"]


def test_each_provider_s_attempt_counts_and_the_last_failure_is_shown(
    database: Database, aws: Aws, simulator: ProviderSimulator, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="2")
    accept(aws)
    simulator.behave(Behaviour(status=503), at="first")
    simulator.behave(Behaviour(status=503), at="second")
    for _ in range(3):
        deliver(1)
    assert called_instances(simulator) == ["first", "second"]
    assert (state(database), message(1)["provider"]) == (("failed", "503", 2), "second")


def test_a_provider_with_an_open_circuit_is_skipped(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    open_circuit(database, "first")
    accept(aws)
    deliver(1)
    assert called_instances(simulator) == ["second"]
    assert (message(1)["status"], message(1)["provider"]) == ("sent", "second")


def test_a_second_provider_with_an_open_circuit_is_skipped_too(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    open_circuit(database, "second")
    accept(aws)
    simulator.behave(Behaviour(status=503), at="first")
    deliver(1)
    deliver(1)
    assert called_instances(simulator) == ["first", "third"]


def test_with_all_other_circuits_open_it_waits_as_long_as_the_first_asks(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    open_circuit(database, "second")
    open_circuit(database, "third")
    accept(aws)
    simulator.behave(Behaviour(status=503, retry_after=100), at="first")
    deliver(1)
    assert database.rows(NEXT_ATTEMPT, id=1) == [["first", False]]
    assert wait(database) == pytest.approx(100, abs=1)


def test_a_half_open_provider_gets_one_message_as_a_trial(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    open_circuit(database, "first", 0)
    ids = accept(aws, 3)
    deliver(*ids)
    assert sorted(called_instances(simulator)) == ["first", "second", "second"]
    deliver(*accept(aws, 2))
    assert called_instances(simulator)[3:] == ["first", "first"]


def test_with_all_circuits_open_it_waits_for_the_first_to_be_half_open(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    for name, seconds in zip(NAMES, (90, 60, 120), strict=True):
        open_circuit(database, name, seconds)
    accept(aws)
    deliver(1)
    assert (called_instances(simulator), state(database)) == ([], ("queued", None, 0))
    let_pass(database, 58)
    assert relayed(aws) == []
    let_pass(database, 3)
    assert relayed(aws) == [1]
    deliver(1)
    assert called_instances(simulator) == ["second"]


def test_a_throttled_provider_s_wait_still_counts_on_its_next_turn(
    database: Database, aws: Aws, simulator: ProviderSimulator
) -> None:
    accept(aws)
    simulator.behave(Behaviour(status=429, retry_after=600), at="first")
    simulator.behave(Behaviour(status=503), at="second")
    simulator.behave(Behaviour(status=503), at="third")
    for _ in range(4):
        deliver(1)
    assert called_instances(simulator) == ["first", "second", "third"]
    assert wait(database) == pytest.approx(600, abs=3)


def test_a_provider_that_cannot_send_the_message_is_not_on_its_list(
    database: Database,
    aws: Aws,
    simulator: ProviderSimulator,
    configure: Configure,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setitem(registry.REGISTRY, "example", ExampleProvider)
    configure(PROVIDERS="first=sms,example,third=sms")
    accept(aws, body="short")
    accept(aws, body="x" * 161)
    accept(aws, type="mms", attachments=["https://example.com/i.jpg"])
    lists = database.rows("SELECT providers FROM messages ORDER BY id")
    assert lists == [[["first", "example", "third"]], [["first", "third"]], [["first", "third"]]]
    simulator.behave(Behaviour(status=503), at="first")
    deliver(2)
    deliver(2)
    assert called_instances(simulator) == ["first", "third"]


def test_a_sender_with_its_own_list_uses_no_other_provider(
    database: Database, aws: Aws, simulator: ProviderSimulator, configure: Configure
) -> None:
    configure(SENDER_PROVIDERS='{"+12016661234": ["second", "first"]}')
    accept(aws)
    simulator.behave(Behaviour(status=503, retry_after=60))  # else a backoff near 0 makes a third call
    for _ in range(3):
        deliver(1)
    assert called_instances(simulator) == ["second", "first"]
    assert database.rows(NEXT_ATTEMPT, id=1) == [["second", False]]
