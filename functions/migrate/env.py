"""Alembic's environment. app.py passes its connection; the alembic command gets a connection of its own."""

from alembic import context
from sqlalchemy import Connection, NullPool, create_engine

from messaging.postgres.database import connect
from tables import metadata


def migrate(connection: Connection) -> None:
    context.configure(connection=connection, target_metadata=metadata, compare_server_default=True)
    with context.begin_transaction():
        context.run_migrations()


if "connection" in context.config.attributes:
    migrate(context.config.attributes["connection"])
else:
    with create_engine("postgresql+pg8000://", creator=connect, poolclass=NullPool).connect() as own:
        migrate(own)
