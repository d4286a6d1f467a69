"""Reports that arrive before their attempt is recorded stay pending, and are applied when it is."""

from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from functools import partial

import pytest

from local import Behaviour, Stack
from tests.e2e.faults import LONG
from tests.support.database import Database
from tests.support.outbound import message, sent
from tests.support.waiting import eventually

COUNT = 200 if LONG else 20
REPORTS = ("sent", "delivered")


def report_statuses(stack: Stack, id: int) -> list[str]:
    """The statuses of the reports among its events."""
    return [event["status"] for event in message(stack, id)["events"] if event["kind"] == "report"]


def send_all(stack: Stack, prefix: str) -> list[int]:
    contacts = [f"{prefix}{number:03}" for number in range(COUNT)]
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(partial(sent, stack), contacts))


@pytest.mark.parametrize("names_our_id", [True, False], ids=["by our id", "by the provider's id"])
def test_reports_that_arrive_before_the_response_are_applied(faulty_stack: Stack, names_our_id: bool) -> None:
    """Reports with only the provider's id are pending until the attempt is recorded with that id."""
    early = Behaviour(delay=(0, 2), report_delay=0, reports=REPORTS, reference=names_our_id)
    faulty_stack.provider.behave(early)
    ids = send_all(faulty_stack, "+18045561" if names_our_id else "+18045562")
    eventually(lambda: all(message(faulty_stack, id)["status"] == "delivered" for id in ids), 60)
    assert [sorted(report_statuses(faulty_stack, id)) for id in ids] == [["delivered", "sent"]] * COUNT
    with closing(Database(faulty_stack.database_url)) as database:
        assert database.value("SELECT count(*) FROM pending_reports") == 0


def test_reports_stay_pending_until_the_attempt_is_recorded(faulty_stack: Stack) -> None:
    faulty_stack.provider.behave(
        Behaviour(delay=9, report_delay=0, reports=REPORTS, reference=False, times=3)
    )
    ids = [sent(faulty_stack, f"+18045563{number:03}") for number in range(3)]
    with closing(Database(faulty_stack.database_url)) as database:
        pending = "SELECT count(*) FROM pending_reports"
        assert eventually(lambda: database.value(pending) == len(REPORTS) * len(ids))
        assert {message(faulty_stack, id)["status"] for id in ids} == {"sending"}
        eventually(lambda: all(message(faulty_stack, id)["status"] == "delivered" for id in ids))
        assert database.value(pending) == 0
    assert [report_statuses(faulty_stack, id) for id in ids] == [list(REPORTS)] * len(ids)
