"""API keys, created and revoked as an operator does: by invoking a function."""

from typing import Any, NamedTuple

from local import Stack


class Key(NamedTuple):
    id: int
    text: str

    @property
    def headers(self) -> dict[str, str]:
        return bearer(self.text)


def bearer(text: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {text}"}


def make(stack: Stack, *scopes: str, account: int = 1, **fields: object) -> Key:
    created = operate(stack, "POST /api/admin/keys", {"account_id": account, "scopes": scopes, **fields})
    return Key(created["id"], created["key"])


def revoke(stack: Stack, key: Key) -> None:
    operate(stack, f"DELETE /api/admin/keys/{key.id}")


def operate(stack: Stack, order: str, body: object = None) -> Any:
    answer = stack.invoke("Admin", {"operator": order} | ({} if body is None else {"body": body}))
    assert answer["statusCode"] < 300, answer
    return answer["body"]
