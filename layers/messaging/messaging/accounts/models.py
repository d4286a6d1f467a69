"""Accounts, their addresses and their keys, as an administrator writes and reads them."""

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
"""All that no account owns by name."""

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
    """An account to be made; its name is no other's."""

    name: Name
    sends_per_second: Limit | None = None
    """None is no limit."""
    sends_per_day: Limit | None = None
    """Of UTC."""


class AccountChange(_Request):
    """What is to change of an account; a limit that is null is no limit any more."""

    name: Name = ""
    sends_per_second: Limit | None = None
    sends_per_day: Limit | None = None

    @model_validator(mode="after")
    def _changes(self) -> Self:
        if not self.model_fields_set:
            raise PydanticCustomError("nothing", "say what is to change")
        return self


class NewAddress(_Request):
    """An address that an account is to own; `*` is every address that no account owns by name."""

    address: Annotated[Address, WrapValidator(lambda text, read: text if text == ANY_ADDRESS else read(text))]
    account_id: AccountId


def _once(scopes: list[Scope]) -> list[Scope]:
    return sorted(set(scopes))


def _ahead(moment: datetime) -> datetime:
    if moment <= datetime.now(UTC):
        raise PydanticCustomError("past", "must lie ahead")
    return moment


class NewKey(_Request):
    """A key to be made."""

    account_id: AccountId
    scopes: Annotated[list[Scope], Field(min_length=1, max_length=10), AfterValidator(_once)]
    name: Annotated[Text, Field(max_length=200)] = ""
    expires_at: Annotated[Time, AfterValidator(_ahead)] | None = None


class Account(Model):
    id: int
    name: str
    sends_per_second: int | None
    sends_per_day: int | None
    created_at: AwareDatetime


class AccountAddress(Model):
    address: str
    account_id: int
    created_at: AwareDatetime


class Key(Model):
    """A key without its secret, of which we have the hash alone."""

    id: int
    account_id: int
    name: str
    scopes: list[Scope]
    created_at: AwareDatetime
    expires_at: AwareDatetime | None
    revoked_at: AwareDatetime | None
    last_used_at: Annotated[AwareDatetime | None, Field(description="To the minute.")]


class MadeKey(Key):
    """A key as it is shown once."""

    key: Annotated[str, Field(description="For the header: Authorization: Bearer mk_...")]


class AuditEvent(Model):
    """What was done with an account or a key."""

    id: int
    account_id: int
    key_id: int | None
    actor: Annotated[str, Field(description="operator, or key:<id>")]
    action: str
    details: dict[str, Any]
    created_at: AwareDatetime


class AccountPage(Model):
    accounts: list[Account]
    next_cursor: str | None


class AddressPage(Model):
    addresses: list[AccountAddress]
    next_cursor: str | None


class KeyPage(Model):
    keys: list[Key]
    next_cursor: str | None


class AuditPage(Model):
    events: list[AuditEvent]
    next_cursor: str | None
