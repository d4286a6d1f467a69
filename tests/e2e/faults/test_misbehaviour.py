"""The outcome of a message for everything that a provider may do with its request: with status lookup,
without it, and with the policy at_least_once."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from itertools import product
from typing import Any, NamedTuple

import pytest

from local import RecordedRequest, Stack, running
from local.services import ports
from local.simulators.provider import ProviderSimulator
from tests.support.faults import result_tables
from tests.support.faults.final_states import wait_until_all_is_done
from tests.support.faults.provider_outcomes import (
    ATTEMPTS,
    REFUSED,
    SCENARIOS,
    SENT,
    SILENT,
    UNREAD,
    Scenario,
)
from tests.support.faults.unknown_outcomes import UNKNOWN_AFTER, resolve_after_two_seconds
from tests.support.http_client import post
from tests.support.outbound import attempts, message

WITH_LOOKUP, AT_MOST_ONCE, AT_LEAST_ONCE = "with status lookup", "at most once", "at least once"
MODES = (WITH_LOOKUP, AT_MOST_ONCE, AT_LEAST_ONCE)
TIMEOUT = 300  # seconds for all messages, on a slow machine too
CONTACT = "+18045551234"


class Cell(NamedTuple):
    """A cell of the table: a message with its own sender, provider instance and conversation."""

    scenario: Scenario
    mode: str
    position: int

    @property
    def instance(self) -> str:
        return f"sms-{self.position}"

    @property
    def sender(self) -> str:
        return f"+1201666{self.position:04}"

    @property
    def ends(self) -> list[tuple[int, str, str | None]]:
        """The number, status and code of each attempt. An attempt that a lookup resolved ends twice."""
        ends = [(number, *end) for number, end in enumerate(self.scenario.ends, 1)]
        if self.scenario.unknown and self.mode == WITH_LOOKUP and self.scenario.accepted:
            ends.append((len(ends), *SENT))
        elif self.scenario.unknown and self.mode != AT_MOST_ONCE:
            ends.append((len(ends) + 1, *SENT))
        return ends


CELLS = [
    Cell(scenario, mode, position) for position, (scenario, mode) in enumerate(product(SCENARIOS, MODES))
]


class Result(NamedTuple):
    """A message at the end, and the calls to its provider."""

    message: dict[str, Any]
    calls: Sequence[RecordedRequest]
    """The requests that the provider has read."""


@pytest.fixture(scope="module")
def results() -> Iterator[dict[Cell, Result]]:
    """Sends the messages of all cells at once, because some take as long as the timeouts."""
    connection_ports = {
        cell: ports.choose("127.0.0.1", 0, "") for cell in CELLS if cell.scenario.behaviour is None
    }
    parameters = {
        "Providers": ",".join(f"{cell.instance}=sms" for cell in CELLS),
        "SenderProviders": json.dumps({cell.sender: [cell.instance] for cell in CELLS}),
        "MaxAttempts": str(ATTEMPTS),
        **UNKNOWN_AFTER,
    }
    urls = {
        cell.instance: f"http://127.0.0.1:{port}/{cell.instance}" for cell, port in connection_ports.items()
    }
    without_lookup = [cell.instance for cell in CELLS if cell.mode != WITH_LOOKUP]
    with (
        running(
            relay_every=0.5,
            concurrency=12,
            parameters=parameters,
            without_status_lookup=without_lookup,
            provider_urls=urls,
        ) as stack,
        ExitStack() as undo,
    ):
        resolve_after_two_seconds(stack)
        separate: dict[Cell, ProviderSimulator] = {}
        for cell, port in connection_ports.items():
            if cell.scenario is UNREAD:
                separate[cell] = provider = start_simulator(stack, cell.instance, port)
                undo.callback(provider.stop)
                provider.behave(SILENT)
                provider.close_next_connections(1)
        for cell in CELLS:
            if cell.scenario.behaviour is not None:
                stack.provider.behave(cell.scenario.behaviour, SILENT, at=cell.instance)
        ids = {cell: accept(stack, cell) for cell in CELLS}
        wait_until_all_is_done(stack, TIMEOUT)
        results_by_cell = {
            cell: Result(
                message(stack, id),
                [
                    call
                    for call in separate.get(cell, stack.provider).requests
                    if call.path == f"/{cell.instance}"
                ],
            )
            for cell, id in ids.items()
        }
        columns = ["the provider", *(name for mode in MODES for name in (mode, "calls"))]
        result_tables.add(
            "The outcome of a message", [columns, *(row(scenario, results_by_cell) for scenario in SCENARIOS)]
        )
        yield results_by_cell


def start_simulator(stack: Stack, instance: str, port: int) -> ProviderSimulator:
    """Start a simulator with a port of its own, so that it can close its connections."""
    secret = (stack.folder / "signing-secret").read_text()
    provider = ProviderSimulator(port, stack.url, secret, instances={instance: "sms"})
    provider.start()
    return provider


def accept(stack: Stack, cell: Cell) -> int:
    fields = {"from": cell.sender, "to": CONTACT, "body": cell.mode}
    policy = {"delivery_policy": "at_least_once"} if cell.mode == AT_LEAST_ONCE else {}
    answer = post(f"{stack.url}/api/messages/sms", fields | policy)
    assert answer.status == 202, answer
    return int(answer.body["id"])


def row(scenario: Scenario, results: dict[Cell, Result]) -> list[object]:
    cells: list[object] = [scenario.name]
    for cell in CELLS:
        if cell.scenario is scenario:
            error = results[cell].message["error"] or {"code": ""}
            cells += [f"{results[cell].message['status']} {error['code']}".strip(), len(results[cell].calls)]
    return cells


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.scenario.name} - {cell.mode}")
def test_each_behaviour_of_a_provider_leads_to_its_outcome(results: dict[Cell, Result], cell: Cell) -> None:
    message_at_end, calls = results[cell]
    ends = cell.ends
    assert attempts(message_at_end) == ends
    attempt_count = ends[-1][0]
    not_received = {UNREAD: 1, REFUSED: attempt_count}.get(cell.scenario, 0)
    assert len(calls) == attempt_count - not_received
    _, status, code = ends[-1]
    assert message_at_end["status"] == status
    if code is None:
        assert message_at_end["error"] is None
        assert message_at_end["provider_message_id"] == calls[-1].id
    else:
        assert message_at_end["error"]["code"] == code
        assert message_at_end["error"]["reason"]


@pytest.mark.parametrize(
    "cell",
    [cell for cell in CELLS if cell.scenario.unknown],
    ids=lambda cell: f"{cell.scenario.name} - {cell.mode}",
)
def test_the_events_show_how_an_unknown_outcome_was_resolved(results: dict[Cell, Result], cell: Cell) -> None:
    resolved = [
        (event["status"], event["code"])
        for event in results[cell].message["events"]
        if event["kind"] == "resolved"
    ]
    if cell.mode == AT_MOST_ONCE:
        assert resolved == [("unknown", "no_evidence")]
    elif cell.mode == AT_LEAST_ONCE:
        assert resolved == [("queued", "no_evidence")]
    else:
        assert resolved == ([] if cell.scenario.accepted else [("queued", "not_found")])


@pytest.mark.parametrize(
    "cell",
    [cell for cell in CELLS if cell.scenario.wait],
    ids=lambda cell: f"{cell.scenario.name} - {cell.mode}",
)
def test_retry_after_is_respected(results: dict[Cell, Result], cell: Cell) -> None:
    first, second = (datetime.fromisoformat(call.time) for call in results[cell].calls)
    assert (second - first).total_seconds() >= cell.scenario.wait
