"""The tables. Their unique constraints keep the promises; `functions/migrate` makes and changes them."""

from sqlalchemy import (
    ARRAY,
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    ForeignKey,
    Identity,
    Index,
    Integer,
    MetaData,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    func,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

metadata = MetaData(
    naming_convention={
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "uq": "%(table_name)s_%(column_0_N_name)s_key",
        "ix": "%(table_name)s_%(column_0_N_name)s_idx",
        "ck": "%(table_name)s_%(constraint_name)s_check",
    }
)


def _id() -> Column[int]:
    return Column("id", BigInteger, Identity(), primary_key=True)


def _account_id() -> Column[int]:
    return Column("account_id", BigInteger, nullable=False, server_default="1")


def _time(name: str, *, default: bool = False) -> Column[object]:
    """With `default`, the moment of the row's own writing: a transaction that waited began earlier."""
    return Column(
        name,
        DateTime(timezone=True),
        nullable=not default,
        server_default=func.clock_timestamp() if default else None,
    )


contacts = Table("contacts", metadata, _id(), _account_id(), _time("created_at", default=True))

contact_addresses = Table(
    "contact_addresses",
    metadata,
    Column("account_id", BigInteger, primary_key=True, server_default="1"),
    Column("address", Text, primary_key=True),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False, index=True),
    _time("created_at", default=True),
)

conversations = Table(
    "conversations",
    metadata,
    _id(),
    _account_id(),
    Column("customer_address", Text, nullable=False),
    Column("contact_address", Text, nullable=False),
    Column("contact_id", ForeignKey("contacts.id"), nullable=False),
    Column("types", ARRAY(Text), nullable=False, comment="of the messages that it holds, each once"),
    _time("created_at", default=True),
    _time("last_message_at", default=True),
    UniqueConstraint("account_id", "customer_address", "contact_address"),
    Index("conversations_activity_idx", "account_id", "last_message_at", "id"),
    Index("conversations_customer_activity_idx", "account_id", "customer_address", "last_message_at", "id"),
    Index("conversations_contact_activity_idx", "account_id", "contact_address", "last_message_at", "id"),
    *(
        Index(
            f"conversations_{channel}_activity_idx",
            "account_id",
            "last_message_at",
            "id",
            postgresql_where=text(f"'{channel}' = ANY (types)"),
        )
        for channel in ("sms", "mms", "email")
    ),
)

conversation_participants = Table(
    "conversation_participants",
    metadata,
    Column("conversation_id", ForeignKey("conversations.id"), primary_key=True),
    Column("address", Text, primary_key=True),
    _account_id(),
    Column("role", Text, nullable=False),
    _time("created_at", default=True),
    CheckConstraint("role IN ('customer', 'contact')", name="role"),
)

