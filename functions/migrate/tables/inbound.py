"""What providers sent us, besides the messages."""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    DateTime,
    Index,
    LargeBinary,
    Table,
    Text,
    UniqueConstraint,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from tables.columns import account_id, id_, metadata, time

pending_reports = Table(
    "pending_reports",
    metadata,
    id_(),
    account_id(),
    Column("provider", Text, nullable=False),
    Column("provider_message_id", Text, nullable=False),
    Column("status", Text),
    Column("code", Text),
    Column("reason", Text),
    Column("occurred_at", DateTime(timezone=True), nullable=False),
    time("created_at", default=True),
    time("next_check_at", default=True),
    Column("reference", BigInteger),
    Index(
        "pending_reports_report_key",
        *("provider", "provider_message_id", "status", "code", "occurred_at"),
        unique=True,
        postgresql_nulls_not_distinct=True,
    ),
    Index("pending_reports_created_at_idx", "created_at"),
    Index("pending_reports_check_idx", "next_check_at"),
)

webhook_requests = Table(
    "webhook_requests",
    metadata,
    id_(),
    account_id(),
    Column("route", Text, nullable=False),
    Column("provider", Text, nullable=False),
    Column("received_at", DateTime(timezone=True), nullable=False),
    Column("verified_at", DateTime(timezone=True), nullable=False),
    Column("url", Text, nullable=False),
    Column("query", Text, nullable=False),
    Column("headers", JSONB, nullable=False, comment="without credentials"),
    Column("body", LargeBinary, nullable=False),
    Column("message_id", BigInteger, comment="that its first report names; see reported_message()"),
    Column("digest", LargeBinary, nullable=False, comment="the first 16 bytes of SHA-256 of query and body"),
    Column(
        "replay_token",
        Text,
        comment="hash of a token that the vendor signed instead of the body; only one request may bear it",
    ),
    Column("fault", Text, comment="why it could not be read, in our words; null if it was read"),
    Column("fault_kind", Text, comment="null if it was read"),
    Column("seen_at", DateTime(timezone=True), comment="when an operator first looked at it or dismissed it"),
    Column("dismissed_at", DateTime(timezone=True)),
    time("created_at", default=True),
    UniqueConstraint("message_id", "digest", "provider", postgresql_nulls_not_distinct=True),
    CheckConstraint("route IN ('sms', 'email')", name="route"),
    CheckConstraint(
        "fault_kind IN ('bug', 'unreadable', 'over_limit', 'refused', 'id_conflict')", name="fault_kind"
    ),
    Index(
        "webhook_requests_replay_token_key",
        "replay_token",
        unique=True,
        postgresql_where=text("replay_token IS NOT NULL"),
    ),
    Index("webhook_requests_received_at_idx", "received_at"),
    Index(
        "webhook_requests_unread_idx",
        "id",
        postgresql_where=text("fault IS NOT NULL AND dismissed_at IS NULL"),
    ),
)
"""Verified requests of providers as they came. They are stored for a while, to be read again after a fix."""
