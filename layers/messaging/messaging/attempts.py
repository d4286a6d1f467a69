"""Delivery's side of the store: who may try a message, how that ended, and what was left behind.

As in `store`, each function is one transaction, and one statement that is repeatable.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, BigInteger, Integer, Interval, Text, Uuid, bindparam, text

from messaging.database import run, statement
from messaging.models import PREDECESSORS, OutboundMessage, Status
from messaging.settings import settings

_CLAIM = statement(
    "claim_messages",
    *("kind", "id", "account_id", "message", "unknown_seconds", "resend"),
    ids=ARRAY(BigInteger),
    tokens=ARRAY(Uuid),
    lease=Interval(),
    max_age=Interval(),
    unknown_after=Interval(),
)

_RECORD = statement(
    "record_attempt",
    *("status", "seconds", "wait", "account_id", "next_id", "opened"),
    token=Uuid(),
    status=Text(),
    predecessors=ARRAY(Text),
    provider_message_id=Text(),
    failure=Text(),
    code=Text(),
    reason=Text(),
    wait=Interval(),
)

_SETTLE = statement(
    "settle_attempt", *("id", "account_id"), token=Uuid(), status=Text(), code=Text(), reason=Text()
)

_EXPIRE = statement("expire_leases", "id", limit=Integer())

_DUE = statement("take_due_nudges", "id", "account_id", limit=Integer())

# The tables are 10 ms of a cold start, and nothing else here needs them.
_NUDGE_SOON = text(
    "UPDATE messages SET next_nudge_at = coalesce(next_attempt_at, clock_timestamp())"
    " WHERE id = ANY (:ids) AND next_nudge_at IS NOT NULL RETURNING id"
).bindparams(bindparam("ids", type_=ARRAY(BigInteger)))

_OPEN = text("SELECT provider_type FROM circuits WHERE open_until > clock_timestamp()")


class Nudge(NamedTuple):
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
    waiting: list[Nudge]
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
    rows = run(
        _CLAIM,
        {
            "ids": sorted(ids),
            "tokens": [uuid4() for _ in ids],
            "lease": lease,
            "max_age": timedelta(seconds=settings().max_age),
            "unknown_after": timedelta(seconds=settings().unknown_after),
        },
    )
    claimed = Claimed([], [], [], [])
    for row in rows:
        match row.kind:
            case "claimed":
                claimed.messages.append(OutboundMessage.model_validate_json(row.message))
            case "unknown":
                message = OutboundMessage.model_validate_json(row.message)
                claimed.unknown.append(Unknown(message, row.unknown_seconds, row.resend))
            case "waiting":
                claimed.waiting.append(Nudge(row.id, row.account_id))
            case "expired":
                claimed.expired.append(row.id)
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
    [row] = run(
        _RECORD,
        {
            "token": token,
            "status": status,
            "predecessors": list(PREDECESSORS[status]),
            "provider_message_id": provider_message_id,
            "failure": failure,
            "code": code,
            "reason": reason,
            "wait": wait,
        },
    )
    return Recorded(Status(row.status), *row[1:])


def settle(token: UUID, status: Status, code: str, reason: str) -> Nudge | None:
    """Ends the search for what became of this attempt: QUEUED sends the message again, FAILED and
    UNKNOWN are its end.

    None where something else was first.
    """
    rows = run(_SETTLE, {"token": token, "status": status, "code": code, "reason": reason})
    return Nudge(*rows[0]) if rows else None


def expire_leases(limit: int) -> int:
    """Turns claims whose worker never recorded into `unknown`; gives how many."""
    return len(run(_EXPIRE, {"limit": limit}))


def due_nudges(limit: int) -> Sequence[Nudge]:
    """Messages whose nudge is taken for lost, or which are due again; moves their next one on."""
    return [Nudge(*row) for row in run(_DUE, {"limit": limit})]


def nudge_soon(ids: Sequence[int]) -> None:
    """Gives messages whose nudge could not be sent to the next relay."""
    run(_NUDGE_SOON, {"ids": list(ids)})


def open_circuits() -> Sequence[str]:
    """The providers that are let alone for failing."""
    return [row.provider_type for row in run(_OPEN, {})]
