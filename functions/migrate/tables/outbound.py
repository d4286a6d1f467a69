"""What becomes of a message that we send."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Index,
    SmallInteger,
    Table,
    Text,
    Uuid,
    text,
)

from tables.columns import account_id, id_, metadata, time

idempotency_keys = Table(
    "idempotency_keys",
    metadata,
    Column("account_id", BigInteger, primary_key=True, server_default="1"),
    Column("route", Text, primary_key=True),
    Column("key", Text, primary_key=True),
    Column("fingerprint", Text, nullable=False),
    Column(
        "message_id", ForeignKey("messages.id"), comment="null only inside the transaction that makes both"
    ),
    time("created_at", default=True),
    Index("idempotency_keys_created_at_idx", "created_at"),
)

attempts = Table(
    "attempts",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    account_id(),
    Column("token", Uuid, nullable=False, unique=True),
    Column("provider", Text, nullable=False),
    Column("provider_message_id", Text),
    Column("outcome", Text, comment="the status that it ended in; null while it is open"),
    Column("failure", Text, comment="its kind, in delivery's words; null where it was taken"),
    time("started_at", default=True),
    time("ended_at"),
    Column("retry_at", DateTime(timezone=True), comment="throttled: not before, says its provider"),
    Index(
        "attempts_provider_message_key",
        "provider",
        "provider_message_id",
        unique=True,
        postgresql_where=text("provider_message_id IS NOT NULL"),
    ),
    Index("attempts_recent_idx", "provider", "started_at", postgresql_where=text("ended_at IS NOT NULL")),
)

circuits = Table(
    "circuits",
    metadata,
    # Of no account: a provider that ails does so for all who share it.
    Column("provider", Text, primary_key=True),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    time("open_until"),
    Column("openings", SmallInteger, nullable=False, server_default="0"),
)
"""Providers that have been let alone for failing. Closed: no row, or no `open_until`."""

message_events = Table(
    "message_events",
    metadata,
    id_(),
    account_id(),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("token", Uuid, unique=True, comment="report: made by the call that brought it"),
    Column("provider", Text, nullable=False),
    Column("status", Text),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False, comment="by the provider's clock"),
    time("created_at", default=True),
    CheckConstraint("kind IN ('attempt', 'report', 'resolved')", name="kind"),
    Index("message_events_message_idx", "message_id", "id"),
    Index(  # the same report again adds nothing
        "message_events_report_key",
        *("message_id", "attempt", "provider", "status", "code", "occurred_at"),
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=text("kind = 'report'"),
    ),
)
