"""SQL of delivery: who may attempt a message, how the attempt ended, and what was left behind.

As in `store`, each function is one statement in one transaction, and can be repeated if its answer was lost.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from messaging.models import OutboundMessage, Status
from messaging.postgres.database import call, run
from messaging.postgres.uuid7 import uuid7
from messaging.settings import settings

MAX_DELAY_SECONDS = 900
"""By how much a dispatch can be delayed: SQS allows no more."""

_LEAVE_TO_RELAY = """
    UPDATE outbound_queue q SET dispatch_at = q.next_attempt_at
      FROM messages m
     WHERE m.id = ANY ($1) AND q.conversation_id = m.conversation_id AND q.message_id = m.id
"""


class Dispatch(NamedTuple):
    """A message to put on the outbound queue."""

    message_id: int
    account_id: int


class UnknownOutcome(NamedTuple):
    """A message whose attempt had no answer. Its provider is to be asked what became of it."""

    message: OutboundMessage
    seconds: float
    """Since the attempt ended."""
    may_resend: bool
    """Whether its delivery policy and its age allow it to be sent again without evidence."""


class Claimed(NamedTuple):
    messages: list[OutboundMessage]
    """Claimed for one attempt each."""
    unknown: list[UnknownOutcome]
    """Claimed for one status lookup each."""
    blocked: list[Dispatch]
    """The next messages of conversations with another attempt under way. They must be dispatched again."""
    expired: list[int]
    """The ids of messages that are older than MAX_AGE. They have failed."""


class AttemptRecord(NamedTuple):
    """How an attempt ended. The fields are the arguments of `record`."""

    token: UUID
    status: Status
    provider_message_id: str | None = None
    failure: str | None = None
    code: str | None = None
    reason: str | None = None
    wait: timedelta | None = None


class Recorded(NamedTuple):
    status: Status
    """The message's status now. If a report came first, it is not the one that was recorded."""
    seconds: float
    """Since the message was accepted."""
    wait: float | None
    """Seconds until the message is due again. None if nothing more is to be done."""
    account_id: int
    next_id: int | None
    """The id of the message of the same conversation that can be sent now."""
    circuit_opened: bool
    """Whether this attempt opened its provider's circuit."""


def claim(ids: Sequence[int], lease: timedelta) -> Claimed:
    """Claim queued messages that are due for one attempt each, and unknown outcomes for one lookup each.

    The messages of a conversation are sent one at a time. So an id stands for its conversation: the claim may
    return an earlier message instead, and returns none while another attempt is under way. Ids that are
    neither queued nor unknown are left out. The lease must end after the worker's last chance to record.
    """
    rows = call(
        "claim_messages",
        ids=sorted(ids),
        tokens=[uuid7() for _ in ids],
        lease=lease,
        max_age=timedelta(seconds=settings().max_age),
        unknown_after=timedelta(seconds=settings().unknown_after),
    )
    claimed = Claimed([], [], [], [])
    for kind, id, account_id, message, unknown_seconds, may_resend in rows:
        match kind:
            case "claimed":
                claimed.messages.append(OutboundMessage.model_validate_json(message))
            case "unknown":
                outcome = OutboundMessage.model_validate_json(message)
                claimed.unknown.append(UnknownOutcome(outcome, unknown_seconds, may_resend))
            case "waiting":
                claimed.blocked.append(Dispatch(id, account_id))
            case "expired":
                claimed.expired.append(id)
    return claimed


def record(
    token: UUID,
    status: Status,
    *,
    provider_message_id: str | None = None,
    failure: str | None = None,
    code: str | None = None,
    reason: str | None = None,
    wait: timedelta | None = None,
) -> Recorded:
    """Record how the attempt with this token ended.

    `failure` is the kind of the Failure (failures.py); `code` and `reason` are shown to clients. `wait` is
    the time until the next attempt with QUEUED, and until the first status lookup with UNKNOWN.
    Raises StatementRejected if no attempt has this token.
    """
    [(new_status, *fields)] = call(
        "record_attempt",
        token=token,
        status=status,
        provider_message_id=provider_message_id,
        failure=failure,
        code=code,
        reason=reason,
        wait=wait,
        max_delay=timedelta(seconds=MAX_DELAY_SECONDS),
    )
    return Recorded(Status(new_status), *fields)


def record_all(records: Sequence[AttemptRecord]) -> list[Recorded]:
    """Record attempts that ended together, in one transaction: all or none.

    Raises StatementRejected as `record` does.
    """
    fields = [
        {
            "token": str(record.token),
            "status": record.status,
            "provider_message_id": record.provider_message_id,
            "failure": record.failure,
            "code": record.code,
            "reason": record.reason,
            "wait": record.wait.total_seconds() if record.wait is not None else None,
        }
        for record in records
    ]
    max_delay = timedelta(seconds=MAX_DELAY_SECONDS)
    rows = call("record_attempts", records=json.dumps(fields), max_delay=max_delay)
    recorded = {token: Recorded(Status(status), *results) for token, status, *results in rows}
    return [recorded[record.token] for record in records]


def resolve(token: UUID, status: Status, code: str, reason: str) -> Dispatch | None:
    """Resolve the unknown outcome of the attempt with this token.

    QUEUED sends the message again. FAILED and UNKNOWN are final. Returns None if the outcome is no longer
    open: a report or another lookup came first.
    """
    rows = call("resolve_attempt", token=token, status=status, code=code, reason=reason)
    return Dispatch(*rows[0]) if rows else None


def expire_leases(limit: int) -> int:
    """Make claims `unknown` whose lease ran out before the worker recorded an outcome. Returns how many."""
    return len(call("expire_leases", limit=limit))


def take_due_dispatches(limit: int) -> Sequence[Dispatch]:
    """Return messages that are due or whose dispatch seems lost, the longest overdue first.

    Sets the time after which the dispatch of each counts as lost again.
    """
    return [Dispatch(*row) for row in call("take_due_dispatches", limit=limit)]


def leave_to_relay(ids: Sequence[int]) -> None:
    """Make messages that the queue did not take due for the relay's next round."""
    run(_LEAVE_TO_RELAY, list(ids))
