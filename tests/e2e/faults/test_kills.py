"""Deliveries are killed, each in the middle of a step, and then healthy ones go on: nothing is lost, and
nothing is sent twice but where that was asked for."""

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import closing
from typing import Any, NamedTuple

import pytest

from local import Stack, running
from tests.e2e.faults import LONG
from tests.support.database import Database
from tests.support.faults import result_tables
from tests.support.faults.delivery_steps import ENDS, STEPS, Step, Story, World, worlds
from tests.support.faults.final_states import UNFINISHED
from tests.support.faults.kills import OPTIONS, Killing
from tests.support.faults.proxies import Side
from tests.support.outbound import message
from tests.support.waiting import eventually

KILLS = 20 if LONG else 1
"""At each step, in each world."""
CASES = [(step, world) for step in STEPS for world in worlds(step.story)]


class End(NamedTuple):
    status: str
    taken: int
    """How often the provider's record has it."""


class Results(NamedTuple):
    calls: Mapping[Story, Mapping[str, Sequence[str]]]
    """What whole deliveries have to do with others."""
    ends: Mapping[tuple[Step, World], Sequence[End]]
    bystanders: Sequence[End]
    unknown: Sequence[Mapping[str, Any]]
    """As the API shows them."""


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    with (
        running(**OPTIONS) as stack,
        closing(Database(stack.database_url)) as database,
        closing(Killing(stack, database)) as killing,
    ):
        calls = {story: killing.calls(story, worlds(story)[0]) for story in Story}
        for _ in range(KILLS):
            for step, world in CASES:
                killing.at(step, world)
        killing.queue.give_back()
        _heal(stack, database)
        yield _results(stack, killing, calls)


def _heal(stack: Stack, database: Database) -> None:
    """Deliveries that nobody kills, and the relay, until there is nothing left to do."""
    if not LONG:  # those of the dead: they take half a minute
        database.rows("UPDATE leases SET expires_at = now()")
    pollers = list(stack.pollers(4))
    for poller in pollers:
        poller.start()
    try:
        eventually(lambda: _is_done(stack, database), 600 if LONG else 120)
    finally:
        for poller in pollers:
            poller.stop()


def _is_done(stack: Stack, database: Database) -> bool:
    if not LONG:  # lost dispatches take a minute
        soon = "now() + interval '5 s'"
        free = f"SELECT message_id FROM outbound_queue WHERE dispatch_at > {soon} FOR UPDATE SKIP LOCKED"
        database.rows(f"UPDATE outbound_queue SET dispatch_at = {soon} WHERE message_id IN ({free})")
    stack.invoke("Relay", {})
    return database.value(UNFINISHED) == 0


def _results(stack: Stack, killing: Killing, calls: Mapping[Story, Mapping[str, Sequence[str]]]) -> Results:
    taken = Counter(one.body["reference"] for one in stack.provider.requests if one.id is not None)
    ids = [*(one.id for one in killing.killed), *killing.bystanders]
    messages = {id: message(stack, id) for id in ids}
    found = {id: End(messages[id]["status"], taken[str(id)]) for id in ids}
    ends: dict[tuple[Step, World], list[End]] = {}
    for one in killing.killed:
        ends.setdefault((one.step, one.world), []).append(found[one.id])
    rows: list[Sequence[object]] = [("step", "policy", "kills", "sent", "unknown", "twice")]
    for (step, world), all in sorted(ends.items(), key=lambda one: CASES.index(one[0])):
        statuses = Counter(end.status for end in all)
        twice = sum(end.taken > 1 for end in all)
        rows.append((step.name, world, len(all), statuses["sent"], statuses["unknown"], twice))
    result_tables.tell("Deliveries that were killed", rows)
    return Results(
        calls,
        ends,
        [found[id] for id in killing.bystanders],
        [one for one in messages.values() if one["status"] == "unknown"],
    )


@pytest.mark.parametrize(("step", "world"), CASES, ids=lambda one: getattr(one, "name", one))
def test_a_message_whose_delivery_was_killed_is_sent_or_unknown(
    results: Results, step: Step, world: World
) -> None:
    ends = results.ends[step, world]
    assert len(ends) >= KILLS
    assert set(ends) == {End(*ENDS[step.known][world])}


def test_those_who_waited_beside_it_or_behind_it_are_sent_once(results: Results) -> None:
    assert set(results.bystanders) == {End("sent", 1)}


def test_an_unknown_outcome_is_seen(results: Results) -> None:
    assert results.unknown
    for one in results.unknown:
        assert one["error"]["code"] == "lease_expired"
        assert [(event["kind"], event["status"]) for event in one["events"]] == [
            ("attempt", "unknown"),
            ("resolved", "unknown"),
        ]


def test_no_step_is_left_out(results: Results) -> None:
    """From the claim on, a delivery does nothing with others at which none was killed."""
    made: set[tuple[str, str]] = set()
    for calls in results.calls.values():
        statements = calls["postgres"][calls["postgres"].index("claim_messages") :]
        made |= {(wire, call) for wire, names in {**calls, "postgres": statements}.items() for call in names}
    for side in (Side.REQUEST, Side.ANSWER):
        assert {(step.wire, step.call) for step in STEPS if step.side is side} == made
    assert {step.wire for step in STEPS if step.side is Side.CONNECTION} == {wire for wire, _ in made}