messages = Table(
    "messages",
    metadata,
    _id(),
    _account_id(),
    Column("conversation_id", ForeignKey("conversations.id"), nullable=False),
    Column("direction", Text, nullable=False),
    Column("type", Text, nullable=False),
    Column("status", Text, nullable=False),
    Column("subject", Text),
    Column("body", Text, nullable=False),
    Column("html", Text),
    Column("attachments", JSONB, nullable=False),
    Column("timestamp", DateTime(timezone=True), nullable=False, comment="the caller's or the provider's"),
    Column(
        "size",
        Integer,
        nullable=False,
        comment="bytes of its content as JSON in JSON, as Lambda answers: what a page is cut by",
    ),
    Column("provider_type", Text, nullable=False),
    Column(
        "provider_types",
        ARRAY(Text),
        nullable=False,
        server_default="{}",
        comment="outbound: all that may carry it, in the order in which they are tried",
    ),
    Column("provider_message_id", Text),
    Column("delivery_policy", Text, nullable=False, server_default="at_most_once"),
    Column("extra", JSONB, comment="inbound: what else the provider said"),
    Column("error_code", Text),
    Column("error_reason", Text),
    Column("request_token", Uuid, unique=True, comment="outbound: made by the accepting call"),
    Column("report_rank", SmallInteger, nullable=False, server_default="0", comment="of the highest report"),
    Column("attempt_count", SmallInteger, nullable=False, server_default="0"),
    Column("nudge_count", SmallInteger, nullable=False, server_default="0"),
    _time("next_attempt_at"),
    _time("next_nudge_at"),
    _time("lease_expires_at"),
    _time("created_at", default=True),
    _time("updated_at", default=True),
    CheckConstraint(
        "direction = 'outbound' AND status IN"
        " ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown')"
        " OR direction = 'inbound' AND status = 'received' AND provider_message_id IS NOT NULL",
        name="status",
    ),
    CheckConstraint("type IN ('sms', 'mms', 'email')", name="type"),
    CheckConstraint("delivery_policy IN ('at_most_once', 'at_least_once')", name="delivery_policy"),
    Index("messages_page_idx", "conversation_id", "id"),
    Index(
        "messages_inbound_key",
        "provider_type",
        "provider_message_id",
        unique=True,
        postgresql_where=text("direction = 'inbound'"),
    ),
    Index(
        "messages_pending_idx",
        "conversation_id",
        "id",
        postgresql_where=text("status IN ('queued', 'sending')"),
    ),
    Index("messages_nudge_idx", "next_nudge_at", postgresql_where=text("next_nudge_at IS NOT NULL")),
    Index("messages_lease_idx", "lease_expires_at", postgresql_where=text("status = 'sending'")),
)

attempts = Table(
    "attempts",
    metadata,
    Column("message_id", ForeignKey("messages.id"), primary_key=True),
    Column("number", SmallInteger, primary_key=True),
    _account_id(),
    Column("token", Uuid, nullable=False, unique=True),
    Column("provider_type", Text, nullable=False),
    Column("provider_message_id", Text),
    Column("outcome", Text, comment="the status that it ended in; null while it is open"),
    Column("failure", Text, comment="its kind, in delivery's words; null where it was taken"),
    _time("started_at", default=True),
    _time("ended_at"),
    Index(
        "attempts_provider_message_key",
        "provider_type",
        "provider_message_id",
        unique=True,
        postgresql_where=text("provider_message_id IS NOT NULL"),
    ),
    Index("attempts_recent_idx", "provider_type", "ended_at", postgresql_where=text("ended_at IS NOT NULL")),
)

circuits = Table(
    "circuits",
    metadata,
    # Of no account: a provider that ails does so for all who share it.
    Column("provider_type", Text, primary_key=True),
    Column("changed_at", DateTime(timezone=True), nullable=False),
    _time("open_until"),
    Column("openings", SmallInteger, nullable=False, server_default="0"),
)
"""Providers that have been let alone for failing. Closed: no row, or no `open_until`."""

message_events = Table(
    "message_events",
    metadata,
    _id(),
    _account_id(),
    Column("message_id", ForeignKey("messages.id"), nullable=False),
    Column("attempt", SmallInteger, nullable=False),
    Column("kind", Text, nullable=False),
    Column("token", Uuid, unique=True, comment="report: made by the call that brought it"),
    Column("provider_type", Text, nullable=False),
    Column("status", Text),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False, comment="by the provider's clock"),
    _time("created_at", default=True),
    CheckConstraint("kind IN ('attempt', 'report', 'settled')", name="kind"),
    Index("message_events_message_idx", "message_id", "id"),
)

parked_reports = Table(
    "parked_reports",
    metadata,
    _id(),
    _account_id(),
    Column("token", Uuid, nullable=False, unique=True),
    Column("provider_type", Text, nullable=False),
    Column("provider_message_id", Text, nullable=False),
    Column("status", Text),
    Column("rank", SmallInteger, nullable=False),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    _time("created_at", default=True),
    Index("parked_reports_message_idx", "provider_type", "provider_message_id", "id"),
)

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
    _time("created_at", default=True),
    Index("idempotency_keys_created_at_idx", "created_at"),
)
