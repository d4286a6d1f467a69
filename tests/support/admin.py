"""Accounts and keys, created as an operator does: by invoking the function."""

import json
from typing import Any

from tests.support.api import Answer, invoke


def operate(request: str, body: object = None) -> Answer:
    """Invoke the function with an order such as "POST /api/admin/keys"."""
    order: dict[str, Any] = {"operator": request}
    answer = invoke("admin", order | ({"body": body} if body is not None else {}))
    headers = {name.lower(): value for name, value in answer["headers"].items()}
    return Answer(answer["statusCode"], headers, json.dumps(answer["body"]).encode())


def make_key(account_id: int = 1, scopes: list[str] | None = None, **fields: object) -> str:
    body = {"account_id": account_id, "scopes": scopes or ["read", "send"]} | fields
    created = operate("POST /api/admin/keys", body)
    assert created.status == 201, created.body
    key: str = created.json["key"]
    return key


def key_of(key: str) -> str:
    """The secret of a key."""
    return key.split("_", 2)[2]


def make_account(name: str, *addresses: str) -> int:
    account: int = operate("POST /api/admin/accounts", {"name": name}).json["id"]
    for address in addresses:
        added = operate("POST /api/admin/addresses", {"address": address, "account_id": account})
        assert added.status == 201, added.body
    return account
