"""Recording how attempts ended, in one transaction if they ended together."""

import time
from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from messaging.failures import Failure
from messaging.models import OutboundMessage
from messaging.outbound import attempts
from messaging.outbound.attempt_log import log_failure, log_recorded
from messaging.outbound.attempts import AttemptRecord, Recorded
from messaging.outbound.dispatch import FollowUp, follow_ups
from messaging.outbound.retries import Result, decide
from messaging.postgres.database import StatementRejected
from messaging.problems import Unavailable
from messaging.providers.provider import ProviderResult
from messaging.telemetry import log_fault

RETRY_SECONDS = 0.5
"""Between two tries to record, while the database is unavailable."""


class EndedAttempt(NamedTuple):
    message: OutboundMessage
    result: Result


def record_together(
    ended: Sequence[EndedAttempt], seconds_left: Callable[[], float]
) -> tuple[list[FollowUp], list[Exception]]:
    """Record attempts that ended together, in one transaction.

    If the database rejects them, each is recorded on its own, so that one does not lose the others. Returns
    what to dispatch next, and why attempts could not be recorded.
    """
    if not ended:
        return [], []
    try:
        return _record(ended, seconds_left), []
    except StatementRejected as error:
        if len(ended) == 1:
            return [], [error]
    except Exception as error:  # noqa: BLE001  # raised by the caller, when it has recorded everything else
        return [], [error]
    due: list[FollowUp] = []
    errors: list[Exception] = []
    for attempt in ended:
        try:
            due += _record([attempt], seconds_left)
        except Exception as error:  # noqa: BLE001  # as above
            errors.append(error)
    return due, errors


def _record(ended: Sequence[EndedAttempt], seconds_left: Callable[[], float]) -> list[FollowUp]:
    records = [_describe(message, result) for message, result in ended]
    results = _retry_while_unavailable(partial(attempts.record_all, records), seconds_left)
    due: list[FollowUp] = []
    for (message, result), record, recorded in zip(ended, records, results, strict=True):
        log_recorded(message, record.status, recorded, record.code)
        log_failure(message, result)
        due += follow_ups(message.id, recorded)
    return due


def _describe(message: OutboundMessage, result: Result) -> AttemptRecord:
    """Return what to record about an attempt."""
    decision = decide(message, result)
    kind = code = reason = None
    if isinstance(result, Failure):
        kind, code, reason = result.kind, result.code, result.reason
    elif isinstance(result, Exception):
        kind, code, reason = "unknown", "internal_error", "An internal error ended the attempt."
        log_fault("Provider raised an unexpected error", result, message_id=message.id)
    return AttemptRecord(
        message.token,
        decision.status,
        provider_message_id=result.provider_message_id if isinstance(result, ProviderResult) else None,
        failure=kind,
        code=code,
        reason=reason,
        wait=decision.wait,
    )


def _retry_while_unavailable(
    record: Callable[[], list[Recorded]], seconds_left: Callable[[], float]
) -> list[Recorded]:
    """Wait for a database that is unavailable: only this worker knows what the provider answered."""
    while True:
        try:
            return record()
        except Unavailable:
            if seconds_left() < 1:
                raise
            time.sleep(RETRY_SECONDS)
