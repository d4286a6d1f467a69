"""Accounts, their addresses and keys, and the audit: what an administrator does.

As in `store`, each function is one transaction, and one statement that is repeatable. Each that changes
something is told who acts; the audit is written by the same statement.
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import ARRAY, BigInteger, DateTime, Integer, LargeBinary, Text, bindparam, text
from sqlalchemy.dialects.postgresql import JSONB

from messaging.database import run, statement
from messaging.models import MAX_ID

_CREATE = statement(
    *("create_account", "outcome", "account"),
    actor=Text(),
    name=Text(),
    per_second=Integer(),
    per_day=Integer(),
)
_CHANGE = statement(
    *("change_account", "outcome", "account"), actor=Text(), account=BigInteger(), changes=JSONB()
)
_ADD_ADDRESS = statement(
    *("add_address", "outcome", "address"), actor=Text(), account=BigInteger(), address=Text()
)
_REMOVE_ADDRESS = statement("remove_address", "removed", actor=Text(), address=Text())
_CREATE_KEY = statement(
    *("create_key", "key"),
    actor=Text(),
    account=BigInteger(),
    name=Text(),
    scopes=ARRAY(Text),
    hash=LargeBinary(),
    expires_at=DateTime(timezone=True),
)
_REVOKE_KEY = statement("revoke_key", "key", actor=Text(), key=BigInteger())

_ID = bindparam("id", type_=BigInteger())
_AFTER = bindparam("after", type_=BigInteger()), bindparam("limit", type_=Integer())
_OF = bindparam("account", type_=BigInteger())

_ACCOUNT = text("SELECT account_json(a)::text FROM accounts a WHERE id = :id AND id > 0").bindparams(_ID)
_ACCOUNTS = text(
    "SELECT a.id, account_json(a)::text FROM accounts a WHERE id > :after ORDER BY id LIMIT :limit"
).bindparams(*_AFTER)
_ADDRESSES = text(
    "SELECT a.address, address_json(a)::text FROM account_addresses a"
    " WHERE address > :after AND account_id = coalesce(:account, account_id) ORDER BY address LIMIT :limit"
).bindparams(bindparam("after", type_=Text()), bindparam("limit", type_=Integer()), _OF)
_KEYS = text(
    "SELECT k.id, key_json(k)::text FROM api_keys k"
    " WHERE id > :after AND account_id = coalesce(:account, account_id) ORDER BY id LIMIT :limit"
).bindparams(*_AFTER, _OF)
_AUDIT = text(
    "SELECT e.id, audit_json(e)::text FROM audit_events e"
    " WHERE id < :after AND account_id = coalesce(:account, account_id)"
    " AND (CAST(:key AS bigint) IS NULL OR key_id = :key) ORDER BY id DESC LIMIT :limit"
).bindparams(*_AFTER, _OF, bindparam("key", type_=BigInteger()))


class Outcome(StrEnum):
    CREATED = "created"
    KEPT = "kept"
    """It is there, and as it was to be."""
    TAKEN = "taken"
    """It is there, and is another's."""
    MISSING = "missing"
    """There is no such account."""


class Made(NamedTuple):
    outcome: Outcome
    document: str | None
    """The JSON text (tenancy.Account, tenancy.AccountAddress)."""


Rows = Sequence[tuple[Any, str]]
"""Each with what it is ordered by, and its JSON text; one more than was asked for where there are more."""


def create(actor: str, name: str, per_second: int | None, per_day: int | None) -> Made:
    return _made(_CREATE, {"actor": actor, "name": name, "per_second": per_second, "per_day": per_day})


def change(actor: str, account: int, changes: Mapping[str, Any]) -> Made:
    return _made(_CHANGE, {"actor": actor, "account": account, "changes": dict(changes)})


def add_address(actor: str, account: int, address: str) -> Made:
    """What is in the quarantine for it becomes the account's."""
    return _made(_ADD_ADDRESS, {"actor": actor, "account": account, "address": address})


def remove_address(actor: str, address: str) -> bool:
    """Whether it was somebody's. Its conversations stay the account's."""
    [(removed,)] = run(_REMOVE_ADDRESS, {"actor": actor, "address": address})
    return bool(removed)


def create_key(
    actor: str, account: int, name: str, scopes: Sequence[str], hash: bytes, expires_at: datetime | None
) -> str | None:
    """The JSON text of a key (tenancy.Key); None where there is no such account."""
    given = {"account": account, "name": name, "scopes": list(scopes), "hash": hash, "expires_at": expires_at}
    return _document(_CREATE_KEY, {"actor": actor, **given})


def revoke_key(actor: str, key: int) -> str | None:
    """The key as it then is; None where there is none."""
    return _document(_REVOKE_KEY, {"actor": actor, "key": key})


def account(id: int) -> str | None:
    return _document(_ACCOUNT, {"id": id})


def accounts(limit: int, after: int = 0) -> Rows:
    return _rows(_ACCOUNTS, {"after": after, "limit": limit + 1})


def addresses(limit: int, after: str = "", *, account: int | None = None) -> Rows:
    return _rows(_ADDRESSES, {"after": after, "limit": limit + 1, "account": account})


def keys(limit: int, after: int = 0, *, account: int | None = None) -> Rows:
    return _rows(_KEYS, {"after": after, "limit": limit + 1, "account": account})


def audit(limit: int, before: int = MAX_ID, *, account: int | None = None, key: int | None = None) -> Rows:
    """The newest first."""
    return _rows(_AUDIT, {"after": before, "limit": limit + 1, "account": account, "key": key})


def _made(statement: Any, parameters: Mapping[str, Any]) -> Made:
    [(outcome, document)] = run(statement, parameters)
    return Made(Outcome(outcome), document)


def _document(statement: Any, parameters: Mapping[str, Any]) -> str | None:
    rows = run(statement, parameters)
    return str(rows[0][0]) if rows and rows[0][0] is not None else None


def _rows(statement: Any, parameters: Mapping[str, Any]) -> Rows:
    return [(row[0], row[1]) for row in run(statement, parameters)]
