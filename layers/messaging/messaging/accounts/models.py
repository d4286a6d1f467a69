"""The request and response bodies of /api/admin: accounts, addresses, keys and audit events."""

from datetime import UTC, datetime
from typing import Annotated, Any, Self

from pydantic import (
    AfterValidator,
    AwareDatetime,
    BeforeValidator,
    ConfigDict,
    Field,
    WrapValidator,
    model_validator,
)
from pydantic_core import PydanticCustomError

from messaging.accounts.caller import Scope
from messaging.address import Address
from messaging.fields import Text, Time
from messaging.models import MAX_ID, Model

ANY_ADDRESS = "*"
"""Every address that no account owns by name."""

Name = Annotated[
    Text,
    Field(min_length=1, max_length=200),
    BeforeValidator(lambda text: text.strip() if isinstance(text, str) else text),
]
Limit = Annotated[int, Field(strict=True, ge=1, le=2**31 - 1)]
AccountId = Annotated[int, Field(ge=1, le=MAX_ID)]


class _Request(Model):
    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)


class NewAccount(_Request):
    """A new account. Names are unique."""

    name: Name
    sends_per_second: Limit | None = None
    """None means unlimited."""
    sends_per_day: Limit | None = None
    """A day begins at midnight UTC."""


class AccountChange(_Request):
    """The fields of an account to change. A limit of null removes the limit."""

    name: Name = ""
    sends_per_second: Limit | None = None
    sends_per_day: Limit | None = None

    @model_validator(mode="after")
    def _has_a_field(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "must change at least one field")
        return self


class NewAddress(_Request):
    """An address for an account to own. `*` is every address that no account owns by name."""

    address: Annotated[
        Address, WrapValidator(lambda text, validate: text if text == ANY_ADDRESS else validate(text))
    ]
    account_id: AccountId


def _sorted_unique(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


def _future(time: datetime) -> datetime:
    if time <= datetime.now(UTC):
        raise PydanticCustomError("past", "must be in the future")
    return time


class NewKey(_Request):
    """A new API key."""

    account_id: AccountId
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10), AfterValidator(_sorted_unique)]
    name: Annotated[Text, Field(max_length=200)] = ""
    expires_at: Annotated[Time, AfterValidator(_future)] | None = None


class Account(Model):
    """An account."""

    id: int
    name: str
    sends_per_second: int | None
    sends_per_day: int | None
    created_at: AwareDatetime


class AccountAddress(Model):
    """An address, and the account that owns it."""

    address: str
    account_id: int
    created_at: AwareDatetime


class Key(Model):
    """An API key, without its secret. The service has only a hash of the secret."""

    id: int
    account_id: int
    name: str
    scopes: list[Scope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: Annotated[AwareDatetime | None, Field(description="Accurate to one minute.")]


class CreatedKey(Key):
    """A new API key with its secret. The secret is never shown again."""

    key: Annotated[str, Field(description="Use it in the header `Authorization: Bearer mk_...`.")]


class AuditEvent(Model):
    """A change of an account, an address or a key, or what an operator did with an unread webhook."""

    id: int
    account_id: int
    key_id: int | None
    actor: Annotated[str, Field(description="Who made the change: `operator`, or `key:<id>`.")]
    action: str
    details: dict[str, Any]
    created_at: AwareDatetime


class AccountPage(Model):
    """A page of accounts. `next_cursor` is null on the last page."""

    accounts: list[Account]
    next_cursor: str | None


class AddressPage(Model):
    """A page of addresses. `next_cursor` is null on the last page."""

    addresses: list[AccountAddress]
    next_cursor: str | None


class KeyPage(Model):
    """A page of API keys. `next_cursor` is null on the last page."""

    keys: list[Key]
    next_cursor: str | None


class AuditPage(Model):
    """A page of audit events. `next_cursor` is null on the last page."""

    events: list[AuditEvent]
    next_cursor: str | None
