"""Reports that come before their message is recorded as sent are kept, and applied in the end."""

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


def reported(stack: Stack, id: int) -> list[str]:
    """What its reports said, and that was noted."""
    return [event["status"] for event in message(stack, id)["events"] if event["kind"] == "report"]


def send_all(stack: Stack, prefix: str) -> list[int]:
    contacts = [f"{prefix}{number:03}" for number in range(COUNT)]
    with ThreadPoolExecutor(8) as threads:
        return list(threads.map(partial(sent, stack), contacts))


@pytest.mark.parametrize("names_our_id", [True, False], ids=["by our id", "by the provider's id"])
def test_reports_that_overtake_the_answer_are_applied(faulty_stack: Stack, names_our_id: bool) -> None:
    """Where they name the provider's id alone, which nobody here knows yet, they are parked meanwhile."""
    held = Behaviour(delay=(0, 2), report_delay=0, reports=REPORTS, reference=names_our_id)
    faulty_stack.provider.behave(held)
    ids = send_all(faulty_stack, "+18045561" if names_our_id else "+18045562")
    eventually(lambda: all(message(faulty_stack, id)["status"] == "delivered" for id in ids), 60)
    assert [sorted(reported(faulty_stack, id)) for id in ids] == [["delivered", "sent"]] * COUNT
    with closing(Database(faulty_stack.database_url)) as database:
        assert database.value("SELECT count(*) FROM pending_reports") == 0


def test_all_reports_come_while_the_answer_is_held(faulty_stack: Stack) -> None:
    faulty_stack.provider.behave(
        Behaviour(delay=9, report_delay=0, reports=REPORTS, reference=False, times=3)
    )
    ids = [sent(faulty_stack, f"+18045563{number:03}") for number in range(3)]
    with closing(Database(faulty_stack.database_url)) as database:
        parked = "SELECT count(*) FROM pending_reports"
        assert eventually(lambda: database.value(parked) == len(REPORTS) * len(ids))
        assert {message(faulty_stack, id)["status"] for id in ids} == {"sending"}
        eventually(lambda: all(message(faulty_stack, id)["status"] == "delivered" for id in ids))
        assert database.value(parked) == 0
    assert [reported(faulty_stack, id) for id in ids] == [list(REPORTS)] * len(ids)
