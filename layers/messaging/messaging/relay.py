"""The maintenance job, once a minute: finds what was left behind, and deletes what has expired."""

from collections.abc import Callable
from datetime import timedelta

from messaging.inbound import store as inbound_store
from messaging.outbound import attempts, circuits, store
from messaging.outbound.dispatch import dispatch
from messaging.settings import settings
from messaging.telemetry import count, logger

BATCH_SECONDS = 5.0
"""The time that one batch may take: no batch begins with less."""
BATCH_SIZE = 500


def relay(seconds_left: Callable[[], float]) -> dict[str, int]:
    """Run one round of maintenance, while there is time.

    1. Claims whose lease ran out become `unknown`: their worker died before it recorded an outcome.
    2. Reports that came before their attempt was recorded are applied.
    3. Messages that are due, or whose dispatch was lost, are dispatched.
    4. Idempotency keys, pending reports and webhook requests that have expired are deleted.

    Returns how many of each: `leases_expired`, `reports_applied`, `dispatched` and `deleted`.
    Raises Unavailable if the database does not answer.
    """
    counts = {
        "leases_expired": attempts.expire_leases(BATCH_SIZE),
        "reports_applied": inbound_store.apply_pending_reports(BATCH_SIZE),
        "dispatched": _dispatch_due(seconds_left),
        "deleted": _delete_expired(seconds_left),
    }
    open_circuits = circuits.list_open()
    if open_circuits:
        logger.warning("Circuits open", extra={"providers": open_circuits})
    count("OpenCircuits", len(open_circuits))
    return counts


def _dispatch_due(seconds_left: Callable[[], float]) -> int:
    dispatched = 0
    while seconds_left() > BATCH_SECONDS:
        due = attempts.take_due_dispatches(BATCH_SIZE)
        if not due or not dispatch(due):
            break
        dispatched += len(due)
    return dispatched


def _delete_expired(seconds_left: Callable[[], float]) -> int:
    deleted = _in_batches(store.delete_expired_keys, seconds_left)
    deleted += _in_batches(inbound_store.delete_pending_reports, seconds_left)
    retention = timedelta(days=settings().raw_retention_days)

    def delete_expired_requests(limit: int) -> int:
        return inbound_store.delete_requests(retention, limit)

    return deleted + _in_batches(delete_expired_requests, seconds_left)


def _in_batches(delete: Callable[[int], int], seconds_left: Callable[[], float]) -> int:
    """Delete batch by batch until nothing is left or the time is up. Returns how many rows."""
    total = 0
    while seconds_left() > BATCH_SECONDS:
        deleted = delete(BATCH_SIZE)
        if deleted == 0:
            break
        total += deleted
    return total
