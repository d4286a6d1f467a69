"""The migrations: several at once do the work once, and what they make is what the tables say."""

import os
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import closing
from multiprocessing import get_context
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alembic.config import Config
from alembic.script import ScriptDirectory
from sqlalchemy import NullPool, create_engine

from local.commands.openapi import load
from messaging import models
from messaging.conversations import reads
from messaging.postgres import database as product
from messaging.problems import Unavailable
from tables import metadata
from tests.support import messages
from tests.support.configuration import Configure
from tests.support.database import Database, connection
from tests.support.lambda_context import Context
from tests.support.waiting import eventually

pytestmark = pytest.mark.slow

ROOT = Path(__file__).parents[2]
HEAD = ScriptDirectory.from_config(Config(toml_file=ROOT / "pyproject.toml")).get_current_head()
REPLACED = "SELECT proname FROM pg_proc WHERE pronamespace = 'public'::regnamespace ORDER BY 1"


@pytest.fixture
def empty(server_url: str, configure: Configure) -> Iterator[Database]:
    """A database in which nothing is, and for which the product is configured."""
    name = f"messaging_empty_{os.getpid()}"
    admin = connection(server_url)
    admin.run(f"CREATE DATABASE {name}")
    url = urlsplit(server_url)._replace(path=f"/{name}").geturl()
    configure(DATABASE_URL=url)
    own = Database(url)
    yield own
    own.close()
    product.disconnect()
    admin.run(f"DROP DATABASE {name} WITH (FORCE)")
    admin.close()


def migrate(_: int = 0) -> object:
    return load("migrate").handler({}, Context())


def alembic(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "alembic", *arguments]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


@pytest.mark.slow
def test_three_at_once_on_an_empty_database_migrate_it_once(empty: Database) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        assert list(pool.map(migrate, range(3))) == [{"revision": HEAD}] * 3
    assert empty.rows("SELECT version_num FROM alembic_version") == [[HEAD]]
    reads.check_schema()
    messages.own_all()
    assert messages.accept()[1].id == 1


def test_again_on_a_migrated_database_changes_nothing(empty: Database) -> None:
    migrate()
    messages.own_all()
    message, functions = messages.accept()[1], empty.rows(REPLACED)
    assert migrate() == {"revision": HEAD}
    assert empty.rows(REPLACED) == functions
    assert empty.rows("SELECT id, body FROM messages") == [[message.id, message.body]]


def test_functions_are_replaced_each_time(empty: Database) -> None:
    migrate()
    functions = empty.rows(REPLACED)
    empty.rows("DROP FUNCTION accept_message")
    empty.rows("CREATE OR REPLACE FUNCTION rfc3339(moment timestamptz) RETURNS text RETURN 'broken'")
    migrate()
    assert empty.rows(REPLACED) == functions
    assert empty.value("SELECT rfc3339('2024-11-01T14:00:00+01:00')") == "2024-11-01T13:00:00Z"


def test_every_file_of_functions_is_run() -> None:
    files = (ROOT / "functions" / "migrate" / "sql").glob("*.sql")
    assert sorted(load("migrate").FUNCTIONS) == sorted(file.stem for file in files)


def test_a_migration_that_fails_leaves_nothing(empty: Database) -> None:
    empty.rows("CREATE TABLE message_events ()")  # in the way of the last table
    with pytest.raises(Exception, match="message_events"):
        migrate()
    assert empty.rows("SELECT tablename FROM pg_tables WHERE schemaname = 'public'") == [["message_events"]]


@pytest.mark.slow
def test_the_migrations_make_the_tables_that_the_product_speaks_of(empty: Database) -> None:
    migrate()
    check = alembic("check")
    assert check.returncode == 0, check.stderr
    assert "No new upgrade operations detected" in check.stdout


def test_the_migrations_make_what_the_check_does_not_compare(empty: Database) -> None:
    """Check constraints, what an index is partial by, what a column is set to, how a table is stored."""
    constraints = (
        "SELECT conrelid::regclass::text, conname, pg_get_constraintdef(oid) FROM pg_constraint"
        " WHERE connamespace = 'public'::regnamespace AND contype <> 'n' ORDER BY 1, 2"
    )
    indexes = "SELECT indexdef FROM pg_indexes WHERE schemaname = 'public' ORDER BY 1"
    columns = (
        "SELECT table_name, column_name, data_type, column_default, is_nullable,"
        " is_identity FROM information_schema.columns WHERE table_schema = 'public' ORDER BY 1, 2"
    )
    options = "SELECT relname::text, reloptions::text FROM pg_class WHERE reloptions IS NOT NULL ORDER BY 1"
    described = [constraints, indexes, columns, options]
    migrate()
    empty.rows("DROP TABLE alembic_version")
    migrated = [empty.rows(description) for description in described]
    empty.rows("DROP SCHEMA public CASCADE; CREATE SCHEMA public")
    metadata.create_all(create_engine("postgresql+pg8000://", creator=product.connect, poolclass=NullPool))
    for description, rows in zip(described, migrated, strict=True):
        assert empty.rows(description) == rows


@pytest.mark.slow
@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE messages ADD COLUMN more text",
        "ALTER TABLE attempts ALTER COLUMN token DROP NOT NULL",
        "ALTER TABLE messages ALTER COLUMN attempt_count SET DEFAULT 1",
        "DROP INDEX messages_page_idx",
    ],
)
def test_a_database_that_drifted_is_noticed(empty: Database, change: str) -> None:
    migrate()
    empty.rows(change)
    assert alembic("check").returncode != 0


@pytest.mark.slow
def test_the_command_migrates_as_well(empty: Database) -> None:
    assert alembic("upgrade", "head").returncode == 0
    assert alembic("current").stdout.split() == [HEAD, "(head)"]


def test_the_product_knows_the_newest_revision() -> None:
    assert models.SCHEMA_REVISION == HEAD


def test_another_revision_is_unavailable(empty: Database) -> None:
    with pytest.raises(Unavailable):
        reads.check_schema()
    migrate()
    reads.check_schema()
    empty.rows("UPDATE alembic_version SET version_num = 'another'")
    with pytest.raises(Unavailable):
        reads.check_schema()
    empty.rows("DELETE FROM alembic_version")
    with pytest.raises(Unavailable):
        reads.check_schema()


@pytest.mark.slow
def test_a_migration_that_loses_a_deadlock_is_tried_again(empty: Database) -> None:
    migrate()
    with closing(Database(empty.url)) as other, ThreadPoolExecutor(1) as pool:
        other.rows("SET deadlock_timeout = '1min'")  # so that the migration is the one that gives way
        other.rows("BEGIN")
        other.rows("LOCK TABLE alembic_version IN ACCESS EXCLUSIVE MODE")
        migrated = pool.submit(migrate)
        eventually(lambda: empty.value("SELECT count(*) FROM pg_locks WHERE NOT granted") == 1)
        other.rows("SELECT pg_advisory_xact_lock(:lock)", lock=load("migrate").LOCK)
        other.rows("COMMIT")
        assert migrated.result() == {"revision": HEAD}
