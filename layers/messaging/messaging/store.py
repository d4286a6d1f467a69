"""What is written to Postgres: each function is one transaction, and one statement that is repeatable.

The writes of several steps are database functions (functions/migrate/sql). Every function raises
problems.Unavailable where the database is away.
"""

from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import (
    BigInteger,
    DateTime,
    Integer,
    Interval,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from messaging.database import run, statement
from messaging.models import (
    REPORT_RANK,
    Content,
    DeliveryReport,
    InboundMessage,
    Message,
)

ACCOUNT = 1
"""All belongs to it until callers are told apart."""


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

_ACCEPT = statement(
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


_FORGET_KEYS = text(
    "DELETE FROM idempotency_keys WHERE (account_id, route, key) IN (SELECT account_id, route, key"
    " FROM idempotency_keys WHERE created_at <= now() - :key_age ORDER BY created_at"
    " LIMIT :limit FOR UPDATE SKIP LOCKED) RETURNING 1"
).bindparams(bindparam("key_age", type_=Interval()), bindparam("limit", type_=Integer()))


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


def forget_keys(limit: int) -> int:
    """Deletes Idempotency-Keys whose time is up; gives how many."""
    return len(run(_FORGET_KEYS, {"key_age": KEY_AGE, "limit": limit}))


# --- Receiving ---------------------------------------------------------------------------------------

_INBOUND = statement(
    "add_inbound",
    *("created", "message"),
    account=BigInteger(),
    provider=Text(),
    provider_message_id=Text(),
    content=JSONB(),
    extra=JSONB(none_as_null=True),
)

_REPORT = statement(
    "add_report",
    *("outcome", "message"),
    account=BigInteger(),
    token=Uuid(),
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
            "token": uuid4(),
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
