"""Webhooks are kept as they came, and a report that comes twice is one event."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    op.execute(
        "DELETE FROM message_events e USING message_events f"
        " WHERE e.kind = 'report' AND f.kind = 'report' AND f.id < e.id AND f.message_id = e.message_id"
        " AND f.attempt = e.attempt AND f.provider_type = e.provider_type AND f.occurred_at = e.occurred_at"
        " AND f.status IS NOT DISTINCT FROM e.status AND f.code IS NOT DISTINCT FROM e.code"
    )
    op.create_index(
        "message_events_report_key",
        "message_events",
        ["message_id", "attempt", "provider_type", "status", "code", "occurred_at"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("kind = 'report'"),
    )
    op.add_column(
        "parked_reports",
        sa.Column(
            "next_look_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
    )
    op.create_index("parked_reports_created_at_idx", "parked_reports", ["created_at"])
    op.create_index("parked_reports_look_idx", "parked_reports", ["next_look_at"])
    op.create_table(
        "webhook_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column(
            "headers", postgresql.JSONB(), nullable=False, comment="without those that are credentials"
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False, comment="SHA-256 of query and body"),
        sa.Column("fault", sa.Text(), comment="why it could not be read, in our words; null where it was"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("route IN ('sms', 'email')", name=op.f("webhook_requests_route_check")),
        sa.PrimaryKeyConstraint("id", name="webhook_requests_pkey"),
        sa.UniqueConstraint("provider_type", "digest", name="webhook_requests_provider_type_digest_key"),
    )
    op.create_index("webhook_requests_received_at_idx", "webhook_requests", ["received_at"])
    op.create_index(
        "webhook_requests_unparsed_idx",
        "webhook_requests",
        ["id"],
        postgresql_where=sa.text("fault IS NOT NULL"),
    )
