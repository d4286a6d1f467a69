"""SQL of accepting: messages and their idempotency keys.

Each function is one statement in one transaction, and can be repeated if its answer was lost. Writes of
several steps are database functions (functions/migrate/sql). Every function raises problems.Unavailable if
the database does not answer.
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
    """A hash of the request's body as it was sent."""


class AcceptOutcome(StrEnum):
    CREATED = "created"
    REPLAYED = "replayed"
    """The idempotency key was used before, with the same body."""
    CONFLICT = "conflict"
    """The idempotency key was used before, with another body."""
    NOT_OWNED = "not_owned"
    """The sending address does not belong to the account."""
    NO_CONVERSATION = "no_conversation"
    """The recipient requires a conversation, and there is none."""
    LIMITED = "limited"
    """The account has reached its sending limit."""


class AcceptResult(NamedTuple):
    outcome: AcceptOutcome
    message: Message | None
    """With CREATED and REPLAYED."""
    retry_after: int | None
    """Seconds, with LIMITED."""


KEY_AGE = timedelta(hours=24)
"""How long an idempotency key is valid."""

# MATERIALIZED, so that the rows are chosen once: a subquery may run again for each row, and skips the rows
# that it has locked itself.
_DELETE_EXPIRED_KEYS = """
    WITH expired AS MATERIALIZED (
        SELECT account_id, route, key FROM idempotency_keys
         WHERE created_at <= now() - $1::interval
         ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)
    DELETE FROM idempotency_keys k USING expired
     WHERE (k.account_id, k.route, k.key) = (expired.account_id, expired.route, expired.key)
    RETURNING 1
"""


def accept_message(
    account: int,
    content: Content,
    providers: Sequence[str],
    key: IdempotencyKey | None = None,
    policy: DeliveryPolicy = "at_most_once",
    *,
    requires_conversation: bool = False,
) -> AcceptResult:
    """Store an account's message as queued, for the first of its providers.

    The other providers are tried in their order if the first one fails. If `requires_conversation`, the
    account must have a conversation with the recipient, from any of its addresses. Nothing is stored unless
    the outcome is CREATED.
    """
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
        requires_conversation=requires_conversation,
    )
    return AcceptResult(AcceptOutcome(outcome), message and Message.model_validate_json(message), retry_after)


def delete_expired_keys(limit: int) -> int:
    """Delete idempotency keys that are older than KEY_AGE, the oldest first. Returns how many."""
    return len(run(_DELETE_EXPIRED_KEYS, KEY_AGE, limit))
