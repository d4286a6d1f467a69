"""Metrics of delivery and the relay, which alarms and operators use: each has its cause."""

from typing import Literal

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging.telemetry import metrics
from tests.support.api import deliver, invoke
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.delivery import accept, let_pass
from tests.support.log_lines import Printed
from tests.template.test_events import event

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.slow]

CAUSES = {"Sent", "Failed", "Misconfigured", "OptedOut", "CircuitOpened", "OpenCircuits", "Resent", "Unknown"}


@pytest.fixture(autouse=True)
def _clear_metrics() -> None:
    """A test that delivers without the function does not flush what it counted."""
    metrics.clear_metrics()


def counted(printed: Printed) -> dict[str, list[float]]:
    return {name: values for name, values in printed.metrics.items() if name in CAUSES}


def open_circuit(aws: Aws, provider: ProviderSimulator) -> None:
    provider.behave(Behaviour(status=503))
    deliver(*accept(aws, 10))


@pytest.mark.parametrize(
    ("behaviour", "expected"),
    [
        (Behaviour(), {"Sent": [1]}),
        (Behaviour(status=400), {"Failed": [1]}),
        (Behaviour(status=401), {"Misconfigured": [1]}),
        (Behaviour(status=403), {"Misconfigured": [1]}),
        (Behaviour(status=400, body={"error": {"code": "opted_out"}}), {"Failed": [1], "OptedOut": [1]}),
        (Behaviour(status=503), {}),
        (Behaviour(status=429), {}),
        (Behaviour(close="after"), {}),
    ],
)
def test_an_attempt_is_counted_by_its_outcome(
    database: Database,
    aws: Aws,
    providers: ProviderSimulator,
    printed: Printed,
    behaviour: Behaviour,
    expected: dict[str, list[float]],
) -> None:
    accept(aws)
    providers.behave(behaviour)
    deliver(1)
    assert counted(printed) == expected


def test_an_expired_message_is_counted_and_logged(database: Database, aws: Aws, printed: Printed) -> None:
    accept(aws)
    let_pass(database, 86400)
    deliver(1)
    assert counted(printed) == {"Failed": [1]}
    assert [line["message_id"] for line in printed.logs if line["message"] == "Message expired"] == [1]


@pytest.mark.parametrize(("policy", "name"), [("at_most_once", "Unknown"), ("at_least_once", "Resent")])
def test_an_unknown_outcome_is_counted_when_it_is_resolved(
    database: Database, aws: Aws, providers: ProviderSimulator, printed: Printed, policy: str, name: str
) -> None:
    accept(aws, delivery_policy=policy)
    providers.behave(Behaviour(close="after"))
    deliver(1)
    let_pass(database, 60)
    deliver(1)
    assert counted(printed) == {}
    let_pass(database, 600)
    deliver(1)
    assert counted(printed) == {name: [1]}


@pytest.mark.parametrize(
    ("close", "wait_seconds", "metric"),
    [("before", 60, "Resent"), ("after", 15, "Sent")],
    ids=["the provider does not have it", "the provider has it"],
)
def test_the_result_of_a_status_lookup_is_counted(
    database: Database,
    aws: Aws,
    askable: ProviderSimulator,
    printed: Printed,
    close: Literal["before", "after"],
    wait_seconds: int,
    metric: str,
) -> None:
    accept(aws)
    askable.behave(Behaviour(close=close))
    deliver(1)
    let_pass(database, wait_seconds)
    deliver(1)
    assert counted(printed) == {metric: [1]}


def test_a_circuit_is_counted_when_it_opens_and_in_each_round_while_it_is_open(
    database: Database, aws: Aws, providers: ProviderSimulator, printed: Printed
) -> None:
    open_circuit(aws, providers)
    for _ in range(2):
        invoke("relay", event("relay"))
    assert counted(printed) == {"CircuitOpened": [1], "OpenCircuits": [1, 1]}
    let_pass(database, 31)
    invoke("relay", event("relay"))
    assert counted(printed) == {"CircuitOpened": [1], "OpenCircuits": [1, 1]}, (
        "a half-open circuit is not counted"
    )


def test_the_log_names_the_provider_whose_circuit_opened(
    database: Database, aws: Aws, providers: ProviderSimulator, printed: Printed
) -> None:
    open_circuit(aws, providers)
    [line] = [line for line in printed.logs if line["level"] == "ERROR"]
    assert line["provider"] == "sms"
