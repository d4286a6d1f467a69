"""What delivery needs to know: a message's policy and its providers, what failed, and which provider ails."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0002"
down_revision = "0001"

KINDS = "kind IN ('attempt', 'report', 'settled')"


def upgrade() -> None:
    # All at once, before anything is done: whoever is in the way of one of them is met here.
    op.execute("LOCK TABLE attempts, message_events, messages IN ACCESS EXCLUSIVE MODE")
    op.add_column(
        "messages",
        sa.Column("delivery_policy", sa.Text(), server_default="at_most_once", nullable=False),
    )
    op.add_column(
        "messages",
        sa.Column(
            "provider_types",
            postgresql.ARRAY(sa.Text()),
            server_default="{}",
            nullable=False,
            comment="outbound: all that may carry it, in the order in which they are tried",
        ),
    )
    op.execute("UPDATE messages SET provider_types = ARRAY[provider_type] WHERE direction = 'outbound'")
    op.create_check_constraint(
        op.f("messages_delivery_policy_check"),
        "messages",
        "delivery_policy IN ('at_most_once', 'at_least_once')",
    )
    op.create_check_constraint(
        op.f("messages_provider_types_check"),
        "messages",
        "direction = 'inbound' OR cardinality(provider_types) > 0",
    )
    op.create_index(
        "messages_pending_idx",
        "messages",
        ["conversation_id", "id"],
        postgresql_where=sa.text("status = 'queued'"),
    )
    # From here on one message of a conversation is under way at a time: the others' outcome is to be looked at.
    op.execute(
        "WITH later AS (UPDATE messages m SET status = 'unknown', lease_expires_at = NULL"
        " WHERE m.status = 'sending' AND EXISTS (SELECT FROM messages earlier"
        " WHERE earlier.conversation_id = m.conversation_id AND earlier.status = 'sending' AND earlier.id < m.id)"
        " RETURNING m.id, m.attempt_count)"
        " UPDATE attempts a SET outcome = 'unknown', ended_at = now() FROM later"
        " WHERE a.message_id = later.id AND a.number = later.attempt_count"
    )
    op.create_index(
        "messages_under_way_key",
        "messages",
        ["conversation_id"],
        unique=True,
        postgresql_where=sa.text("status = 'sending'"),
    )
    op.drop_index("messages_nudge_idx", "messages")
    op.create_index(
        "messages_nudge_idx",
        "messages",
        ["next_nudge_at"],
        postgresql_where=sa.text("next_nudge_at IS NOT NULL"),
    )
    # Ended by the first version, they are to be settled as those that follow: looked at, then left as they are.
    op.execute("UPDATE messages SET next_attempt_at = now(), next_nudge_at = now() WHERE status = 'unknown'")

    op.add_column(
        "attempts",
        sa.Column("failure", sa.Text(), comment="its kind, in delivery's words; null where it was taken"),
    )
    op.add_column(
        "attempts",
        sa.Column("retry_at", sa.DateTime(timezone=True), comment="throttled: not before, says its provider"),
    )
    op.create_index(
        "attempts_recent_idx",
        "attempts",
        ["provider_type", "started_at"],
        postgresql_where=sa.text("ended_at IS NOT NULL"),
    )
    op.create_table(
        "circuits",
        sa.Column("provider_type", sa.Text(), nullable=False),
        sa.Column("changed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("open_until", sa.DateTime(timezone=True)),
        sa.Column("openings", sa.SmallInteger(), server_default="0", nullable=False),
        sa.PrimaryKeyConstraint("provider_type", name="circuits_pkey"),
    )

    op.drop_constraint(op.f("message_events_kind_check"), "message_events")
    op.create_check_constraint(op.f("message_events_kind_check"), "message_events", KINDS)

    # The database's functions are made anew after this; these are those whose arguments or rows have changed.
    op.execute(
        "DROP FUNCTION IF EXISTS"
        " accept_message(bigint, uuid, text, jsonb, text, text, text, interval),"
        " insert_message(conversations, text, text, text, text, uuid, jsonb, jsonb),"
        " claim_messages(bigint[], uuid[], interval),"
        " record_attempt(uuid, text, text[], text, text, text, interval)"
    )
