"""Maintenance, once a minute: finds what was left behind, and deletes what has had its time."""

from collections.abc import Callable
from datetime import timedelta

from messaging.inbound import store as inbound_store
from messaging.outbound import attempts, store
from messaging.outbound.dispatch import dispatch
from messaging.settings import settings
from messaging.telemetry import count, logger

RELAY_TIME = 5.0  # seconds that a round of the relay may take
RELAY_BATCH = 500


def relay(seconds_left: Callable[[], float]) -> dict[str, int]:
    """Finds what was left behind, while there is time: claims without a record, messages without a nudge."""
    done = {
        "expired": attempts.expire_leases(RELAY_BATCH),
        "dispatched": 0,
        "applied": inbound_store.apply_pending_reports(RELAY_BATCH),
        "deleted": 0,
    }
    while seconds_left() > RELAY_TIME and (due := attempts.due_dispatches(RELAY_BATCH)):
        if dispatch(due):
            break
        done["dispatched"] += len(due)
    raw_age = timedelta(days=settings().raw_retention_days)
    for forget in (
        store.forget_keys,
        inbound_store.forget_pending_reports,
        lambda limit: inbound_store.forget_requests(raw_age, limit),
    ):
        while seconds_left() > RELAY_TIME and (forgotten := forget(RELAY_BATCH)):
            done["deleted"] += forgotten
    ailing = attempts.open_circuits()
    if ailing:
        logger.warning("Providers are let alone", extra={"providers": ailing})
    count("OpenCircuits", len(ailing))
    return done
