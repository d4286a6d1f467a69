"""Accounts, their addresses and keys, and the audit: what an administrator does.

As in `store`, each function is one transaction, and one statement that is repeatable. Each that changes
something is told who acts; the audit is written by the same statement.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from messaging.models import MAX_ID
from messaging.postgres.database import Row, call, run

_ACCOUNT = "SELECT account_json(a)::text FROM accounts a WHERE id = $1 AND id > 0"
_ACCOUNTS = "SELECT a.id, account_json(a)::text FROM accounts a WHERE id > $1 ORDER BY id LIMIT $2"
_ADDRESSES = (
    "SELECT a.address, address_json(a)::text FROM account_addresses a"
    " WHERE address > $1 AND account_id = coalesce($3, account_id) ORDER BY address LIMIT $2"
)
_KEYS = (
    "SELECT k.id, key_json(k)::text FROM api_keys k"
    " WHERE id > $1 AND account_id = coalesce($3, account_id) ORDER BY id LIMIT $2"
)
_AUDIT = (
    "SELECT e.id, audit_json(e)::text FROM audit_events e"
    " WHERE id < $1 AND account_id = coalesce($3, account_id)"
    " AND ($4::bigint IS NULL OR key_id = $4) ORDER BY id DESC LIMIT $2"
)


class ChangeOutcome(StrEnum):
    CREATED = "created"
    KEPT = "kept"
    """It is there, and as it was to be."""
    TAKEN = "taken"
    """It is there, and is another's."""
    MISSING = "missing"
    """There is no such account."""


class Made(NamedTuple):
    outcome: ChangeOutcome
    document: str | None
    """The JSON text (tenancy.Account, tenancy.AccountAddress)."""


Rows = Sequence[tuple[Any, str]]
"""Each with what it is ordered by, and its JSON text; one more than was asked for where there are more."""


def create(actor: str, name: str, per_second: int | None, per_day: int | None) -> Made:
    return _made(call("create_account", actor=actor, name=name, per_second=per_second, per_day=per_day))


def change(actor: str, account: int, changes: Mapping[str, Any]) -> Made:
    return _made(call("change_account", actor=actor, account=account, changes=json.dumps(changes)))


def add_address(actor: str, account: int, address: str) -> Made:
    """What is in the quarantine for it becomes the account's."""
    return _made(call("add_address", actor=actor, account=account, address=address))


def remove_address(actor: str, address: str) -> bool:
    """Whether it was somebody's. Its conversations stay the account's."""
    [(removed,)] = call("remove_address", actor=actor, address=address)
    return bool(removed)


def create_key(
    actor: str, account: int, name: str, scopes: Sequence[str], hash: bytes, expires_at: datetime | None
) -> str | None:
    """The JSON text of a key (tenancy.Key); None where there is no such account."""
    given = {"account": account, "name": name, "scopes": list(scopes), "hash": hash, "expires_at": expires_at}
    return _document(call("create_key", actor=actor, **given))


def revoke_key(actor: str, key: int) -> str | None:
    """The key as it then is; None where there is none."""
    return _document(call("revoke_key", actor=actor, key=key))


def account(id: int) -> str | None:
    return _document(run(_ACCOUNT, id))


def accounts(limit: int, after: int = 0) -> Rows:
    return _rows(run(_ACCOUNTS, after, limit + 1))


def addresses(limit: int, after: str = "", *, account: int | None = None) -> Rows:
    return _rows(run(_ADDRESSES, after, limit + 1, account))


def keys(limit: int, after: int = 0, *, account: int | None = None) -> Rows:
    return _rows(run(_KEYS, after, limit + 1, account))


def audit(limit: int, before: int = MAX_ID, *, account: int | None = None, key: int | None = None) -> Rows:
    """The newest first."""
    return _rows(run(_AUDIT, before, limit + 1, account, key))


def _made(rows: Sequence[Row]) -> Made:
    [(outcome, document)] = rows
    return Made(ChangeOutcome(outcome), document)


def _document(rows: Sequence[Row]) -> str | None:
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


def _rows(rows: Sequence[Row]) -> Rows:
    return [(place, document) for place, document in rows]
