"""Accounts, the addresses that they own, their keys, and what was done with these."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0007"
down_revision = "0006"

NOW = sa.text("clock_timestamp()")


def created_at() -> sa.Column[object]:
    return sa.Column("created_at", sa.DateTime(timezone=True), server_default=NOW, nullable=False)


def upgrade() -> None:
    op.create_table(
        "accounts",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("sends_per_second", sa.Integer(), comment="null is no limit"),
        sa.Column("sends_per_day", sa.Integer(), comment="of UTC; null is no limit"),
        created_at(),
        sa.CheckConstraint(
            "coalesce(sends_per_second, 1) > 0 AND coalesce(sends_per_day, 1) > 0",
            name=op.f("accounts_limits_check"),
        ),
        sa.PrimaryKeyConstraint("id", name="accounts_pkey"),
        sa.UniqueConstraint("name", name="accounts_name_key"),
    )
    op.execute("INSERT INTO accounts (id, name) VALUES (0, 'quarantine')")
    op.execute(
        "INSERT INTO accounts (name) VALUES ('default')"
    )  # 1, whose everything is that was there before
    op.create_table(
        "account_addresses",
        sa.Column("address", sa.Text(), nullable=False, comment="* is all that nobody owns by name"),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        created_at(),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="account_addresses_account_id_fkey"),
        sa.PrimaryKeyConstraint("address", name="account_addresses_pkey"),
    )
    op.create_index("account_addresses_account_id_idx", "account_addresses", ["account_id", "address"])
    op.execute(
        "INSERT INTO account_addresses (address, account_id)"
        " SELECT DISTINCT customer_address, account_id FROM conversations"
    )
    op.create_table(
        "account_sends",
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("second", sa.DateTime(timezone=True), nullable=False, comment="that is counted"),
        sa.Column("in_second", sa.Integer(), nullable=False),
        sa.Column("day", sa.Date(), nullable=False, comment="that is counted, of UTC"),
        sa.Column("in_day", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="account_sends_account_id_fkey"),
        sa.PrimaryKeyConstraint("account_id", name="account_sends_pkey"),
    )
    op.create_table(
        "api_keys",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("scopes", sa.ARRAY(sa.Text()), nullable=False),
        sa.Column("hash", sa.LargeBinary(), nullable=False, comment="SHA-256 of the secret"),
        created_at(),
        sa.Column("expires_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("last_used_at", sa.DateTime(timezone=True), comment="to the minute"),
        sa.CheckConstraint("account_id > 0", name=op.f("api_keys_account_check")),
        sa.CheckConstraint(
            "scopes <@ '{send,read,admin}' AND cardinality(scopes) > 0", name=op.f("api_keys_scopes_check")
        ),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="api_keys_account_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="api_keys_pkey"),
        sa.UniqueConstraint("hash", name="api_keys_hash_key"),
    )
    op.create_index("api_keys_account_id_idx", "api_keys", ["account_id", "id"])
    op.create_table(
        "audit_events",
        sa.Column("id", sa.BigInteger(), sa.Identity(always=False), nullable=False),
        sa.Column("account_id", sa.BigInteger(), nullable=False, comment="that it was done to"),
        sa.Column("key_id", sa.BigInteger(), comment="that it was done to"),
        sa.Column("actor", sa.Text(), nullable=False, comment="operator, or key:<id>"),
        sa.Column("action", sa.Text(), nullable=False),
        sa.Column("details", postgresql.JSONB(), server_default="{}", nullable=False),
        created_at(),
        sa.ForeignKeyConstraint(["account_id"], ["accounts.id"], name="audit_events_account_id_fkey"),
        sa.ForeignKeyConstraint(["key_id"], ["api_keys.id"], name="audit_events_key_id_fkey"),
        sa.PrimaryKeyConstraint("id", name="audit_events_pkey"),
    )
    op.create_index("audit_events_account_id_idx", "audit_events", ["account_id", "id"])
    op.create_index("audit_events_key_id_idx", "audit_events", ["key_id", "id"])
    op.execute("""
        CREATE FUNCTION refuse_change() RETURNS trigger LANGUAGE plpgsql AS $$
        BEGIN
            RAISE EXCEPTION '% is only added to', TG_TABLE_NAME USING ERRCODE = 'insufficient_privilege';
        END $$
    """)
    op.execute("""
        CREATE TRIGGER audit_events_append_only BEFORE UPDATE OR DELETE OR TRUNCATE ON audit_events
        EXECUTE FUNCTION refuse_change()
    """)
    # The relay goes round by account.
    op.create_index(
        "messages_account_nudge_idx",
        "messages",
        ["account_id", "next_nudge_at"],
        postgresql_where=sa.text("next_nudge_at IS NOT NULL"),
    )
    op.drop_index("messages_nudge_idx", "messages")
    # What they take or give has changed.
    op.execute(
        "DROP FUNCTION IF EXISTS"
        " accept_message(bigint, uuid, text[], text, jsonb, text, text, text, interval),"
        " add_inbound(bigint, text, text, jsonb, jsonb),"
        " reported_attempt(bigint, text, text, bigint),"
        " add_report(bigint, uuid, text, text, bigint, text, integer, text, text, timestamptz),"
        " receive_webhook(bigint, text, text, timestamptz, timestamptz, text, text, jsonb, bytea, bytea, text, text,"
        " jsonb)"
    )
