"""Reports in any order, with any reference to the message, lead to the same final state."""

from collections.abc import Sequence
from itertools import permutations
from typing import Literal, NamedTuple

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from messaging.conversations.responses import MessageError
from messaging.models import Status
from messaging.outbound import attempts
from tests.support import messages

RANK = {None: 0, Status.SENT: 1, Status.DELIVERED: 2, Status.FAILED: 3, Status.READ: 4}
ID = "p-{}"
"""The provider's id of the message with this id of ours."""


class Report(NamedTuple):
    status: Status | None
    by: Literal["id", "reference", "both"] = "id"


class Record(NamedTuple):
    """Our own record of the attempt."""

    status: Status = Status.SENT
    id: bool = True
    code: str | None = "own"


NONE = Record(Status.SENDING, id=False, code=None)
Step = Report | Record
SENT, DELIVERED, FAILED, READ = (
    Report(status) for status in (Status.SENT, Status.DELIVERED, Status.FAILED, Status.READ)
)


def play(steps: Sequence[Step]) -> list[Status]:
    """The status after each step. Checks that no step moves back."""
    claimed = messages.claim_new()
    shown = [Status.SENDING]
    for step in steps:
        if isinstance(step, Record):
            id = ID.format(claimed.id) if step.id else None
            attempts.record(claimed.token, step.status, provider_message_id=id, code=step.code)
        else:
            messages.report(
                step.status,
                None if step.by == "reference" else ID.format(claimed.id),
                None if step.by == "id" else claimed.id,
                code="30003" if step.status is Status.FAILED else None,
            )
        shown.append(messages.read(claimed.id).status)
    by_report = [step.status for step in steps if isinstance(step, Report)]
    ranks = [RANK[status] if status in by_report else 0 for status in shown]
    assert ranks == sorted(ranks), shown
    check(claimed.id, steps)
    return shown[1:]


def check(id: int, steps: Sequence[Step]) -> None:
    """Check the final state: it follows from the reports, and not from their order."""
    reports = [step for step in steps if isinstance(step, Report)]
    [record] = [step for step in steps if isinstance(step, Record)] or [NONE]
    id_known = record.id or any(report.by == "both" for report in reports)
    applied = [report for report in reports if id_known or report.by != "id"]
    highest = max((report.status for report in applied), key=RANK.__getitem__, default=None)
    seen = messages.read(id)
    assert seen.status is (highest or record.status)
    assert seen.provider_message_id == (ID.format(id) if id_known else None)
    code = (
        "30003"
        if highest is Status.FAILED
        else "own"
        if not highest and record.status is not Status.SENDING
        else None
    )
    assert seen.error == (code and MessageError(code=code, reason=None))
    reported = sorted(str(event.status) for event in seen.events if event.kind == "report")
    assert reported == sorted(str(report.status) for report in applied), "every report is an event"
    assert len(seen.events) - len(reported) == (record is not NONE)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("steps", list(permutations([Record(), SENT, DELIVERED, FAILED])))
def test_every_order_of_reports_and_the_attempt_s_record_has_the_same_end(steps: Sequence[Step]) -> None:
    assert play(steps)[-1] is Status.FAILED
    assert play([*steps, READ])[-1] is Status.READ


SIX = (SENT, DELIVERED, Report(None), DELIVERED, FAILED, READ)
"""One status twice, at different times: these are two reports."""


@pytest.mark.slow
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("position", range(7))
def test_every_order_of_six_reports_has_the_same_end_wherever_the_attempt_is_recorded(position: int) -> None:
    """The attempt is recorded at each place. Reports before it are pending."""
    for turn, order in enumerate(dict.fromkeys(permutations(SIX))):
        if turn % 7 == position:
            assert play([*order[:position], Record(), *order[position:]])[-1] is Status.READ


@pytest.mark.usefixtures("database")
def test_a_repeated_report_is_one_event_even_if_it_was_pending() -> None:
    def post(status: Status | None, code: str | None = None) -> str:
        return messages.report(status, "p-1", code=code, timestamp="2024-11-01T14:00:00Z")[0]

    statuses = [Status.SENT, Status.DELIVERED, None]
    claimed = messages.claim_new()
    assert [post(status) for status in statuses * 2] == ["pending"] * 6
    messages.record_sent(claimed)
    assert [post(status) for status in statuses * 2] == ["noted"] * 6
    reports = [event.status for event in messages.read(claimed.id).events if event.kind == "report"]
    assert reports == statuses
    post(Status.DELIVERED, code="x")
    assert len(messages.read(claimed.id).events) == 5, "with another code it is another report"


REPORTS = st.builds(
    Report,
    st.sampled_from([Status.SENT, Status.DELIVERED, Status.FAILED, Status.READ, None]),
    st.sampled_from(["id", "reference", "both"]),
)
RECORDS = st.sampled_from(
    [Record(), Record(id=False), Record(Status.FAILED, id=False), Record(Status.UNKNOWN, id=False)]
)


@pytest.mark.slow
@given(
    st.tuples(st.lists(REPORTS, max_size=6), st.lists(RECORDS, max_size=1)).flatmap(
        lambda parts: st.permutations([*parts[0], *parts[1]])
    )
)
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
@pytest.mark.usefixtures("database")
def test_the_final_state_depends_on_the_reports_and_not_on_their_order(steps: list[Step]) -> None:
    play(steps)


@pytest.mark.usefixtures("database")
def test_a_report_of_another_provider_or_of_an_unknown_message_moves_nothing() -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    assert messages.report(Status.DELIVERED, "p-1", provider="other") == ("pending", None)
    assert messages.report(Status.DELIVERED, reference=id, provider="other") == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=id + 1) == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=messages.accept()[1].id) == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=messages.receive()[1].id) == ("unmatched", None)
    assert messages.read(id).status is Status.SENT


@pytest.mark.usefixtures("database")
def test_a_report_returns_the_message_after_the_change() -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    outcome, message = messages.report(Status.FAILED, "p-1", code="30003", reason="Unreachable")
    assert outcome == "moved"
    assert message is not None
    assert (message.id, message.status) == (id, Status.FAILED)
    assert message.error == MessageError(code="30003", reason="Unreachable")
    assert messages.report(Status.DELIVERED, "p-1") == ("noted", message)


@pytest.mark.usefixtures("database")
def test_events_have_the_provider_s_time_and_the_order_of_arrival() -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    for year in (2031, 1999, 2024):
        messages.report(Status.DELIVERED, "p-1", timestamp=f"{year}-01-01T00:00:00Z")
    events = messages.read(id).events[1:]
    assert [event.occurred_at.year for event in events] == [2031, 1999, 2024]
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
