"""What is written to Postgres: each function is one transaction, and one statement that is repeatable.

The writes of several steps are database functions (functions/migrate/sql). Every function raises
problems.Unavailable where the database is away.
"""

import json
from collections.abc import Sequence
from datetime import timedelta
from enum import StrEnum
from typing import NamedTuple

from messaging.conversations.responses import Message
from messaging.models import Content
from messaging.postgres.database import call, run
from messaging.postgres.uuid7 import uuid7
from messaging.settings import DeliveryPolicy


class IdempotencyKey(NamedTuple):
    route: str
    key: str
    fingerprint: str
    """Of the body as it was sent."""


class AcceptOutcome(StrEnum):
    CREATED = "created"
    REPLAYED = "replayed"
    CONFLICT = "conflict"
    """The key stands for another body."""
    NOT_OWNED = "not_owned"
    """The sending address is not the account's."""
    LIMITED = "limited"
    """The account has sent as much as it may."""


class Added(NamedTuple):
    outcome: AcceptOutcome
    message: Message | None
    """With CREATED and REPLAYED."""
    retry_after: int | None
    """Seconds, with LIMITED."""


KEY_AGE = timedelta(hours=24)

_FORGET_KEYS = (
    # Chosen once: a subquery may be run again for each row, and passes over what it has locked itself.
    "WITH old AS MATERIALIZED (SELECT account_id, route, key FROM idempotency_keys"
    " WHERE created_at <= now() - $1::interval ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
    " DELETE FROM idempotency_keys k USING old"
    " WHERE (k.account_id, k.route, k.key) = (old.account_id, old.route, old.key) RETURNING 1"
)


def add_outbound(
    account: int,
    content: Content,
    providers: Sequence[str],
    key: IdempotencyKey | None = None,
    policy: DeliveryPolicy = "at_most_once",
) -> Added:
    """Keeps a message of an account's as queued, for the first of its providers or those that follow."""
    [(outcome, message, retry_after)] = call(
        "accept_message",
        account=account,
        token=uuid7(),
        providers=list(providers),
        policy=policy,
        content=json.dumps(content.content()),
        route=key and key.route,
        key=key and key.key,
        fingerprint=key and key.fingerprint,
        key_age=KEY_AGE,
    )
    return Added(AcceptOutcome(outcome), message and Message.model_validate_json(message), retry_after)


def forget_keys(limit: int) -> int:
    """Deletes Idempotency-Keys whose time is up; gives how many."""
    return len(run(_FORGET_KEYS, KEY_AGE, limit))
