"""SQL of accounts, their addresses and keys, and the audit log.

Each function is one transaction and one statement. It can be repeated if its answer was lost. A function that
changes something takes the actor ("operator" or "key:<id>"); the same statement writes the audit log. Every
function raises problems.Unavailable if the database does not answer.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from messaging.models import MAX_ID
from messaging.postgres.database import Row, call, run

_GET_ACCOUNT = "SELECT account_json(a)::text FROM accounts a WHERE id = $1 AND id > 0"
_LIST_ACCOUNTS = "SELECT a.id, account_json(a)::text FROM accounts a WHERE id > $1 ORDER BY id LIMIT $2"
_LIST_ADDRESSES = (
    "SELECT a.address, address_json(a)::text FROM account_addresses a"
    " WHERE address > $1 AND account_id = coalesce($3, account_id) ORDER BY address LIMIT $2"
)
_LIST_KEYS = (
    "SELECT k.id, key_json(k)::text FROM api_keys k"
    " WHERE id > $1 AND account_id = coalesce($3, account_id) ORDER BY id LIMIT $2"
)
_LIST_AUDIT_EVENTS = (
    "SELECT e.id, audit_json(e)::text FROM audit_events e"
    " WHERE id < $1 AND account_id = coalesce($3, account_id)"
    " AND ($4::bigint IS NULL OR key_id = $4) ORDER BY id DESC LIMIT $2"
)


class ChangeOutcome(StrEnum):
    CREATED = "created"
    EXISTS = "exists"
    """It exists, and is as requested."""
    CONFLICT = "conflict"
    """It exists, and belongs to another account or has other values."""
    MISSING = "missing"
    """The account does not exist."""


class Change(NamedTuple):
    outcome: ChangeOutcome
    document: str | None
    """JSON text of the account or address (accounts.models.Account, AccountAddress) after the change."""


ListedRows = Sequence[tuple[Any, str]]
"""For each row its sort key (id or address) and its JSON text. One row more than the limit, if any."""


def create_account(actor: str, name: str, per_second: int | None, per_day: int | None) -> Change:
    """Create an account; a limit of None means unlimited. CONFLICT if the name exists with other limits."""
    return _change(call("create_account", actor=actor, name=name, per_second=per_second, per_day=per_day))


def change_account(actor: str, account: int, changes: Mapping[str, Any]) -> Change:
    """Change the given fields of an account (accounts.models.AccountChange). CONFLICT if another account has
    the name."""
    return _change(call("change_account", actor=actor, account=account, changes=json.dumps(changes)))


def add_address(actor: str, account: int, address: str) -> Change:
    """Give an address to an account, with the quarantined conversations of this address."""
    return _change(call("add_address", actor=actor, account=account, address=address))


def remove_address(actor: str, address: str) -> bool:
    """Take an address from its account. Returns whether it had one. The account keeps its conversations."""
    [(removed,)] = call("remove_address", actor=actor, address=address)
    return bool(removed)


def create_key(
    actor: str, account: int, name: str, scopes: Sequence[str], hash: bytes, expires_at: datetime | None
) -> str | None:
    """Create a key. Returns its JSON text (accounts.models.Key); None if the account does not exist."""
    rows = call(
        "create_key",
        actor=actor,
        account=account,
        name=name,
        scopes=list(scopes),
        hash=hash,
        expires_at=expires_at,
    )
    return _document(rows)


def revoke_key(actor: str, key: int) -> str | None:
    """Revoke a key. Returns its JSON text after the change; None if it does not exist."""
    return _document(call("revoke_key", actor=actor, key=key))


def get_account(id: int) -> str | None:
    """Return the JSON text of an account; None if it does not exist."""
    return _document(run(_GET_ACCOUNT, id))


def list_accounts(limit: int, after: int = 0) -> ListedRows:
    """Return accounts with an id greater than `after`, in the order of ids."""
    return _listed_rows(run(_LIST_ACCOUNTS, after, limit + 1))


def list_addresses(limit: int, after: str = "", *, account: int | None = None) -> ListedRows:
    """Return addresses after `after` in alphabetical order, optionally of one account."""
    return _listed_rows(run(_LIST_ADDRESSES, after, limit + 1, account))


def list_keys(limit: int, after: int = 0, *, account: int | None = None) -> ListedRows:
    """Return keys with an id greater than `after`, in the order of ids, optionally of one account."""
    return _listed_rows(run(_LIST_KEYS, after, limit + 1, account))


def list_audit_events(
    limit: int, before: int = MAX_ID, *, account: int | None = None, key: int | None = None
) -> ListedRows:
    """Return audit events with an id less than `before`, newest first, optionally of one account or key."""
    return _listed_rows(run(_LIST_AUDIT_EVENTS, before, limit + 1, account, key))


def _change(rows: Sequence[Row]) -> Change:
    [(outcome, document)] = rows
    return Change(ChangeOutcome(outcome), document)


def _document(rows: Sequence[Row]) -> str | None:
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


def _listed_rows(rows: Sequence[Row]) -> ListedRows:
    return [(sort_key, document) for sort_key, document in rows]
