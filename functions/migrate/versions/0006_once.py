"""A vendor's token lets one webhook in, whichever of its instances the token comes to."""

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    # Two instances may have kept one token, and the hash that stands here from now on needs its key: those of
    # before are told apart by their row, and are of no more use. Each was good for twelve hours.
    op.execute("UPDATE webhook_requests SET once = id || ' ' || once WHERE once IS NOT NULL")
    op.drop_index("webhook_requests_once_key", "webhook_requests")
    op.create_index(
        "webhook_requests_once_key",
        "webhook_requests",
        ["once"],
        unique=True,
        postgresql_where=sa.text("once IS NOT NULL"),
    )
    op.alter_column(
        "webhook_requests",
        "once",
        comment="of what its vendor signed in the body's stead, and by which key: good for one request",
        existing_comment="what its vendor signed in the body's stead: good for one request",
    )
