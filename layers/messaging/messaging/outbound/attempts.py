"""Delivery's side of the store: who may try a message, how that ended, and what was left behind.

As in `store`, each function is one transaction, and one statement that is repeatable.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID

from messaging.models import OutboundMessage, Status
from messaging.postgres.database import call, run
from messaging.postgres.uuid7 import uuid7
from messaging.settings import settings

MAX_DELAY = 900
"""Seconds by which a dispatch can be delayed: SQS allows no more."""

_NUDGE_SOON = (
    "UPDATE outbound_queue q SET dispatch_at = q.next_attempt_at FROM messages m"
    " WHERE m.id = ANY ($1) AND q.conversation_id = m.conversation_id AND q.message_id = m.id"
)

_OPEN = "SELECT provider FROM circuits WHERE open_until > clock_timestamp()"


class Dispatch(NamedTuple):
    id: int
    account_id: int


class Unknown(NamedTuple):
    """A message whose attempt had no answer, to be looked at."""

    message: OutboundMessage
    seconds: float
    """Since the attempt ended."""
    resend: bool
    """Whether its policy and its age let it be sent again where nothing is found out."""


class Claimed(NamedTuple):
    messages: list[OutboundMessage]
    unknown: list[Unknown]
    waiting: list[Dispatch]
    """The next in line of conversations in which another attempt is under way: to be nudged again."""
    expired: list[int]
    """The ids of messages that were too old, and have failed."""


class Recorded(NamedTuple):
    status: Status
    """What the message now is: not what was recorded, where a report came first."""
    seconds: float
    """Since the message was accepted."""
    wait: float | None
    """Seconds until it is to be looked at again; None where this has ended it."""
    account_id: int
    next_id: int | None
    """Of the conversation's message that can go now."""
    opened: bool
    """Whether this opened the provider's circuit."""


def claim(ids: Sequence[int], lease: timedelta) -> Claimed:
    """Claims what is queued and due for one attempt each, and what is due of unknown outcome for one look.

    A conversation's messages go one after the other: an earlier one that was not asked for may be given, and
    none while another is under way.
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
    for kind, id, account_id, message, unknown_seconds, resend in rows:
        match kind:
            case "claimed":
                claimed.messages.append(OutboundMessage.model_validate_json(message))
            case "unknown":
                found = OutboundMessage.model_validate_json(message)
                claimed.unknown.append(Unknown(found, unknown_seconds, resend))
            case "waiting":
                claimed.waiting.append(Dispatch(id, account_id))
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
    """Writes how the attempt of this token ended; `wait` goes with QUEUED and UNKNOWN alone."""
    [(became, *rest)] = call(
        "record_attempt",
        token=token,
        status=status,
        provider_message_id=provider_message_id,
        failure=failure,
        code=code,
        reason=reason,
        wait=wait,
        max_delay=timedelta(seconds=MAX_DELAY),
    )
    return Recorded(Status(became), *rest)


def settle(token: UUID, status: Status, code: str, reason: str) -> Dispatch | None:
    """Ends the search for what became of this attempt: QUEUED sends the message again, FAILED and
    UNKNOWN are its end.

    None where something else was first.
    """
    rows = call("resolve_attempt", token=token, status=status, code=code, reason=reason)
    return Dispatch(*rows[0]) if rows else None


def expire_leases(limit: int) -> int:
    """Turns claims whose worker never recorded into `unknown`; gives how many."""
    return len(call("expire_leases", limit=limit))


def due_dispatches(limit: int) -> Sequence[Dispatch]:
    """Messages whose nudge is taken for lost, or which are due again; moves their next one on."""
    return [Dispatch(*row) for row in call("take_due_dispatches", limit=limit)]


def dispatch_soon(ids: Sequence[int]) -> None:
    """Gives messages whose nudge could not be sent to the next relay."""
    run(_NUDGE_SOON, list(ids))


def open_circuits() -> Sequence[str]:
    """The providers that are let alone for failing."""
    return [provider for (provider,) in run(_OPEN)]
