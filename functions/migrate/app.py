"""Invoked after a deployment: brings the database to the newest revision.

This folder is the Alembic environment. The revisions in versions/ change the tables; the functions in sql/
are replaced each time. All of it is one transaction under one lock, so concurrent invocations migrate once.
"""

from itertools import count
from pathlib import Path
from typing import Any

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from aws_lambda_powertools.utilities.typing import LambdaContext
from sqlalchemy import Engine, NullPool, create_engine, func, select
from sqlalchemy.exc import DBAPIError

from messaging.postgres.database import connect, sqlstate
from messaging.telemetry import logger

FOLDER = Path(__file__).parent
LOCK = 7_467_332_901  # an arbitrary number that nothing else locks
DEADLOCK = "40P01"
TRIES = 20
FUNCTIONS = (
    "status",
    "conversations",
    "json",
    "outbound_accept",
    "inbound_messages",
    "inbound_reports",
    "outbound_circuits",
    "outbound_delivery",
    "inbound_webhooks",
    "inbound_unread",
    "relay",
    "accounts",
)
"""The files in sql/, in the order in which they are run: Postgres checks a function written in SQL when it is
created, so a function comes before its callers."""


@logger.inject_lambda_context
def handler(event: dict[str, Any], context: LambdaContext) -> dict[str, str | None]:
    config = Config()
    config.set_main_option("script_location", str(FOLDER))
    engine = create_engine(
        "postgresql+pg8000://", creator=lambda: connect(answer_timeout=None), poolclass=NullPool
    )
    for turn in count(1):
        try:
            revision = _upgrade(engine, config)
            break
        except DBAPIError as error:
            # Other transactions lock tables in an order that a revision cannot follow.
            if error.orig is None or sqlstate(error.orig) != DEADLOCK or turn == TRIES:
                raise
            logger.warning("Migration deadlocked", extra={"turn": turn})
    logger.info("Database migrated", extra={"revision": revision})
    return {"revision": revision}


def _upgrade(engine: Engine, config: Config) -> str | None:
    with engine.begin() as connection:
        connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        config.attributes["connection"] = connection
        command.upgrade(config, "head")
        for name in FUNCTIONS:
            connection.exec_driver_sql((FOLDER / "sql" / f"{name}.sql").read_text(encoding="utf-8"))
        return MigrationContext.configure(connection).get_current_revision()
