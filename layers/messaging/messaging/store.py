"""What is written to Postgres: each function is one transaction, and one statement that is repeatable.

The writes of several steps are database functions (functions/migrate/sql). Every function raises
problems.Unavailable where the database is away.
"""

from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple
from uuid import uuid4

from sqlalchemy import (
    ARRAY,
    BigInteger,
    Integer,
    Interval,
    Text,
    Uuid,
    bindparam,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from messaging.database import run, statement
from messaging.models import Content, Message
from messaging.settings import DeliveryPolicy


class IdempotencyKey(NamedTuple):
    route: str
    key: str
    fingerprint: str
    """Of the body as it was sent."""


class Outcome(StrEnum):
    CREATED = "created"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    """The key stands for another body."""
    NOT_OWNED = "not_owned"
    """The sending address is not the account's."""
    LIMITED = "limited"
    """The account has sent as much as it may."""


class Added(NamedTuple):
    outcome: Outcome
    message: Message | None
    """With CREATED and REPLAYED."""
    retry_after: int | None
    """Seconds, with LIMITED."""


KEY_AGE = timedelta(hours=24)

_ACCEPT = statement(
    "accept_message",
    *("outcome", "message", "retry_after"),
    account=BigInteger(),
    token=Uuid(),
    providers=ARRAY(Text),
    policy=Text(),
    content=JSONB(),
    route=Text(),
    key=Text(),
    fingerprint=Text(),
    key_age=Interval(),
)


_FORGET_KEYS = text(
    # Chosen once: a subquery may be run again for each row, and passes over what it has locked itself.
    "WITH old AS MATERIALIZED (SELECT account_id, route, key FROM idempotency_keys"
    " WHERE created_at <= now() - :key_age ORDER BY created_at LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " DELETE FROM idempotency_keys k USING old"
    " WHERE (k.account_id, k.route, k.key) = (old.account_id, old.route, old.key) RETURNING 1"
).bindparams(bindparam("key_age", type_=Interval()), bindparam("limit", type_=Integer()))


def add_outbound(
    account: int,
    content: Content,
    providers: Sequence[str],
    key: IdempotencyKey | None = None,
    policy: DeliveryPolicy = "at_most_once",
) -> Added:
    """Keeps a message of an account's as queued, for the first of its providers or those that follow."""
    [(outcome, message, retry_after)] = run(
        _ACCEPT,
        {
            "account": account,
            "token": uuid4(),
            "providers": list(providers),
            "policy": policy,
            "content": content.content(),
            "route": key and key.route,
            "key": key and key.key,
            "fingerprint": key and key.fingerprint,
            "key_age": KEY_AGE,
        },
    )
    return Added(Outcome(outcome), message and Message.model_validate_json(message), retry_after)


def forget_keys(limit: int) -> int:
    """Deletes Idempotency-Keys whose time is up; gives how many."""
    return len(run(_FORGET_KEYS, {"key_age": KEY_AGE, "limit": limit}))
