"""The initial schema."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0001"
down_revision = None


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sends_per_second", sa.Integer(), comment="null means no limit"),
        sa.Column("sends_per_day", sa.Integer(), comment="a day of UTC; null means no limit"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint(
            "coalesce(sends_per_second, 1) > 0 AND coalesce(sends_per_day, 1) > 0",
            name=op.f("accounts_limits_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("accounts_pkey")),
        sa.UniqueConstraint("name", name=op.f("accounts_name_key")),
    )
    op.create_table(
        "circuits",
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True)),
        sa.Column("openings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("provider", name=op.f("circuits_pkey")),
    )
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
        sa.PrimaryKeyConstraint("id", name=op.f("contacts_pkey")),
    )
    op.create_table(
        "leases",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("conversation_id", name=op.f("leases_pkey")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02},
    )
    op.create_index("leases_expires_at_idx", "leases", ["expires_at"])
    op.create_table(
        "outbound_queue",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("message_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column(
            "next_attempt_at",
            sa.DateTime(timezone=True),
            nullable=False,
            comment="unknown outcome: next check",
        ),
        sa.Column(
            "dispatch_at", sa.DateTime(timezone=True), nullable=False, comment="when the relay dispatches it"
        ),
        sa.Column(
            "dispatch_count", sa.SmallInteger(), server_default="0", nullable=False, comment="by the relay"
        ),
        sa.PrimaryKeyConstraint("conversation_id", "message_id", name=op.f("outbound_queue_pkey")),
        postgresql_with={"autovacuum_vacuum_scale_factor": 0.02, "autovacuum_analyze_scale_factor": 0.02},
    )
    op.create_index("outbound_queue_dispatch_idx", "outbound_queue", ["account_id", "dispatch_at"])
    op.create_table(
        "pending_reports",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text(), nullable=False),
        sa.Column("status", sa.Text()),
        sa.Column("code", sa.Text()),
        sa.Column("reason", sa.Text()),
        sa.Column("occurred_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column(
            "next_check_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("reference", sa.BigInteger()),
        sa.PrimaryKeyConstraint("id", name=op.f("pending_reports_pkey")),
    )
    op.create_index("pending_reports_check_idx", "pending_reports", ["next_check_at"])
    op.create_index("pending_reports_created_at_idx", "pending_reports", ["created_at"])
    op.create_index(
        "pending_reports_report_key",
        "pending_reports",
        ["provider", "provider_message_id", "status", "code", "occurred_at"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.create_table(
        "provider_message_ids",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "provider_message_id", name=op.f("provider_message_ids_pkey")),
    )
    op.create_table(
        "webhook_requests",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("verified_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("url", sa.Text(), nullable=False),
        sa.Column("query", sa.Text(), nullable=False),
        sa.Column(
            "headers", postgresql.JSONB(astext_type=sa.Text()), nullable=False, comment="without credentials"
        ),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.Column(
            "message_id",
            sa.BigInteger(),
            comment="that its first report names; see reported_message()",
        ),
        sa.Column(
            "digest",
            sa.LargeBinary(),
            nullable=False,
            comment="the first 16 bytes of SHA-256 of query and body",
        ),
        sa.Column(
            "replay_token",
            sa.Text(),
            comment="hash of a token that the vendor signed instead of the body; only one request may bear it",
        ),
        sa.Column("fault", sa.Text(), comment="why it could not be read, in our words; null if it was read"),
        sa.Column("fault_kind", sa.Text(), comment="null if it was read"),
        sa.Column(
            "seen_at",
            sa.DateTime(timezone=True),
            comment="when an operator first looked at it or dismissed it",
        ),
        sa.Column("dismissed_at", sa.DateTime(timezone=True)),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.CheckConstraint("route IN ('sms', 'email')", name=op.f("webhook_requests_route_check")),
        sa.CheckConstraint(
            "fault_kind IN ('bug', 'unreadable', 'over_limit', 'refused', 'id_conflict')",
            name=op.f("webhook_requests_fault_kind_check"),
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("webhook_requests_pkey")),
        sa.UniqueConstraint(
            "message_id",
            "digest",
            "provider",
            name=op.f("webhook_requests_message_id_digest_provider_key"),
            postgresql_nulls_not_distinct=True,
        ),
    )
    op.create_index("webhook_requests_received_at_idx", "webhook_requests", ["received_at"])
    op.create_index(
        "webhook_requests_replay_token_key",
        "webhook_requests",
        ["replay_token"],
        unique=True,
        postgresql_where=sa.text("replay_token IS NOT NULL"),
    )
    op.create_index(
        "webhook_requests_unread_idx",
        "webhook_requests",
        ["id"],
        postgresql_where=sa.text("fault IS NOT NULL AND dismissed_at IS NULL"),
    )
    op.create_table(
        "account_addresses",
        sa.Column(
            "address", sa.Text(), nullable=False, comment="* stands for all that no account owns by name"
        ),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["account_id"], ["accounts.id"], name=op.f("account_addresses_account_id_fkey")
        ),
        sa.PrimaryKeyConstraint("address", name=op.f("account_addresses_pkey")),
    )
    op.create_index("account_addresses_account_id_idx", "account_addresses", ["account_id", "address"])
    op.create_table(
        "account_sends",
        sa.Column("account_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("second", sa.DateTime(timezone=True), nullable=False, comment="the second that is counted"),
        sa.Column("in_second", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="the day of UTC that is counted"),
        sa.Column("in_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("account_sends_account_id_fkey")),
        sa.PrimaryKeyConstraint("account_id", name=op.f("account_sends_pkey")),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True), comment="to the minute"),
        sa.CheckConstraint(
            "scopes <@ '{send,read,admin}' AND cardinality(scopes) > 0", name=op.f("api_keys_scopes_check")
        ),
        sa.CheckConstraint("account_id > 0", name=op.f("api_keys_account_check")),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("api_keys_account_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("api_keys_pkey")),
        sa.UniqueConstraint("hash", name=op.f("api_keys_hash_key")),
    )
    op.create_index("api_keys_account_id_idx", "api_keys", ["account_id", "id"])
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
        sa.ForeignKeyConstraint(
            ["contact_id"], ["contacts.id"], name=op.f("contact_addresses_contact_id_fkey")
        ),
        sa.PrimaryKeyConstraint("account_id", "address", name=op.f("contact_addresses_pkey")),
    )
    op.create_index(op.f("contact_addresses_contact_id_idx"), "contact_addresses", ["contact_id"])
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
        sa.ForeignKeyConstraint(["contact_id"], ["contacts.id"], name=op.f("conversations_contact_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("conversations_pkey")),
        sa.UniqueConstraint(
            "account_id",
            "contact_address",
            "customer_address",
            name=op.f("conversations_account_id_contact_address_customer_address_key"),
        ),
        postgresql_with={"fillfactor": 70},
    )
    op.create_index("conversations_activity_idx", "conversations", ["account_id", "last_message_at", "id"])
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
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="that was changed"),
        sa.Column("key_id", sa.BigInteger(), comment="that was changed"),
        sa.Column("actor", sa.Text(), nullable=False, comment="operator, or key:<id>"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name=op.f("audit_events_account_id_fkey")),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name=op.f("audit_events_key_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("audit_events_pkey")),
    )
    op.create_index("audit_events_account_id_idx", "audit_events", ["account_id", "id"])
    op.create_index("audit_events_key_id_idx", "audit_events", ["key_id", "id"])
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
            "role IN ('customer', 'contact', 'cc')", name=op.f("conversation_participants_role_check")
        ),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name=op.f("conversation_participants_conversation_id_fkey"),
        ),
        sa.PrimaryKeyConstraint("conversation_id", "address", name=op.f("conversation_participants_pkey")),
    )
    op.create_table(
        "messages",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("conversation_id", sa.BigInteger(), nullable=False),
        sa.Column("direction", sa.Text(), nullable=False),
        sa.Column("type", sa.Text(), nullable=False),
        sa.Column("status", sa.Text(), nullable=False),
        sa.Column("from_name", sa.Text()),
        sa.Column("to_name", sa.Text()),
        sa.Column("cc", postgresql.JSONB(astext_type=sa.Text()), server_default="[]", nullable=False),
        sa.Column("cc_names", postgresql.JSONB(astext_type=sa.Text()), comment="by address"),
        sa.Column("reply_to", sa.Text()),
        sa.Column("reply_to_name", sa.Text()),
        sa.Column("headers", postgresql.JSONB(astext_type=sa.Text()), server_default="{}", nullable=False),
        sa.Column("subject", sa.Text()),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("html", sa.Text()),
        sa.Column("attachments", postgresql.JSONB(astext_type=sa.Text()), nullable=False),
        sa.Column(
            "timestamp", sa.DateTime(timezone=True), nullable=False, comment="the caller's or the provider's"
        ),
        sa.Column(
            "size",
            sa.Integer(),
            nullable=False,
            comment="bytes of its content as JSON in JSON, as Lambda answers: what a page is cut by",
        ),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column(
            "providers",
            sa.ARRAY(sa.Text()),
            comment="outbound: all that may carry it, in the order in which they are tried",
        ),
        sa.Column(
            "provider_message_id",
            sa.Text(),
            comment="outbound: the provider's id; see also id_at_provider()",
        ),
        sa.Column("inbound_key", sa.Text(), comment="inbound: the provider and its id; see inbound_key()"),
        sa.Column(
            "webhook_request_id",
            sa.BigInteger(),
            comment="inbound: the request that it came in; deleted before it is",
        ),
        sa.Column("delivery_policy", sa.Text(), comment="outbound"),
        sa.Column(
            "extra", postgresql.JSONB(astext_type=sa.Text()), comment="inbound: what else the provider said"
        ),
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
        sa.Column(
            "version", sa.Integer(), server_default="1", nullable=False, comment="grows with every change"
        ),
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
            "CASE direction WHEN 'inbound' THEN inbound_key IS NOT NULL AND provider_message_id IS NULL ELSE inbound_key IS NULL END",
            name=op.f("messages_inbound_key_check"),
        ),
        sa.CheckConstraint(
            "delivery_policy IN ('at_most_once', 'at_least_once')",
            name=op.f("messages_delivery_policy_check"),
        ),
        sa.CheckConstraint(
            "direction = 'inbound' OR coalesce(cardinality(providers), 0) > 0 AND delivery_policy IS NOT NULL",
            name=op.f("messages_outbound_check"),
        ),
        sa.CheckConstraint(
            "direction = 'outbound' AND status IN ('queued', 'sending', 'sent', 'delivered', 'read', 'failed', 'unknown') OR direction = 'inbound' AND status = 'received'",
            name=op.f("messages_status_check"),
        ),
        sa.CheckConstraint("type IN ('sms', 'mms', 'email')", name=op.f("messages_type_check")),
        sa.ForeignKeyConstraint(
            ["conversation_id"], ["conversations.id"], name=op.f("messages_conversation_id_fkey")
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("messages_pkey")),
        postgresql_with={"fillfactor": 89},
    )
    op.create_index(
        "messages_inbound_key",
        "messages",
        ["inbound_key"],
        unique=True,
        postgresql_where=sa.text("inbound_key IS NOT NULL"),
    )
    op.create_index("messages_page_idx", "messages", ["conversation_id", "id"])
    op.create_index(
        "messages_request_token_key",
        "messages",
        ["request_token"],
        unique=True,
        postgresql_where=sa.text("request_token IS NOT NULL"),
    )
    op.create_table(
        "attempts",
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("number", sa.SmallInteger(), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("token", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("provider_message_id", sa.Text(), comment="also in provider_message_ids"),
        sa.Column("outcome", sa.Text(), comment="the status that it ended in; null while it is open"),
        sa.Column(
            "failure", sa.Text(), comment="the kind of its failure; null if the provider took the message"
        ),
        sa.Column(
            "started_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.Column(
            "retry_at", sa.DateTime(timezone=True), comment="throttled: the provider asks not to retry before"
        ),
        sa.CheckConstraint(
            "failure IN ('temporary', 'throttled', 'unready', 'misconfigured', 'sender_not_allowed', 'permanent', 'unsendable', 'opted_out', 'unknown')",
            name=op.f("attempts_failure_check"),
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("attempts_message_id_fkey")),
        sa.PrimaryKeyConstraint("message_id", "number", name=op.f("attempts_pkey")),
        sa.UniqueConstraint("token", name=op.f("attempts_token_key")),
        postgresql_with={"fillfactor": 92},
    )
    op.create_index("attempts_recent_idx", "attempts", ["provider", "started_at"])
    op.create_table(
        "idempotency_keys",
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("fingerprint", sa.Text(), nullable=False),
        sa.Column("message_id", sa.BigInteger(), comment="null only inside the transaction that writes both"),
        sa.Column(
            "created_at",
            sa.DateTime(timezone=True),
            server_default=sa.text("clock_timestamp()"),
            nullable=False,
        ),
        sa.ForeignKeyConstraint(
            ["message_id"], ["messages.id"], name=op.f("idempotency_keys_message_id_fkey")
        ),
        sa.PrimaryKeyConstraint("account_id", "route", "key", name=op.f("idempotency_keys_pkey")),
    )
    op.create_index("idempotency_keys_created_at_idx", "idempotency_keys", ["created_at"])
    op.create_table(
        "message_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), server_default="1", nullable=False),
        sa.Column("message_id", sa.BigInteger(), nullable=False),
        sa.Column("attempt", sa.SmallInteger(), nullable=False),
        sa.Column("kind", sa.Text(), nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
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
        sa.CheckConstraint(
            "kind IN ('attempt', 'report', 'resolved')", name=op.f("message_events_kind_check")
        ),
        sa.ForeignKeyConstraint(["message_id"], ["messages.id"], name=op.f("message_events_message_id_fkey")),
        sa.PrimaryKeyConstraint("id", name=op.f("message_events_pkey")),
    )
    op.create_index("message_events_message_idx", "message_events", ["message_id", "id"])
    op.create_index(
        "message_events_report_key",
        "message_events",
        ["message_id", "attempt", "provider", "status", "code", "occurred_at"],
        unique=True,
        postgresql_nulls_not_distinct=True,
        postgresql_where=sa.text("kind = 'report'"),
    )
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is append-only', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
        EXECUTE FUNCTION refuse_change()
    """)
    # 0 is the quarantine; 1 is the first account.
    op.execute("INSERT INTO accounts (id, name) VALUES (0, 'quarantine')")
    op.execute("INSERT INTO accounts (name) VALUES ('default')")
