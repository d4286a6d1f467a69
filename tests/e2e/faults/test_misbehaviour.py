"""What becomes of a message for everything that its provider may do with it: where the provider cannot be
asked, where it can, and where a message is rather sent twice than not at all."""

import json
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from datetime import datetime
from typing import Any, NamedTuple

import pytest

from local import RecordedRequest, Stack, running
from local.services import ports
from local.simulators.provider import ProviderSimulator
from tests.support.faults import result_tables
from tests.support.faults.final_states import wait_until_all_is_done
from tests.support.faults.provider_outcomes import ATTEMPTS, FATES, REFUSED, SENT, SILENT, UNREAD, Fate
from tests.support.http_client import post
from tests.support.outbound import attempts, message

ASKED, UNASKED, AGAIN = "it is asked", "at most once", "at least once"
WAYS = (ASKED, UNASKED, AGAIN)
PATIENCE = 300  # seconds: 120 messages go their ways at once, on a slow machine too
CONTACT = "+18045551234"


class Cell(NamedTuple):
    """Of the table: a message with a sender, an instance of the provider and a conversation of its own."""

    fate: Fate
    way: str
    place: int

    @property
    def instance(self) -> str:
        return f"sms-{self.place}"

    @property
    def sender(self) -> str:
        return f"+1201666{self.place:04}"

    @property
    def ends(self) -> list[tuple[int, str, str | None]]:
        """How each attempt ends, with its number: one that was found out about ends once more."""
        ends = [(number, *end) for number, end in enumerate(self.fate.ends, 1)]
        if self.fate.unknown and self.way == ASKED and self.fate.taken:
            ends.append((len(ends), *SENT))
        elif self.fate.unknown and self.way != UNASKED:
            ends.append((len(ends) + 1, *SENT))
        return ends


CELLS = [
    Cell(fate, way, place) for place, (fate, way) in enumerate((fate, way) for fate in FATES for way in WAYS)
]


class Told(NamedTuple):
    """What there is to know of a message in the end."""

    message: dict[str, Any]
    calls: Sequence[RecordedRequest]
    """That the provider has read."""


@pytest.fixture(scope="module")
def told() -> Iterator[dict[Cell, Told]]:
    """All of them go their ways at once: some take as long as anybody waits."""
    doors = {cell: ports.choose("127.0.0.1", 0, "") for cell in CELLS if cell.fate.told is None}
    parameters = {
        "Providers": ",".join(f"{cell.instance}=sms" for cell in CELLS),
        "SenderProviders": json.dumps({cell.sender: [cell.instance] for cell in CELLS}),
        "MaxAttempts": str(ATTEMPTS),
        "UnknownAfter": "2",
    }
    urls = {cell.instance: f"http://127.0.0.1:{port}/{cell.instance}" for cell, port in doors.items()}
    unasked = [cell.instance for cell in CELLS if cell.way != ASKED]
    with (
        running(
            relay_every=0.5,
            concurrency=12,
            parameters=parameters,
            without_status_lookup=unasked,
            provider_urls=urls,
        ) as stack,
        ExitStack() as undo,
    ):
        apart: dict[Cell, ProviderSimulator] = {}
        for cell, port in doors.items():
            if cell.fate is UNREAD:
                apart[cell] = provider = other(stack, cell.instance, port)
                undo.callback(provider.stop)
                provider.behave(SILENT)
                provider.close_next_connections(1)
        for cell in CELLS:
            if cell.fate.told is not None:
                stack.provider.behave(cell.fate.told, SILENT, at=cell.instance)
        ids = {cell: accepted(stack, cell) for cell in CELLS}
        wait_until_all_is_done(stack, PATIENCE)
        found = {
            cell: Told(
                message(stack, id),
                [one for one in apart.get(cell, stack.provider).requests if one.path == f"/{cell.instance}"],
            )
            for cell, id in ids.items()
        }
        columns = ["the provider", *(name for way in WAYS for name in (way, "calls"))]
        result_tables.tell("What becomes of a message", [columns, *(row(fate, found) for fate in FATES)])
        yield found


def other(stack: Stack, instance: str, port: int) -> ProviderSimulator:
    """A provider with a port of its own, to which something can be done that is done to a connection."""
    secret = (stack.folder / "signing-secret").read_text()
    provider = ProviderSimulator(port, stack.url, secret, instances={instance: "sms"})
    provider.start()
    return provider


def accepted(stack: Stack, cell: Cell) -> int:
    fields = {"from": cell.sender, "to": CONTACT, "body": cell.way}
    policy = {"delivery_policy": "at_least_once"} if cell.way == AGAIN else {}
    answer = post(f"{stack.url}/api/messages/sms", fields | policy)
    assert answer.status == 202, answer
    return int(answer.body["id"])


def row(fate: Fate, found: dict[Cell, Told]) -> list[object]:
    cells: list[object] = [fate.name]
    for cell in CELLS:
        if cell.fate is fate:
            error = found[cell].message["error"] or {"code": ""}
            cells += [f"{found[cell].message['status']} {error['code']}".strip(), len(found[cell].calls)]
    return cells


@pytest.mark.parametrize("cell", CELLS, ids=lambda cell: f"{cell.fate.name} - {cell.way}")
def test_each_fate_of_a_request_has_its_end(told: dict[Cell, Told], cell: Cell) -> None:
    found, calls = told[cell]
    ends = cell.ends
    assert attempts(found) == ends
    tried = ends[-1][0]
    unread = 1 if cell.fate is UNREAD else tried if cell.fate is REFUSED else 0
    assert len(calls) == tried - unread
    _, status, code = ends[-1]
    assert found["status"] == status
    if code is None:
        assert found["error"] is None
        assert found["provider_message_id"] == calls[-1].id
    else:
        assert found["error"]["code"] == code
        assert found["error"]["reason"]


@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if cell.fate.unknown], ids=lambda cell: f"{cell.fate.name} - {cell.way}"
)
def test_what_ends_an_unknown_outcome_is_told(told: dict[Cell, Told], cell: Cell) -> None:
    settled = [
        (one["status"], one["code"]) for one in told[cell].message["events"] if one["kind"] == "resolved"
    ]
    if cell.way == UNASKED:
        assert settled == [("unknown", "no_evidence")]
    elif cell.way == AGAIN:
        assert settled == [("queued", "no_evidence")]
    else:
        assert settled == ([] if cell.fate.taken else [("queued", "not_found")])


@pytest.mark.parametrize(
    "cell", [cell for cell in CELLS if cell.fate.wait], ids=lambda cell: f"{cell.fate.name} - {cell.way}"
)
def test_a_provider_that_asks_for_time_is_given_it(told: dict[Cell, Told], cell: Cell) -> None:
    first, second = (datetime.fromisoformat(call.time) for call in told[cell].calls)
    assert (second - first).total_seconds() >= cell.fate.wait
