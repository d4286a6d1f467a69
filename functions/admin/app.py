"""/api/admin: accounts, their addresses, their keys and the audit, for keys with the scope admin.

An operator has the same by invoking the function: {"operator": "POST /api/admin/keys", "body": {...}}. The
first key is made so, and its secret is in the answer alone.
"""

import json
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote, unquote

import operators
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic_core import PydanticCustomError

from messaging.accounts import keys, store
from messaging.accounts.caller import Caller
from messaging.accounts.models import (
    Account,
    AccountAddress,
    AccountChange,
    AccountPage,
    AddressPage,
    AuditPage,
    Key,
    KeyPage,
    MadeKey,
    NewAccount,
    NewAddress,
    NewKey,
)
from messaging.accounts.store import ChangeOutcome, Made, Rows
from messaging.address import normalize_address
from messaging.conversations.reads import Page
from messaging.fields import clean_text
from messaging.handlers import api
from messaging.models import MAX_ID
from messaging.postgres import cursor
from messaging.problems import Conflict, Invalid, NotFound

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="The next_cursor of the page before.")]
Of = Annotated[int | None, Query(ge=0, le=MAX_ID, description="Of this account alone.")]

app = api.api()


@app.post("/api/admin/accounts", responses=api.shows(Account, 201) | api.shows(Account), tags=["Admin"])
def create_account(account: Annotated[NewAccount, Body()]) -> Response[str]:
    """The same again gives the account that is there."""
    made = store.create(_admin().name, account.name, account.sends_per_second, account.sends_per_day)
    if made.outcome is ChangeOutcome.TAKEN:
        raise Conflict.field("name", "is that of an account with other limits")
    return _made(made)


