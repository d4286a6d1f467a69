"""/api/admin: accounts, their addresses and API keys, and the audit log. For keys with the scope `admin`.

An operator can also invoke the function: {"operator": "POST /api/admin/keys", "body": {...}}. This is how the
first key is created.
"""

import json
from contextlib import suppress
from typing import Annotated, Any
from urllib.parse import quote, unquote

import operators
from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Path, Query
from aws_lambda_powertools.utilities.typing import LambdaContext
from pydantic_core import PydanticCustomError

from messaging.accounts import keys, store
from messaging.accounts.models import (
    Account,
    AccountAddress,
    AccountChange,
    AccountPage,
    AddressPage,
    AuditPage,
    CreatedKey,
    Key,
    KeyPage,
    NewAccount,
    NewAddress,
    NewKey,
)
from messaging.accounts.store import Change, ChangeOutcome
from messaging.address import normalize_address
from messaging.fields import clean_text
from messaging.handlers import api, walks
from messaging.handlers.lambda_types import LambdaEvent
from messaging.models import MAX_ID
from messaging.problems import Conflict, Invalid, NotFound

Id = Annotated[int, Path(ge=1, le=MAX_ID)]
Limit = Annotated[int, Query(ge=1, le=200)]
Cursor = Annotated[str | None, Query(description="The `next_cursor` of the previous page.")]
AccountFilter = Annotated[int | None, Query(ge=0, le=MAX_ID, description="Only of this account.")]
KeyFilter = Annotated[int | None, Query(ge=1, le=MAX_ID, description="Only of this key.")]

ACCOUNT = api.response_schema(Account)
ADDRESS = api.response_schema(AccountAddress)
KEY = api.response_schema(Key)

app = api.create_app()


# --- Accounts ----------------------------------------------------------------------------------------


@app.post("/api/admin/accounts", responses=api.response_schema(Account, 201) | ACCOUNT, tags=["Admin"])
def create_account(account: Annotated[NewAccount, Body()]) -> Response[str]:
    """Create an account. If an account with the same name and limits exists, it is returned with 200."""
    change = store.create_account(_actor(), account.name, account.sends_per_second, account.sends_per_day)
    if change.outcome is ChangeOutcome.CONFLICT:
        raise Conflict.field("name", "belongs to an account with other limits")
    return _created_or_existing(change)


@app.get("/api/admin/accounts", responses=api.response_schema(AccountPage), tags=["Admin"])
def list_accounts(limit: Limit = 50, cursor: Cursor = None) -> Response[str]:
    """List accounts in the order of their ids."""
    _actor()
    walk = ["accounts"]
    rows = store.list_accounts(limit, walks.position(cursor, walk, first=0))
    return walks.page_response("accounts", rows, limit, walk)


@app.get("/api/admin/accounts/<id>", responses=ACCOUNT, tags=["Admin"])
def get_account(id: Id) -> Response[str]:
    """Get an account."""
    _actor()
    return api.json_or_404(store.get_account(id), "account")


@app.patch("/api/admin/accounts/<id>", responses=ACCOUNT, tags=["Admin"])
def change_account(id: Id, change: Annotated[AccountChange, Body()]) -> Response[str]:
    """Change the name or the limits of an account. Fields that are left out do not change."""
    result = store.change_account(_actor(), id, change.model_dump(exclude_unset=True))
    if result.outcome is ChangeOutcome.CONFLICT:
        raise Conflict.field("name", "belongs to another account")
    return api.json_or_404(result.document, "account")


# --- Addresses ---------------------------------------------------------------------------------------


@app.post(
    "/api/admin/addresses", responses=api.response_schema(AccountAddress, 201) | ADDRESS, tags=["Admin"]
)
def add_address(address: Annotated[NewAddress, Body()]) -> Response[str]:
    """Give an address to an account. Messages that arrived while no account owned it become the account's."""
    change = store.add_address(_actor(), address.account_id, address.address)
    if change.outcome is ChangeOutcome.MISSING:
        raise _no_such_account()
    if change.outcome is ChangeOutcome.CONFLICT:
        raise Conflict.field("address", "belongs to another account")
    return _created_or_existing(change)


@app.get("/api/admin/addresses", responses=api.response_schema(AddressPage), tags=["Admin"])
def list_addresses(
    limit: Limit = 50, cursor: Cursor = None, account_id: AccountFilter = None
) -> Response[str]:
    """List addresses in alphabetical order."""
    _actor()
    walk = ["addresses", account_id]
    after = walks.position(cursor, walk, first="", parse=_parse_address)
    rows = store.list_addresses(limit, after, account=account_id)
    return walks.page_response("addresses", rows, limit, walk)


