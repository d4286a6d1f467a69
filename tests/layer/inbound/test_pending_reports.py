"""Pending reports: each is applied once when its attempt is recorded, and deleted after a week."""

from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime

import pytest

from messaging.inbound import store
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts
from tests.support import messages as support_messages
from tests.support.database import Database

PENDING = "SELECT count(*) FROM pending_reports"
SET_PROVIDER_ID = """
    WITH attempt AS (
        UPDATE attempts SET provider_message_id = :id WHERE message_id = :message RETURNING *)
    INSERT INTO provider_message_ids
    SELECT account_id, provider, provider_message_id, message_id, number FROM attempt"""
"""Like a delivery that died between recording the id and applying the reports, if these were two steps."""
DUE = "UPDATE pending_reports SET next_check_at = now()"


def accept_with_pending_reports(database: Database, *ids: str) -> list[int]:
    """Messages whose attempt has a provider's id with pending reports."""
    messages = []
    for id in ids:
        for status in (Status.DELIVERED, Status.SENT):
            assert support_messages.report(status, id)[0] == "pending"
        messages.append(support_messages.claim_new().id)
        database.rows(SET_PROVIDER_ID, id=id, message=messages[-1])
    return messages


def report_statuses(id: int) -> list[Status | None]:
    return [event.status for event in support_messages.read(id).events if event.kind == "report"]


def test_reports_are_applied_in_order_when_their_attempt_is_recorded(database: Database) -> None:
    [id] = accept_with_pending_reports(database, "p-1")
    support_messages.report(Status.DELIVERED, "unheard-of")
    assert store.apply_pending_reports(10) == 2
    assert (support_messages.read(id).status, report_statuses(id)) == (
        Status.DELIVERED,
        [Status.DELIVERED, Status.SENT],
    )
    assert support_messages.read(id).provider_message_id == "p-1"
    assert database.value(PENDING) == 1
    assert store.apply_pending_reports(10) == 0


def test_at_most_the_limit_is_checked(database: Database) -> None:
    accept_with_pending_reports(database, *(f"p-{n}" for n in range(5)))
    assert [store.apply_pending_reports(4) for _ in range(4)] == [4, 4, 2, 0]
    assert database.value(PENDING) == 0


def test_a_report_without_an_attempt_is_checked_again_when_it_is_twice_as_old(database: Database) -> None:
    support_messages.report(Status.DELIVERED, "p-1")
    wait = "SELECT round(extract(epoch FROM next_check_at - now()) / 60)::int FROM pending_reports"
    for minutes, expected in ((0, 1), (1, 1), (7, 7), (600, 600)):
        database.rows(f"UPDATE pending_reports SET created_at = now() - interval '{minutes} min'")
        database.rows(DUE)
        assert store.apply_pending_reports(10) == 0
        assert database.value(wait) == expected


def test_concurrent_rounds_apply_each_report_once(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    ids = accept_with_pending_reports(database, *(f"p-{n}" for n in range(40)))
    applied = [*environments.map(store.apply_pending_reports, [15] * 8), store.apply_pending_reports(80)]
    assert sum(applied) == 2 * len(ids)
    assert database.value(PENDING) == 0
    assert all(len(report_statuses(id)) == 2 for id in ids)


def test_a_report_that_another_connection_has_locked_is_skipped(database: Database, other: Database) -> None:
    accept_with_pending_reports(database, "p-1", "p-2")
    other.rows("BEGIN")
    other.rows("SELECT lock_provider_message('sms', 'p-1')")
    assert store.apply_pending_reports(10) == 2
    other.rows("COMMIT")
    assert store.apply_pending_reports(10) == 2


@pytest.mark.parametrize(("hours", "deleted"), [(7 * 24 - 1, 0), (7 * 24, 1)])
def test_a_report_without_an_attempt_is_deleted_after_a_week(
    database: Database, hours: int, deleted: int
) -> None:
    support_messages.report(Status.DELIVERED, "p-1", timestamp=datetime.now(UTC))
    database.rows(f"UPDATE pending_reports SET created_at = now() - interval '{hours} hours'")
    assert store.delete_pending_reports(10) == deleted
    assert database.value(PENDING) == 1 - deleted


def test_the_same_report_is_stored_once(database: Database) -> None:
    timestamp = datetime.now(UTC)
    for status in (Status.SENT, Status.DELIVERED, Status.SENT):
        assert support_messages.report(status, "p-1", timestamp=timestamp)[0] == "pending"
    assert database.value(PENDING) == 2


def claim_second_attempt() -> OutboundMessage:
    """The second attempt of a message, in progress. The outcome of the first is unknown."""
    first = support_messages.unknown_outcome()
    attempts.resolve(first.token, Status.QUEUED, "no_evidence", "It is sent again.")
    second = support_messages.claim(first.id)
    assert second.attempt == 2
    return second


def applied(id: int) -> list[tuple[int | None, Status | None]]:
    return [
        (event.attempt, event.status) for event in support_messages.read(id).events if event.kind == "report"
    ]


def test_a_late_report_on_the_first_attempt_does_not_change_the_second(database: Database) -> None:
    second = claim_second_attempt()
    assert support_messages.report(Status.FAILED, "p-1", second.id)[0] == "pending"
    assert store.apply_pending_reports(10) == 0
    support_messages.record_sent(second, "p-2")
    database.rows(DUE)
    assert store.apply_pending_reports(10) == 1
    assert applied(second.id) == [(1, Status.FAILED)]
    assert (
        support_messages.read(second.id).status,
        support_messages.read(second.id).provider_message_id,
    ) == (Status.SENT, "p-2")


def test_an_early_report_on_the_second_attempt_is_applied_when_it_is_recorded(database: Database) -> None:
    second = claim_second_attempt()
    assert support_messages.report(Status.DELIVERED, "p-2", second.id)[0] == "pending"
    support_messages.record_sent(second, "p-2")
    assert applied(second.id) == [(2, Status.DELIVERED)]
    assert support_messages.read(second.id).status is Status.DELIVERED
    assert database.value(PENDING) == 0


def test_a_report_on_one_of_two_unknown_attempts_resolves_the_message(database: Database) -> None:
    second = claim_second_attempt()
    assert support_messages.report(Status.DELIVERED, "p-1", second.id)[0] == "pending"
    attempts.record(second.token, Status.UNKNOWN, wait=support_messages.LEASE)
    database.rows(DUE)
    assert store.apply_pending_reports(10) == 1
    assert support_messages.read(second.id).status is Status.DELIVERED
