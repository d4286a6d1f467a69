"""Accounts, which own conversations, and the keys that may send and read."""

from sqlalchemy import (
    ARRAY,
    CheckConstraint,
    Column,
    Date,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    Table,
    Text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tables.columns import id_, metadata, time

accounts = Table(
    "accounts",
    metadata,
    id_(),
    Column("name", Text, nullable=False, unique=True),
    Column("sends_per_second", Integer, comment="null means no limit"),
    Column("sends_per_day", Integer, comment="a day of UTC; null means no limit"),
    time("created_at", default=True),
    CheckConstraint("coalesce(sends_per_second, 1) > 0 AND coalesce(sends_per_day, 1) > 0", name="limits"),
)
"""0 is the quarantine, for messages to an address that no account owns. 1 exists from the beginning."""


def _account() -> Column[int]:
    return Column("account_id", ForeignKey("accounts.id"), nullable=False)


account_addresses = Table(
    "account_addresses",
    metadata,
    Column("address", Text, primary_key=True, comment="* stands for all that no account owns by name"),
    _account(),
    time("created_at", default=True),
    Index("account_addresses_account_id_idx", "account_id", "address"),
)

account_sends = Table(
    "account_sends",
    metadata,
    Column("account_id", ForeignKey("accounts.id"), primary_key=True, autoincrement=False),
    Column("second", DateTime(timezone=True), nullable=False, comment="the second that is counted"),
    Column("in_second", Integer, nullable=False),
    Column("day", Date, nullable=False, comment="the day of UTC that is counted"),
    Column("in_day", Integer, nullable=False),
)
"""A row for each account that has a limit and has sent."""

api_keys = Table(
    "api_keys",
    metadata,
    id_(),
    _account(),
    Column("name", Text, nullable=False),
    Column("scopes", ARRAY(Text), nullable=False),
    Column("hash", LargeBinary, nullable=False, unique=True, comment="SHA-256 of the secret"),
    time("created_at", default=True),
    time("expires_at"),
    time("revoked_at"),
    Column("last_used_at", DateTime(timezone=True), comment="to the minute"),
    CheckConstraint("account_id > 0", name="account"),
    CheckConstraint("scopes <@ '{send,read,admin}' AND cardinality(scopes) > 0", name="scopes"),
    Index("api_keys_account_id_idx", "account_id", "id"),
)

audit_events = Table(
    "audit_events",
    metadata,
    id_(),
    Column("account_id", ForeignKey("accounts.id"), nullable=False, comment="that was changed"),
    Column("key_id", ForeignKey("api_keys.id"), comment="that was changed"),
    Column("actor", Text, nullable=False, comment="operator, or key:<id>"),
    Column("action", Text, nullable=False),
    Column("details", JSONB, nullable=False, server_default="{}"),
    time("created_at", default=True),
    Index("audit_events_account_id_idx", "account_id", "id"),
    Index("audit_events_key_id_idx", "key_id", "id"),
)
"""Append-only: a trigger refuses everything else."""
