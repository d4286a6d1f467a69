"""A parked report waits with our id as well, and once."""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    op.add_column("parked_reports", sa.Column("reference", sa.BigInteger()))
    op.execute(
        "DELETE FROM parked_reports p USING parked_reports q"
        " WHERE q.id < p.id AND q.provider_type = p.provider_type"
        " AND q.provider_message_id = p.provider_message_id AND q.occurred_at = p.occurred_at"
        " AND q.status IS NOT DISTINCT FROM p.status AND q.code IS NOT DISTINCT FROM p.code"
    )
    op.create_index(
        "parked_reports_report_key",
        "parked_reports",
        ["provider_type", "provider_message_id", "status", "code", "occurred_at"],
        unique=True,
        postgresql_nulls_not_distinct=True,
    )
    op.drop_index("parked_reports_message_idx", "parked_reports")
