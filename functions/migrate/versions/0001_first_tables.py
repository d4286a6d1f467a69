"""The first tables."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "contacts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="contacts_pkey"),
    )
    op.create_table(
        "parked_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("rank", sa.SmallInteger(), nullable=False),
        sa.Column("code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.PrimaryKeyConstraint("id", name="parked_reports_pkey"),
        sa.UniqueConstraint("token", name="parked_reports_token_key"),
    )
    op.create_index(
        "parked_reports_message_idx", "parked_reports", ["provider_type", "provider_message_id", "id"]
    )
    op.create_table(
        "contact_addresses",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name="contact_addresses_contact_id_fkey"),
        sa.PrimaryKeyConstraint("account_id", "address", name="contact_addresses_pkey"),
    )
    op.create_index("contact_addresses_contact_id_idx", "contact_addresses", ["contact_id"])
    op.create_table(
        "conversations",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("customer_address", sa.Text(), nullable=False),
        sa.Column("contact_address", sa.Text(), nullable=False),
        sa.Column("contact_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "types", sa.ARRAY(sa.Text()), nullable=False, comment="of the messages that it holds, each once"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "last_message_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name="conversations_contact_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="conversations_pkey"),
        sa.UniqueConstraint(
            "account_id",
            "customer_address",
            "contact_address",
            name="conversations_account_id_customer_address_contact_address_key",
        ),
    )
    op.create_index("conversations_activity_idx", "conversations", ["account_id", "last_message_at", "id"])
    op.create_index(
        "conversations_contact_activity_idx",
        "conversations",
        ["account_id", "contact_address", "last_message_at", "id"],
    )
    op.create_index(
        "conversations_customer_activity_idx",
        "conversations",
        ["account_id", "customer_address", "last_message_at", "id"],
    )
    op.create_index(
        "conversations_email_activity_idx",
        "conversations",
        ["account_id", "last_message_at", "id"],
        postgresql_where=sa.text("'email' = ANY (types)"),
    )
    op.create_index(
        "conversations_mms_activity_idx",
        "conversations",
        ["account_id", "last_message_at", "id"],
        postgresql_where=sa.text("'mms' = ANY (types)"),
    )
    op.create_index(
        "conversations_sms_activity_idx",
        "conversations",
        ["account_id", "last_message_at", "id"],
        postgresql_where=sa.text("'sms' = ANY (types)"),
    )
    op.create_table(
        "conversation_participants",
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("role", sa.Text(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "role IN ('customer', 'contact')", name=op.f("conversation_participants_role_check")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="conversation_participants_conversation_id_fkey"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "address", name="conversation_participants_pkey"),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("html", sa.Text()),
        sa.Column("attachments", postgresql.JSONB(), nullable=False),
        sa.Column(
            "timestamp", sa.DateTime(timezone=True), nullable=False, comment="the caller's or the provider's"
        ),
        sa.Column(
            "size",
            sa.Integer(),
            nullable=False,
            comment="bytes of its content as JSON in JSON, as Lambda answers: what a page is cut by",
        ),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text()),
        sa.Column("extra", postgresql.JSONB(), comment="inbound: what else the provider said"),
        sa.Column("error_code", sa.Text()),
        sa.Column("error_reason", sa.Text()),
        sa.Column("request_token", sa.Uuid(), comment="outbound: made by the accepting call"),
        sa.Column(
            "report_rank",
            sa.SmallInteger(),
            server_default="0",
            nullable=False,
            comment="of the highest report",
        ),
        sa.Column("attempt_count", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("nudge_count", sa.SmallInteger(), server_default="0", nullable=False),
        sa.Column("next_attempt_at", sa.DateTime(timezone=True)),
        sa.Column("next_nudge_at", sa.DateTime(timezone=True)),
        sa.Column("lease_expires_at", sa.DateTime(timezone=True)),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "updated_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "direction = 'outbound' AND status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown') OR direction = 'inbound' AND status = 'received' AND provider_message_id IS NOT NULL",
            name=op.f("messages_status_check"),
        ),
        sa.CheckConstraint("type IN ('sms', 'mms', 'email')", name=op.f("messages_type_check")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name="messages_conversation_id_fkey"
        ),
        sa.PrimaryKeyConstraint("id", name="messages_pkey"),
        sa.UniqueConstraint("request_token", name="messages_request_token_key"),
    )
    op.create_index(
        "messages_inbound_key",
        "messages",
        ["provider_type", "provider_message_id"],
        unique=True,
        postgresql_where=sa.text("direction = 'inbound'"),
    )
    op.create_index(
        "messages_lease_idx", "messages", ["lease_expires_at"], postgresql_where=sa.text("status = 'sending'")
    )
    op.create_index(
        "messages_nudge_idx", "messages", ["next_nudge_at"], postgresql_where=sa.text("status = 'queued'")
    )
    op.create_index("messages_page_idx", "messages", ["conversation_id", "id"])
    op.create_table(
        "attempts",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text()),
        sa.Column("outcome", sa.Text(), comment="the status that it ended in; null while it is open"),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="attempts_message_id_fkey"),
        sa.PrimaryKeyConstraint("message_id", "number", name="attempts_pkey"),
        sa.UniqueConstraint("token", name="attempts_token_key"),
    )
    op.create_index(
        "attempts_provider_message_key",
        "attempts",
        ["provider_type", "provider_message_id"],
        unique=True,
        postgresql_where=sa.text("provider_message_id IS NOT NULL"),
    )
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), comment="null only inside the transaction that makes both"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="idempotency_keys_message_id_fkey"),
        sa.PrimaryKeyConstraint("account_id", "route", "key", name="idempotency_keys_pkey"),
    )
    op.create_index("idempotency_keys_created_at_idx", "idempotency_keys", ["created_at"])
    op.create_table(
        "message_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("token", sa.Uuid(), comment="report: made by the call that brought it"),
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column(
            "occurred_at", sa.DateTime(timezone=True), nullable=False, comment="by the provider's clock"
        ),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("kind IN ('attempt', 'report')", name=op.f("message_events_kind_check")),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name="message_events_message_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="message_events_pkey"),
        sa.UniqueConstraint("token", name="message_events_token_key"),
    )
    op.create_index("message_events_message_idx", "message_events", ["message_id", "id"])
