"""What providers told us, beside the messages."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    SmallInteger,
    Table,
    Text,
    UniqueConstraint,
    Uuid,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tables.columns import account_id, id_, metadata, time

parked_reports = Table(
    "parked_reports",
    metadata,
    id_(),
    account_id(),
    Column("token", Uuid, nullable=False, unique=True),
    Column("provider_type", Text, nullable=False),
    Column("provider_message_id", Text, nullable=False),
    Column("status", Text),
    Column("rank", SmallInteger, nullable=False),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    time("created_at", default=True),
    time("next_look_at", default=True),
    Column("reference", BigInteger),
    Index(
        "parked_reports_report_key",
        *("provider_type", "provider_message_id", "status", "code", "occurred_at"),
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("parked_reports_created_at_idx", "created_at"),
    Index("parked_reports_look_idx", "next_look_at"),
)

webhook_requests = Table(
    "webhook_requests",
    metadata,
    id_(),
    account_id(),
    Column("route", Text, nullable=False),
    Column("provider_type", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("verified_at", DateTime(timezone=True), nullable=False),
    Column("url", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("headers", JSONB, nullable=False, comment="without those that are credentials"),
    Column("body", LargeBinary, nullable=False),
    Column("digest", LargeBinary, nullable=False, comment="SHA-256 of query and body"),
    Column(
        "once",
        Text,
        comment="of what its vendor signed in the body's stead, and by which key: good for one request",
    ),
    Column("fault", Text, comment="why it could not be read, in our words; null where it was"),
    time("created_at", default=True),
    UniqueConstraint("provider_type", "digest"),
    CheckConstraint("route IN ('sms', 'email')", name="route"),
    Index(
        "webhook_requests_once_key",
        "once",
        unique=True,
        postgresql_where=text("once IS NOT NULL"),
    ),
    Index("webhook_requests_received_at_idx", "received_at"),
    Index("webhook_requests_unparsed_idx", "id", postgresql_where=text("fault IS NOT NULL")),
)
"""What providers sent us, as it came: kept for a while, to be read again after a fault of our reading."""