@app.delete("/api/admin/addresses/<address>", responses={204: {"description": "Removed."}}, tags=["Admin"])
def remove_address(address: Annotated[str, Path(min_length=1, max_length=320)]) -> Response[str]:
    """Take an address from its account. The account keeps its conversations; new messages are quarantined."""
    actor = _actor()
    for spelling in _stored_spellings(unquote(address)):
        if store.remove_address(actor, spelling):
            return Response(204, body="")
    raise NotFound("This address does not exist.")


# --- API keys ----------------------------------------------------------------------------------------


@app.post("/api/admin/keys", responses=api.response_schema(CreatedKey, 201), tags=["Admin"])
def create_key(key: Annotated[NewKey, Body()]) -> Response[str]:
    """Create an API key. The response is the only place that shows its secret."""
    secret = keys.generate_secret()
    document = store.create_key(
        _actor(), key.account_id, key.name, key.scopes, keys.hash_secret(secret), key.expires_at
    )
    if document is None:
        raise _no_such_account()
    fields = json.loads(document)
    created = {"key": f"mk_{fields['id']}_{secret}", **fields}
    return Response(201, api.JSON, json.dumps(created), {"Cache-Control": "no-store"})


@app.get("/api/admin/keys", responses=api.response_schema(KeyPage), tags=["Admin"])
def list_keys(limit: Limit = 50, cursor: Cursor = None, account_id: AccountFilter = None) -> Response[str]:
    """List API keys, without their secrets, in the order of their ids."""
    _actor()
    walk = ["keys", account_id]
    rows = store.list_keys(limit, walks.position(cursor, walk, first=0), account=account_id)
    return walks.page_response("keys", rows, limit, walk)


@app.delete("/api/admin/keys/<id>", responses=KEY, tags=["Admin"])
def revoke_key(id: Id) -> Response[str]:
    """Revoke an API key permanently. API Gateway may accept a key that was just used for one more minute."""
    return api.json_or_404(store.revoke_key(_actor(), id), "key")


# --- Audit log ---------------------------------------------------------------------------------------


@app.get("/api/admin/audit", responses=api.response_schema(AuditPage), tags=["Admin"])
def list_audit_events(
    limit: Limit = 50, cursor: Cursor = None, account_id: AccountFilter = None, key_id: KeyFilter = None
) -> Response[str]:
    """List audit events, newest first."""
    _actor()
    walk = ["audit", account_id, key_id]
    before = walks.position(cursor, walk, first=MAX_ID)
    rows = store.list_audit_events(limit, before, account=account_id, key=key_id)
    return walks.page_response("events", rows, limit, walk)


# --- Shared ------------------------------------------------------------------------------------------


def _actor() -> str:
    """The caller's name for the audit log. Raises PermissionDenied if the key lacks the scope `admin`."""
    return api.caller(app, "admin").name


def _stored_spellings(address: str) -> list[str]:
    """How the address may be stored: normalized, or as given.

    As given covers `*`, and addresses that were normalized differently before a change of the settings. Text
    that Postgres cannot hold is never stored.
    """
    if clean_text(address) != address:
        return []
    with suppress(PydanticCustomError):
        return list(dict.fromkeys((normalize_address(address), address)))
    return [address]


def _no_such_account() -> Invalid:
    return Invalid.field("account_id", "must be the id of an account")


def _created_or_existing(change: Change) -> Response[str]:
    status = 201 if change.outcome is ChangeOutcome.CREATED else 200
    return Response(status, api.JSON, change.document)


def _parse_address(text: str) -> str:
    if clean_text(text) != text:
        raise ValueError
    return text


# --- Triggers ----------------------------------------------------------------------------------------


_handle_request = api.handler(app, "admin")


def handler(event: LambdaEvent, context: LambdaContext) -> Any:
    if "operator" in event:
        response = _handle_request(_with_quoted_address(operators.request_event(event)), context)
        body = response.get("body")
        return response | {"body": json.loads(body) if body else None}
    return _handle_request(_with_quoted_address(event), context)


def _with_quoted_address(event: LambdaEvent) -> LambdaEvent:
    """An address may hold characters that Powertools does not match in a path, such as # and ?."""
    prefix, separator, address = event["rawPath"].partition("/api/admin/addresses/")
    if not address:
        return event
    return event | {"rawPath": prefix + separator + quote(address, safe="")}
