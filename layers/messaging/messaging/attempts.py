"""Delivery's side of the store: who may try a message, how that ended, and what was left behind.

As in `store`, each function is one transaction, and one statement that is repeatable.
"""

from collections.abc import Sequence
from datetime import timedelta
from typing import NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import ARRAY, BigInteger, Integer, Interval, Text, Uuid, bindparam, func, update

from messaging.database import run, statement
from messaging.models import PREDECESSORS, OutboundMessage, Status
from messaging.tables import messages

_CLAIM = statement("claim_messages", "message", ids=ARRAY(BigInteger), tokens=ARRAY(Uuid), lease=Interval())

_RECORD = statement(
    "record_attempt",
    *("status", "seconds"),
    token=Uuid(),
    status=Text(),
    predecessors=ARRAY(Text),
    provider_message_id=Text(),
    code=Text(),
    reason=Text(),
    retry_after=Interval(),
)

_EXPIRE = statement("expire_leases", "id", limit=Integer())

_DUE = statement("take_due_nudges", "id", "account_id", limit=Integer())

_NUDGE_SOON = (
    update(messages)
    .where(
        messages.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))),
        messages.c.status == Status.QUEUED,
    )
    .values(next_nudge_at=func.coalesce(messages.c.next_attempt_at, func.clock_timestamp()))
    .returning(messages.c.id)
)


class Nudge(NamedTuple):
    id: int
    account_id: int


class Recorded(NamedTuple):
    status: Status
    """What the message now is: not what was recorded, where a report came first."""
    seconds: float
    """Since the message was accepted."""


def claim(ids: Sequence[int], lease: timedelta) -> Sequence[OutboundMessage]:
    """Of the messages that are queued and due, those that are now this caller's for one attempt."""
    parameters = {"ids": sorted(ids), "tokens": [uuid4() for _ in ids], "lease": lease}
    return [OutboundMessage.model_validate_json(row.message) for row in run(_CLAIM, parameters)]


def record(
    token: UUID,
    status: Status,
    *,
    provider_message_id: str | None = None,
    code: str | None = None,
    reason: str | None = None,
    retry_after: timedelta | None = None,
) -> Recorded:
    """Writes how the attempt of this token ended; `retry_after` goes with QUEUED alone."""
    [(now, seconds)] = run(
        _RECORD,
        {
            "token": token,
            "status": status,
            "predecessors": list(PREDECESSORS[status]),
            "provider_message_id": provider_message_id,
            "code": code,
            "reason": reason,
            "retry_after": retry_after,
        },
    )
    return Recorded(Status(now), seconds)


def expire_leases(limit: int) -> int:
    """Turns claims whose worker never recorded into `unknown`; gives how many."""
    return len(run(_EXPIRE, {"limit": limit}))


def due_nudges(limit: int) -> Sequence[Nudge]:
    """Queued messages whose nudge is taken for lost, or whose retry is due; moves their next one on."""
    return [Nudge(*row) for row in run(_DUE, {"limit": limit})]


def nudge_soon(ids: Sequence[int]) -> None:
    """Gives messages whose nudge could not be sent to the next relay."""
    run(_NUDGE_SOON, {"ids": list(ids)})