@app.get("/api/admin/accounts", responses=api.shows(AccountPage), tags=["Admin"])
def list_accounts(limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
    _admin()
    after = _place(cursor, ["accounts"], 0)
    return _page("accounts", store.accounts(limit, after), limit, ["accounts"])


@app.get("/api/admin/accounts/<id>", responses=api.shows(Account), tags=["Admin"])
def get_account(id: Id) -> Response[str]:
    _admin()
    return api.found(store.account(id), "account")


@app.patch("/api/admin/accounts/<id>", responses=api.shows(Account), tags=["Admin"])
def change_account(id: Id, change: Annotated[AccountChange, Body()]) -> Response[str]:
    made = store.change(_admin().name, id, change.model_dump(exclude_unset=True))
    if made.outcome is ChangeOutcome.TAKEN:
        raise Conflict.field("name", "is that of another account")
    return api.found(made.document, "account")


@app.post(
    "/api/admin/addresses",
    responses=api.shows(AccountAddress, 201) | api.shows(AccountAddress),
    tags=["Admin"],
)
def add_address(address: Annotated[NewAddress, Body()]) -> Response[str]:
    """What came for it while nobody owned it becomes the account's."""
    made = store.add_address(_admin().name, address.account_id, address.address)
    if made.outcome is ChangeOutcome.MISSING:
        raise _no_account()
    if made.outcome is ChangeOutcome.TAKEN:
        raise Conflict.field("address", "is that of another account")
    return _made(made)


@app.get("/api/admin/addresses", responses=api.shows(AddressPage), tags=["Admin"])
def list_addresses(limit: Limit = 50, cursor: Cursor = None, account_id: Of = None) -> Response[str]:
    _admin()
    walk = ["addresses", account_id]
    after = _place(cursor, walk, "", _text)
    return _page("addresses", store.addresses(limit, after, account=account_id), limit, walk)


@app.delete("/api/admin/addresses/<address>", responses={204: {"description": "Gone."}}, tags=["Admin"])
def remove_address(address: Annotated[str, Path(min_length=1, max_length=320)]) -> Response[str]:
    """Its conversations stay the account's; what comes in for it from now on goes to the quarantine."""
    actor = _admin().name
    if not any(store.remove_address(actor, one) for one in _as_kept(unquote(address))):
        raise NotFound("There is no such address.")
    return Response(204, body="")


@app.post("/api/admin/keys", responses=api.shows(MadeKey, 201), tags=["Admin"])
def create_key(key: Annotated[NewKey, Body()]) -> Response[str]:
    """The answer is the only place where the secret is ever shown."""
    secret = keys.secret()
    made = store.create_key(
        *(_admin().name, key.account_id, key.name, key.scopes, keys.hashed(secret), key.expires_at)
    )
    if made is None:
        raise _no_account()
    shown = json.loads(made)
    document = {"key": f"mk_{shown['id']}_{secret}", **shown}
    return Response(201, api.JSON, json.dumps(document), {"Cache-Control": "no-store"})


@app.get("/api/admin/keys", responses=api.shows(KeyPage), tags=["Admin"])
def list_keys(limit: Limit = 50, cursor: Cursor = None, account_id: Of = None) -> Response[str]:
    _admin()
    walk = ["keys", account_id]
    found = store.keys(limit, _place(cursor, walk, 0), account=account_id)
    return _page("keys", found, limit, walk)


@app.delete("/api/admin/keys/<id>", responses=api.shows(Key), tags=["Admin"])
def revoke_key(id: Id) -> Response[str]:
    """For good. Whoever has just used it may go on for a minute, for which API Gateway keeps its yes."""
    return api.found(store.revoke_key(_admin().name, id), "key")


@app.get("/api/admin/audit", responses=api.shows(AuditPage), tags=["Admin"])
def list_audit(
    limit: Limit = 50,
    cursor: Cursor = None,
    account_id: Of = None,
    key_id: Annotated[int | None, Query(ge=1, le=MAX_ID, description="Of this key alone.")] = None,
) -> Response[str]:
    """The newest first."""
    _admin()
    walk = ["audit", account_id, key_id]
    found = store.audit(limit, _place(cursor, walk, MAX_ID), account=account_id, key=key_id)
    return _page("events", found, limit, walk)


def _admin() -> Caller:
    return api.caller(app, "admin")


def _as_kept(address: str) -> list[str]:
    """As it is read, or as it is written: so is `*` kept, and what was read in another way before a change of
    the settings. Postgres holds nothing else."""
    if clean_text(address) != address:
        return []
    with suppress(PydanticCustomError):
        return list(dict.fromkeys((normalize_address(address), address)))
    return [address]


def _no_account() -> Invalid:
    return Invalid.field("account_id", "is no account")


def _made(made: Made) -> Response[str]:
    return Response(201 if made.outcome is ChangeOutcome.CREATED else 200, api.JSON, made.document)


def _place(
    text: str | None, walk: Sequence[object], first: Any, reader: Callable[[str], Any] = cursor.parse_id
) -> Any:
    return cursor.decode(text, walk, reader)[0] if text else first


def _text(text: str) -> str:
    if clean_text(text) != text:
        raise ValueError
    return text


def _page(name: str, rows: Rows, limit: int, walk: Sequence[object]) -> Response[str]:
    shown = rows[:limit]
    next_cursor = cursor.encode(walk, shown[-1][0]) if len(rows) > limit else None
    return api.page(name, Page([document for _, document in shown], next_cursor))


def _routable(event: dict[str, Any]) -> dict[str, Any]:
    """An address may hold what Powertools takes for no part of a path, such as # and ?."""
    before, addresses, address = event["rawPath"].partition("/api/admin/addresses/")
    return event | {"rawPath": before + addresses + quote(address, safe="")} if address else event


_handle = api.handler(app, "admin")


def handler(event: dict[str, Any], context: LambdaContext) -> Any:
    if "operator" not in event:
        return _handle(_routable(event), context)
    answer = _handle(_routable(operators.request(event)), context)
    body = answer.get("body")
    return answer | {"body": json.loads(body) if body else None}
