"""A mail has copies, a reply address and headers; a vendor's token lets one webhook in."""

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects import postgresql

revision = "0005"
down_revision = "0004"


def upgrade() -> None:
    op.add_column("messages", sa.Column("cc", postgresql.JSONB(), server_default="[]", nullable=False))
    op.add_column("messages", sa.Column("reply_to", sa.Text()))
    op.add_column("messages", sa.Column("headers", postgresql.JSONB(), server_default="{}", nullable=False))
    role = op.f("conversation_participants_role_check")
    op.drop_constraint(role, "conversation_participants")
    op.create_check_constraint(role, "conversation_participants", "role IN ('customer', 'contact', 'cc')")
    op.add_column(
        "webhook_requests",
        sa.Column(
            "once", sa.Text(), comment="what its vendor signed in the body's stead: good for one request"
        ),
    )
    op.create_index(
        "webhook_requests_once_key",
        "webhook_requests",
        ["provider_type", "once"],
        unique=True,
        postgresql_where=sa.text("once IS NOT NULL"),
    )
    # The database's functions are made anew after this; this is the one whose arguments have changed.
    op.execute(
        "DROP FUNCTION IF EXISTS receive_webhook(bigint, text, text, timestamptz, timestamptz, text, text, jsonb,"
        " bytea, bytea, text, jsonb)"
    )
