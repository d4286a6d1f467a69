"""How a status may change: the edges of can_follow, as documented, and the ranks of reports."""

import re
from itertools import product
from pathlib import Path

import pytest

from messaging.failures import Failure
from messaging.models import Status
from tests.support.database import Database

ROOT = Path(__file__).parents[3]
GUARANTEES = ROOT / "docs" / "guarantees.md"
STEPS = ("claim", "record", "resolve", "expire leases")
Edge = tuple[str, str, str]


@pytest.fixture
def edges(database: Database) -> set[Edge]:
    """From, to, and the step that makes it: all that can_follow allows."""
    can_follow = "SELECT can_follow(:old, :new, :step)"
    return {
        (old, new, step)
        for old, new, step in product(Status, Status, STEPS)
        if database.value(can_follow, old=old, new=new, step=step.replace(" ", "_"))
    }


def documented() -> set[Edge]:
    table = (
        GUARANTEES.read_text(encoding="utf-8").partition("| from | to | made by |")[2].partition("\n\n")[0]
    )
    rows = re.findall(r"^\| (\w+) \| (\w+) \| ([\w, ]+) \|$", table, re.MULTILINE)
    return {(old, new, step) for old, new, steps in rows for step in steps.split(", ")}


def test_the_table_in_the_documentation_is_that_of_the_code(edges: set[Edge]) -> None:
    assert documented() == edges


def test_nothing_is_sent_but_what_is_queued(edges: set[Edge]) -> None:
    assert {(old, step) for old, new, step in edges if new == Status.SENDING} == {(Status.QUEUED, "claim")}


def test_what_is_unknown_is_queued_again_only_when_it_is_resolved(edges: set[Edge]) -> None:
    assert {(old, step) for old, new, step in edges if new == Status.QUEUED} == {
        (Status.SENDING, "record"),
        (Status.UNKNOWN, "resolve"),
    }


def test_nothing_but_a_report_follows_sent_failed_delivered_and_read(edges: set[Edge]) -> None:
    ended = {Status.SENT, Status.FAILED, Status.DELIVERED, Status.READ}
    assert not ended & {old for old, _, _ in edges}


def test_only_reports_set_delivered_and_read_and_only_webhooks_received(edges: set[Edge]) -> None:
    statuses = {status for old, new, _ in edges for status in (old, new)}
    assert set(Status) - statuses == {Status.DELIVERED, Status.READ, Status.RECEIVED}


def test_reports_rank_sent_delivered_failed_read_above_none_and_unknown_words(database: Database) -> None:
    rank = "SELECT report_rank(:status)"
    ranks = [database.value(rank, status=status) for status in (None, "sent", "delivered", "failed", "read")]
    assert ranks == [0, 1, 2, 3, 4]


def test_a_dispatch_is_lost_when_the_relay_has_run_once_more(database: Database) -> None:
    template = (ROOT / "template.yaml").read_text(encoding="utf-8")
    assert database.value("SELECT dispatch_timeout() = '1 minute'")
    assert template.count("ScheduleExpression: rate(1 minute)") == 1


def kinds(failure: type[Failure] = Failure) -> set[str]:
    subclasses = failure.__subclasses__()
    return {subclass.kind for subclass in subclasses}.union(*map(kinds, subclasses))


def test_the_database_knows_the_kinds_of_failures_that_providers_raise(database: Database) -> None:
    constraint = (
        "SELECT pg_get_constraintdef(oid) FROM pg_constraint WHERE conname = 'attempts_failure_check'"
    )
    assert set(re.findall(r"'(\w+)'", str(database.value(constraint)))) == kinds()
    fault = "SELECT is_provider_fault(:kind)"
    faults = {kind: database.value(fault, kind=kind) for kind in kinds()}
    assert {kind for kind, is_fault in faults.items() if is_fault} == {
        "temporary",
        "misconfigured",
        "unknown",
    }
    assert {kind for kind, is_fault in faults.items() if is_fault is None} == {"unready", "unsendable"}
