"""Deliveries are killed, each in the middle of a step, and then healthy ones go on: nothing is lost, and
nothing is sent twice but where that was asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import NamedTuple

import pytest

from local import Stack, running
from tests.conftest import Database
from tests.e2e.faults import LONG, tables
from tests.e2e.faults.killing import Killed, Killing, World
from tests.e2e.faults.steps import STEPS, Known, Step, Story
from tests.e2e.faults.wire import Side
from tests.e2e.outbound import attempts, message
from tests.local.waiting import eventually

KILLS = 20 if LONG else 2
"""At each step, in each world."""
WORLDS = [
    World("at most once", "+12016660001", "at_most_once"),
]
PARAMETERS = {
    "Providers": "sms,asked=sms",
    "SenderProviders": '{"+12016660001": ["sms"], "+12016660002": ["asked"]}',
}
ENDS = {
    "at most once": {
        Known.NOTHING: ("sent", 1),
        Known.CLAIM: ("unknown", 0),
        Known.CLAIM_AND_CALL: ("unknown", 1),
        Known.RECORD: ("sent", 1),
    },
    "at least once": {
        Known.NOTHING: ("sent", 1),
        Known.CLAIM: ("sent", 1),
        Known.CLAIM_AND_CALL: ("sent", 2),
        Known.RECORD: ("sent", 1),
    },
    "the provider is asked": {
        Known.NOTHING: ("sent", 1),
        Known.CLAIM: ("sent", 1),
        Known.CLAIM_AND_CALL: ("sent", 1),
        Known.RECORD: ("sent", 1),
    },
}
"""What becomes of a message, and how often the provider has it, by what was known when its delivery died."""


class End(NamedTuple):
    status: str
    taken: int
    """How often the provider's record has it."""


class Results(NamedTuple):
    calls: Mapping[Story, Mapping[str, Sequence[str]]]
    """What whole deliveries have to do with others."""
    ends: Mapping[tuple[World, Step], Sequence[End]]
    unknown: Sequence[Mapping[str, object]]
    """As the API shows them."""


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    with (
        running(relay_every=0, polling=False, parameters=PARAMETERS, unasked=["sms"]) as stack,
        closing(Database(stack.database_url)) as database,
        closing(Killing(stack)) as killing,
    ):
        calls = {story: killing.calls(story, WORLDS[0]) for story in Story}
        killed = [killing.at(step, world) for _ in range(KILLS) for world in WORLDS for step in STEPS]
        killing.give_back()
        _heal(stack, database)
        yield _results(stack, calls, killed)


def _heal(stack: Stack, database: Database) -> None:
    """Deliveries that nobody kills, and the relay, until there is nothing left to do."""
    if not LONG:  # those of the dead: they take half a minute
        database.rows("UPDATE messages SET lease_expires_at = now() WHERE status = 'sending'")
    pollers = list(stack.pollers(4))
    for poller in pollers:
        poller.start()
    try:
        eventually(lambda: _is_done(stack, database), 240)
    finally:
        for poller in pollers:
            poller.stop()


def _is_done(stack: Stack, database: Database) -> bool:
    if not LONG:  # lost nudges take a minute
        soon = "now() + interval '5 s'"
        database.rows(f"UPDATE messages SET next_nudge_at = {soon} WHERE next_nudge_at > {soon}")
    stack.invoke("Relay", {})
    pending = "status IN ('queued', 'sending') OR (status = 'unknown' AND next_nudge_at IS NOT NULL)"
    return database.value(f"SELECT count(*) FROM messages WHERE {pending}") == 0


def _results(
    stack: Stack, calls: Mapping[Story, Mapping[str, Sequence[str]]], killed: Sequence[Killed]
) -> Results:
    taken = Counter(one.body["reference"] for one in stack.provider.requests if one.id is not None)
    messages = {one.id: message(stack, one.id) for one in killed}
    ends: dict[tuple[World, Step], list[End]] = {}
    for one in killed:
        end = End(messages[one.id]["status"], taken[str(one.id)])
        ends.setdefault((one.world, one.step), []).append(end)
    rows: list[Sequence[object]] = [("step", "policy", "kills", "sent", "unknown", "twice")]
    for (world, step), found in ends.items():
        statuses = Counter(end.status for end in found)
        twice = sum(end.taken > 1 for end in found)
        rows.append((step.name, world.name, len(found), statuses["sent"], statuses["unknown"], twice))
    tables.tell("Deliveries that were killed", rows)
    return Results(calls, ends, [one for one in messages.values() if one["status"] == "unknown"])


@pytest.mark.parametrize("world", WORLDS, ids=lambda world: world.name)
@pytest.mark.parametrize("step", STEPS, ids=lambda step: step.name)
def test_a_message_whose_delivery_was_killed_is_sent_or_unknown(
    results: Results, world: World, step: Step
) -> None:
    assert results.ends[world, step] == [ENDS[world.name][step.known]] * KILLS


def test_an_unknown_outcome_is_seen(results: Results) -> None:
    for one in results.unknown:
        assert one["error"] == {
            "code": "lease_expired",
            "reason": "The delivery ended without a record.",
        }
        assert attempts(dict(one)) == [(1, "unknown", "lease_expired")]


def test_no_step_is_left_out(results: Results) -> None:
    """From the claim on, a delivery does nothing with others at which it was not killed."""
    made: set[tuple[str, str]] = set()
    for calls in results.calls.values():
        statements = calls["postgres"][calls["postgres"].index("claim_messages") :]
        made |= {(wire, call) for wire, names in {**calls, "postgres": statements}.items() for call in names}
    for side in (Side.REQUEST, Side.ANSWER):
        assert {(step.wire, step.call) for step in STEPS if step.side is side and step.call} == made
    connected = {step.wire for step in STEPS if step.side is Side.CONNECTION}
    assert connected == {wire for calls in results.calls.values() for wire, names in calls.items() if names}
