"""What is written to Postgres: each function is one transaction, and one statement that is repeatable.

The writes of several steps are database functions (functions/migrate/sql). Every function raises
problems.Unavailable where the database is away.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import UUID, uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    DateTime,
    Integer,
    Interval,
    Select,
    Text,
    Uuid,
    bindparam,
    column,
    func,
    select,
    text,
    update,
)
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.types import TypeEngine

from messaging.database import run
from messaging.models import (
    PREDECESSORS,
    REPORT_RANK,
    Content,
    DeliveryReport,
    InboundMessage,
    Message,
    OutboundMessage,
    Status,
)
from messaging.tables import messages

ACCOUNT = 1
"""All belongs to it until callers are told apart."""


def _call(name: str, *columns: str, **parameters: TypeEngine[Any]) -> Select[*tuple[Any, ...]]:
    """SELECT columns FROM name(parameters), each parameter bound under its own name."""
    arguments = (bindparam(parameter, type_=kind) for parameter, kind in parameters.items())
    function = getattr(func, name)(*arguments)
    return select(*(column(c) for c in columns)).select_from(function.table_valued(*columns))


# --- Accepting ---------------------------------------------------------------------------------------


class IdempotencyKey(NamedTuple):
    route: str
    key: str
    fingerprint: str
    """Of the body as it was sent."""


class Outcome(StrEnum):
    CREATED = "created"
    REPLAYED = "replayed"
    CONFLICT = "conflict"


KEY_AGE = timedelta(hours=24)

_ACCEPT = _call(
    "accept_message",
    *("outcome", "message"),
    account=BigInteger(),
    token=Uuid(),
    provider=Text(),
    content=JSONB(),
    route=Text(),
    key=Text(),
    fingerprint=Text(),
    key_age=Interval(),
)


def add_outbound(
    content: Content, provider: str, key: IdempotencyKey | None = None
) -> tuple[Outcome, Message | None]:
    """Keeps a message as queued; no message with CONFLICT: the key stands for another body."""
    [(outcome, message)] = run(
        _ACCEPT,
        {
            "account": ACCOUNT,
            "token": uuid4(),
            "provider": provider,
            "content": content.content(),
            "route": key and key.route,
            "key": key and key.key,
            "fingerprint": key and key.fingerprint,
            "key_age": KEY_AGE,
        },
    )
    return Outcome(outcome), message and Message.model_validate_json(message)


# --- Delivering --------------------------------------------------------------------------------------

_CLAIM = _call("claim_messages", "message", ids=ARRAY(BigInteger), tokens=ARRAY(Uuid), lease=Interval())

_RECORD = _call(
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

_EXPIRE = _call("expire_leases", "id", limit=Integer())

_DUE = _call("take_due_nudges", "id", "account_id", limit=Integer())

_NUDGE_SOON = (
    update(messages)
    .where(
        messages.c.id == func.any(bindparam("ids", type_=ARRAY(BigInteger))),
        messages.c.status == Status.QUEUED,
    )
    .values(next_nudge_at=func.coalesce(messages.c.next_attempt_at, func.clock_timestamp()))
    .returning(messages.c.id)
)

_FORGET_KEYS = text(
    "DELETE FROM idempotency_keys WHERE (account_id, route, key) IN (SELECT account_id, route, key"
    " FROM idempotency_keys WHERE created_at <= clock_timestamp() - :key_age ORDER BY created_at"
    " LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING 1"
).bindparams(bindparam("key_age", type_=Interval()), bindparam("limit", type_=Integer()))


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


def forget_keys(limit: int) -> int:
    """Deletes Idempotency-Keys whose time is up; gives how many."""
    return len(run(_FORGET_KEYS, {"key_age": KEY_AGE, "limit": limit}))


# --- Receiving ---------------------------------------------------------------------------------------

_INBOUND = _call(
    "add_inbound",
    *("created", "message"),
    account=BigInteger(),
    provider=Text(),
    provider_message_id=Text(),
    content=JSONB(),
    extra=JSONB(none_as_null=True),
)

_REPORT = _call(
    "add_report",
    *("outcome", "message"),
    account=BigInteger(),
    provider=Text(),
    provider_message_id=Text(),
    reference=BigInteger(),
    status=Text(),
    rank=Integer(),
    code=Text(),
    reason=Text(),
    occurred_at=DateTime(timezone=True),
)


class ReportOutcome(StrEnum):
    MOVED = "moved"
    NOTED = "noted"
    """An event; the status was already as far."""
    PARKED = "parked"
    """Until an attempt is recorded with the provider's id."""
    UNMATCHED = "unmatched"


def add_inbound(inbound: InboundMessage, provider: str) -> tuple[bool, Message]:
    """Keeps a message once; whether this call made it, and the message as it was kept first."""
    [(created, message)] = run(
        _INBOUND,
        {
            "account": ACCOUNT,
            "provider": provider,
            "provider_message_id": inbound.provider_message_id,
            "content": inbound.content(),
            "extra": inbound.extra or None,
        },
    )
    return created, Message.model_validate_json(message)


def add_report(report: DeliveryReport, provider: str) -> tuple[ReportOutcome, Message | None]:
    """Moves the message that the report names, only forwards; the message where it is known."""
    [(outcome, message)] = run(
        _REPORT,
        {
            "account": ACCOUNT,
            "provider": provider,
            "provider_message_id": report.provider_message_id,
            "reference": report.reference,
            "status": report.status,
            "rank": REPORT_RANK[report.status],
            "code": report.code,
            "reason": report.reason,
            "occurred_at": report.timestamp,
        },
    )
    return ReportOutcome(outcome), message and Message.model_validate_json(message)
