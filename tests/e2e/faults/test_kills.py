"""Deliveries are killed in the middle of every step, and others continue: no message is lost, and only those
with the policy at_least_once are sent twice."""

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
from tests.support.faults.unknown_outcomes import resolve_after_two_seconds
from tests.support.outbound import message
from tests.support.waiting import eventually

KILLS = 20 if LONG else 1
"""Kills at each step in each setting."""
CASES = [(step, world) for step in STEPS for world in worlds(step.story)]


class End(NamedTuple):
    status: str
    accepted_count: int
    """How often the provider accepted the message."""


class Results(NamedTuple):
    calls: Mapping[Story, Mapping[str, Sequence[str]]]
    """The calls of complete deliveries, by story and wire."""
    ends: Mapping[tuple[Step, World], Sequence[End]]
    bystanders: Sequence[End]
    unknown: Sequence[Mapping[str, Any]]
    """Messages of unknown outcome, as the API shows them."""


@pytest.fixture(scope="module")
def results() -> Iterator[Results]:
    with (
        running(**OPTIONS) as stack,
        closing(Database(stack.database_url)) as database,
        closing(Killing(stack, database)) as killing,
    ):
        resolve_after_two_seconds(stack)
        calls = {story: killing.calls(story, worlds(story)[0]) for story in Story}
        for _ in range(KILLS):
            for step, world in CASES:
                killing.at(step, world)
        killing.queue.give_back()
        _heal(stack, database)
        yield _results(stack, killing, calls)


def _heal(stack: Stack, database: Database) -> None:
    """Run deliveries and the relay until every message is finished."""
    if not LONG:  # the leases of killed deliveries take half a minute to expire
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
    if not LONG:  # the relay finds lost dispatches after a minute
        soon = "now() + interval '5 s'"
        free = f"SELECT message_id FROM outbound_queue WHERE dispatch_at > {soon} FOR UPDATE SKIP LOCKED"
        database.rows(f"UPDATE outbound_queue SET dispatch_at = {soon} WHERE message_id IN ({free})")
    stack.invoke("Relay", {})
    return database.value(UNFINISHED) == 0


def _results(stack: Stack, killing: Killing, calls: Mapping[Story, Mapping[str, Sequence[str]]]) -> Results:
    accepted_counts = Counter(
        call.body["reference"] for call in stack.provider.requests if call.id is not None
    )
    ids = [*(victim.id for victim in killing.killed), *killing.bystanders]
    messages = {id: message(stack, id) for id in ids}
    final = {id: End(messages[id]["status"], accepted_counts[str(id)]) for id in ids}
    ends: dict[tuple[Step, World], list[End]] = {}
    for victim in killing.killed:
        ends.setdefault((victim.step, victim.world), []).append(final[victim.id])
    rows: list[Sequence[object]] = [("step", "policy", "kills", "sent", "unknown", "twice")]
    for (step, world), ended in sorted(ends.items(), key=lambda item: CASES.index(item[0])):
        statuses = Counter(end.status for end in ended)
        twice = sum(end.accepted_count > 1 for end in ended)
        rows.append((step.name, world, len(ended), statuses["sent"], statuses["unknown"], twice))
    result_tables.add("Deliveries that were killed", rows)
    return Results(
        calls,
        ends,
        [final[id] for id in killing.bystanders],
        [message for message in messages.values() if message["status"] == "unknown"],
    )


@pytest.mark.parametrize(("step", "world"), CASES, ids=lambda value: getattr(value, "name", value))
def test_a_message_whose_delivery_was_killed_is_sent_or_unknown(
    results: Results, step: Step, world: World
) -> None:
    ends = results.ends[step, world]
    assert len(ends) >= KILLS
    assert set(ends) == {End(*ENDS[step.evidence][world])}


def test_other_messages_of_the_batch_and_the_conversation_are_sent_once(results: Results) -> None:
    assert set(results.bystanders) == {End("sent", 1)}


def test_an_unknown_outcome_is_visible_in_the_api(results: Results) -> None:
    assert results.unknown
    for unknown in results.unknown:
        assert unknown["error"]["code"] == "lease_expired"
        assert [(event["kind"], event["status"]) for event in unknown["events"]] == [
            ("attempt", "unknown"),
            ("resolved", "unknown"),
        ]


def test_every_call_of_a_delivery_is_a_step(results: Results) -> None:
    """From the claim on, a delivery was killed at every call that it makes."""
    calls_made: set[tuple[str, str]] = set()
    for calls in results.calls.values():
        statements = calls["postgres"][calls["postgres"].index("claim_messages") :]
        calls_made |= {
            (wire, call) for wire, names in {**calls, "postgres": statements}.items() for call in names
        }
    for side in (Side.REQUEST, Side.ANSWER):
        assert {(step.wire, step.call) for step in STEPS if step.side is side} == calls_made
    assert {step.wire for step in STEPS if step.side is Side.CONNECTION} == {wire for wire, _ in calls_made}
