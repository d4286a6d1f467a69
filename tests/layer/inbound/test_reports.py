"""The state machine: reports in any order, however they name the message, lead to one and the same end."""

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
    """Our own, of the one attempt."""

    status: Status = Status.SENT
    id: bool = True
    code: str | None = "own"


NONE = Record(Status.SENDING, id=False, code=None)
Step = Report | Record
SENT, DELIVERED, FAILED, READ = (
    Report(status) for status in (Status.SENT, Status.DELIVERED, Status.FAILED, Status.READ)
)


def play(steps: Sequence[Step]) -> list[Status]:
    """The status after each step; whatever comes, none is a step back."""
    claimed = messages.claimed()
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
        shown.append(messages.seen(claimed.id).status)
    by_report = [step.status for step in steps if isinstance(step, Report)]
    ranks = [RANK[status] if status in by_report else 0 for status in shown]
    assert ranks == sorted(ranks), shown
    check(claimed.id, steps)
    return shown[1:]


def check(id: int, steps: Sequence[Step]) -> None:
    """The end, told from what came and not from when."""
    reports = [step for step in steps if isinstance(step, Report)]
    [record] = [step for step in steps if isinstance(step, Record)] or [NONE]
    known = record.id or any(report.by == "both" for report in reports)
    heard = [report for report in reports if known or report.by != "id"]
    best = max((report.status for report in heard), key=RANK.__getitem__, default=None)
    seen = messages.seen(id)
    assert seen.status is (best or record.status)
    assert seen.provider_message_id == (ID.format(id) if known else None)
    code = (
        "30003"
        if best is Status.FAILED
        else "own"
        if not best and record.status is not Status.SENDING
        else None
    )
    assert seen.error == (code and MessageError(code=code, reason=None))
    told = sorted(str(event.status) for event in seen.events if event.kind == "report")
    assert told == sorted(str(report.status) for report in heard), "every report is an event"
    assert len(seen.events) - len(told) == (record is not NONE)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("steps", list(permutations([Record(), SENT, DELIVERED, FAILED])))
def test_every_order_of_reports_and_our_own_record_ends_the_same(steps: Sequence[Step]) -> None:
    assert play(steps)[-1] is Status.FAILED
    assert play([*steps, READ])[-1] is Status.READ


SIX = (SENT, DELIVERED, Report(None), DELIVERED, FAILED, READ)
"""One of them twice, at another time: that is another report."""


@pytest.mark.slow
@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("place", range(7))
def test_every_order_of_six_reports_ends_the_same_wherever_our_own_record_falls(place: int) -> None:
    """Each with the record at another place: what comes before it is parked."""
    for turn, order in enumerate(dict.fromkeys(permutations(SIX))):
        if turn % 7 == place:
            assert play([*order[:place], Record(), *order[place:]])[-1] is Status.READ


@pytest.mark.usefixtures("database")
def test_a_report_that_is_posted_again_is_one_event_also_where_it_was_parked() -> None:
    def tell(status: Status | None, code: str | None = None) -> str:
        return messages.report(status, "p-1", code=code, timestamp="2024-11-01T14:00:00Z")[0]

    told = [Status.SENT, Status.DELIVERED, None]
    claimed = messages.claimed()
    assert [tell(status) for status in told * 2] == ["pending"] * 6
    messages.sent(claimed)
    assert [tell(status) for status in told * 2] == ["noted"] * 6
    reports = [event.status for event in messages.seen(claimed.id).events if event.kind == "report"]
    assert reports == told
    tell(Status.DELIVERED, code="x")
    assert len(messages.seen(claimed.id).events) == 5, "with another code it is another report"


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
def test_any_reports_with_any_record_anywhere_end_as_what_was_told_and_not_when(steps: list[Step]) -> None:
    play(steps)


@pytest.mark.usefixtures("database")
def test_a_report_of_another_provider_or_of_nobody_s_message_moves_nothing() -> None:
    id = messages.sent(messages.claimed(), "p-1")
    assert messages.report(Status.DELIVERED, "p-1", provider="other") == ("pending", None)
    assert messages.report(Status.DELIVERED, reference=id, provider="other") == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=id + 1) == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=messages.accept()[1].id) == ("unmatched", None)
    assert messages.report(Status.DELIVERED, reference=messages.receive()[1].id) == ("unmatched", None)
    assert messages.seen(id).status is Status.SENT


@pytest.mark.usefixtures("database")
def test_a_report_gives_the_message_as_it_now_stands() -> None:
    id = messages.sent(messages.claimed(), "p-1")
    outcome, message = messages.report(Status.FAILED, "p-1", code="30003", reason="Unreachable")
    assert outcome == "moved"
    assert message is not None
    assert (message.id, message.status) == (id, Status.FAILED)
    assert message.error == MessageError(code="30003", reason="Unreachable")
    assert messages.report(Status.DELIVERED, "p-1") == ("noted", message)


@pytest.mark.usefixtures("database")
def test_events_keep_the_provider_s_clock_and_are_shown_in_the_order_of_ours() -> None:
    id = messages.sent(messages.claimed(), "p-1")
    for year in (2031, 1999, 2024):
        messages.report(Status.DELIVERED, "p-1", timestamp=f"{year}-01-01T00:00:00Z")
    events = messages.seen(id).events[1:]
    assert [event.occurred_at.year for event in events] == [2031, 1999, 2024]
    assert [event.created_at for event in events] == sorted(event.created_at for event in events)
