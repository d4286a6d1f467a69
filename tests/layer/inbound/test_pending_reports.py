"""Reports that wait for an attempt: the relay applies those that were left, once, and forgets the old."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest

from messaging.inbound import store
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts
from tests.support import messages as support_messages
from tests.support.database import Database

PARKED = "SELECT count(*) FROM pending_reports"
BEHIND_OUR_BACK = """
    WITH attempt AS (
        UPDATE attempts SET provider_message_id = :id WHERE message_id = :message RETURNING *)
    INSERT INTO provider_message_ids
    SELECT account_id, provider, provider_message_id, message_id, number FROM attempt"""
"""As by a delivery that died between two steps, if there were any."""
DUE = "UPDATE pending_reports SET next_check_at = now()"


def left_behind(database: Database, *ids: str) -> list[int]:
    """Messages whose attempt has an id for which reports are parked."""
    messages = []
    for id in ids:
        for status in (Status.DELIVERED, Status.SENT):
            assert support_messages.report(status, id)[0] == "pending"
        messages.append(support_messages.claimed().id)
        database.rows(BEHIND_OUR_BACK, id=id, message=messages[-1])
    return messages


def reported(id: int) -> list[Status | None]:
    return [event.status for event in support_messages.seen(id).events if event.kind == "report"]


def test_what_matches_by_now_is_applied_in_the_order_in_which_it_came(database: Database) -> None:
    [id] = left_behind(database, "p-1")
    support_messages.report(Status.DELIVERED, "unheard-of")
    assert store.apply_pending_reports(10) == 2
    assert (support_messages.seen(id).status, reported(id)) == (
        Status.DELIVERED,
        [Status.DELIVERED, Status.SENT],
    )
    assert support_messages.seen(id).provider_message_id == "p-1"
    assert database.value(PARKED) == 1
    assert store.apply_pending_reports(10) == 0


def test_no_more_are_looked_at_than_were_asked_for(database: Database) -> None:
    left_behind(database, *(f"p-{n}" for n in range(5)))
    assert [store.apply_pending_reports(4) for _ in range(4)] == [4, 4, 2, 0]
    assert database.value(PARKED) == 0


def test_what_does_not_match_is_looked_at_again_when_it_is_twice_as_old(database: Database) -> None:
    support_messages.report(Status.DELIVERED, "p-1")
    wait = "SELECT round(extract(epoch FROM next_check_at - now()) / 60)::int FROM pending_reports"
    for minutes, expected in ((0, 1), (1, 1), (7, 7), (600, 600)):
        database.rows(f"UPDATE pending_reports SET created_at = now() - interval '{minutes} min'")
        database.rows(DUE)
        assert store.apply_pending_reports(10) == 0
        assert database.value(wait) == expected


def test_several_at_once_apply_each_once(database: Database, environments: ProcessPoolExecutor) -> None:
    ids = left_behind(database, *(f"p-{n}" for n in range(40)))
    applied = [*environments.map(store.apply_pending_reports, [15] * 8), store.apply_pending_reports(80)]
    assert sum(applied) == 2 * len(ids)
    assert database.value(PARKED) == 0
    assert all(len(reported(id)) == 2 for id in ids)


def test_what_somebody_is_at_work_on_is_left_to_them(database: Database, other: Database) -> None:
    left_behind(database, "p-1", "p-2")
    other.rows("BEGIN")
    other.rows("SELECT lock_provider_message('sms', 'p-1')")
    assert store.apply_pending_reports(10) == 2
    other.rows("COMMIT")
    assert store.apply_pending_reports(10) == 2


@pytest.mark.parametrize(("hours", "forgotten"), [(7 * 24 - 1, 0), (7 * 24, 1)])
def test_one_that_nothing_ever_matched_is_forgotten_after_a_week(
    database: Database, hours: int, forgotten: int
) -> None:
    support_messages.report(Status.DELIVERED, "p-1", timestamp=datetime.now(UTC))
    database.rows(f"UPDATE pending_reports SET created_at = now() - interval '{hours} hours'")
    assert store.delete_pending_reports(10) == forgotten
    assert database.value(PARKED) == 1 - forgotten


def test_the_same_report_again_is_parked_once(database: Database) -> None:
    told = datetime.now(UTC)
    for status in (Status.SENT, Status.DELIVERED, Status.SENT):
        assert support_messages.report(status, "p-1", timestamp=told)[0] == "pending"
    assert database.value(PARKED) == 2


def under_way_again() -> OutboundMessage:
    """A message's second attempt, under way; what became of the first nobody knows."""
    first = support_messages.lost()
    attempts.resolve(first.token, Status.QUEUED, "no_evidence", "It is sent again.")
    second = support_messages.claim(first.id)
    assert second.attempt == 2
    return second


def applied(id: int) -> list[tuple[int | None, Status | None]]:
    return [
        (event.attempt, event.status) for event in support_messages.seen(id).events if event.kind == "report"
    ]


def test_a_late_report_on_the_first_attempt_is_not_taken_for_the_second_s(database: Database) -> None:
    second = under_way_again()
    assert support_messages.report(Status.FAILED, "p-1", second.id)[0] == "pending"
    assert store.apply_pending_reports(10) == 0
    support_messages.sent(second, "p-2")
    database.rows(DUE)
    assert store.apply_pending_reports(10) == 1
    assert applied(second.id) == [(1, Status.FAILED)]
    assert (
        support_messages.seen(second.id).status,
        support_messages.seen(second.id).provider_message_id,
    ) == (Status.SENT, "p-2")


def test_an_early_report_on_the_second_attempt_is_applied_with_its_record(database: Database) -> None:
    second = under_way_again()
    assert support_messages.report(Status.DELIVERED, "p-2", second.id)[0] == "pending"
    support_messages.sent(second, "p-2")
    assert applied(second.id) == [(2, Status.DELIVERED)]
    assert support_messages.seen(second.id).status is Status.DELIVERED
    assert database.value(PARKED) == 0


def test_a_report_on_either_of_two_lost_attempts_ends_the_waiting(database: Database) -> None:
    second = under_way_again()
    assert support_messages.report(Status.DELIVERED, "p-1", second.id)[0] == "pending"
    attempts.record(second.token, Status.UNKNOWN, wait=support_messages.LEASE)
    database.rows(DUE)
    assert store.apply_pending_reports(10) == 1
    assert support_messages.seen(second.id).status is Status.DELIVERED
