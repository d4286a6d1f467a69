"""A durable Postgres server, as in a deployment, with filled databases."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import psutil

from bench.harness.events import BODY, CUSTOMER
from local.commands.openapi import load
from local.services import ports
from local.services.postgres import Postgres
from tests.support.database_reset import OWN_ALL
from tests.support.lambda_context import Context

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
TEMPLATE = "bench"
FILL = Path(__file__).with_name("fill.sql")
QUEUE = """
SELECT (accepted.message::json ->> 'id')::bigint
  FROM unnest(CAST(:contacts AS bigint[])) WITH ORDINALITY AS listed (contact, place),
       LATERAL accept_message(1, gen_random_uuid(), '{sms}', 'at_most_once', jsonb_build_object(
           'from', CAST(:customer AS text), 'to', '+1804' || lpad(contact::text, 7, '0'), 'type', 'sms',
           'body', CAST(:body AS text), 'cc', '[]'::jsonb, 'headers', '{}'::jsonb, 'attachments', '[]'::jsonb,
           'timestamp', now()),
           NULL, NULL, NULL, NULL) AS accepted
 ORDER BY place
"""


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        parts = urlsplit(url)
        self._connection = pg8000.native.Connection(
            parts.username or "",
            host=parts.hostname or "",
            port=parts.port or 5432,
            password=parts.password,
            database=parts.path[1:],
        )

    def rows(self, sql: str, **parameters: object) -> list[list[Any]]:
        return list(self._connection.run(sql, **parameters) or [])

    def value(self, sql: str, **parameters: object) -> Any:
        return self.rows(sql, **parameters)[0][0]

    def settle(self) -> None:
        """Vacuum, analyze and checkpoint, as autovacuum and the checkpointer do over time."""
        self.rows("VACUUM ANALYZE")
        self.rows("CHECKPOINT")

    def fill(self, messages: int) -> None:
        numbers = {"messages": messages, "conversations": messages // 10}
        for statement in FILL.read_text(encoding="utf-8").removesuffix(";\n").split(";\n"):
            self.rows(_with(statement, numbers))
        self.settle()

    def queue(self, contacts: Sequence[int]) -> list[int]:
        """Queue one message to each contact, and return their ids."""
        parameters = {"contacts": list(contacts), "customer": CUSTOMER, "body": BODY}
        return [id for [id] in self.rows(QUEUE, **parameters)]

    def bytes(self, *tables: str) -> int:
        """Return the size of tables with their indexes."""
        sizes = [
            self.value("SELECT pg_total_relation_size(:table::regclass)", table=table) for table in tables
        ]
        return sum(sizes)

    def close(self) -> None:
        self._connection.close()


def _with(statement: str, numbers: dict[str, int]) -> str:
    for name, number in numbers.items():
        statement = statement.replace(f":{name}", str(number))
    return statement


class PostgresServer:
    def __init__(self, folder: Path) -> None:
        self._postgres = Postgres(folder, ports.choose("127.0.0.1", 0, ""))
        self._postgres.clear()
        self._postgres.start()
        self._admin = Database(self._postgres.url)
        for name, value in SETTINGS.items():
            self._admin.rows(f"ALTER SYSTEM SET {name} = '{value}'")
        self._admin.close()
        self._postgres.stop()
        self._postgres.start()
        self._admin = Database(self._postgres.url)
        self._create_template()

    def stop(self) -> None:
        self._admin.close()
        self._postgres.stop()
        self._postgres.clear()

    @contextmanager
    def database(self, name: str, messages: int = 0) -> Iterator[Database]:
        """Create a database with this many messages, and drop it afterwards."""
        self._admin.rows(f"CREATE DATABASE {name} TEMPLATE {TEMPLATE}")
        database = Database(self._url(name))
        try:
            if messages:
                database.fill(messages)
            yield database
        finally:
            database.close()
            self._admin.rows(f"DROP DATABASE {name} WITH (FORCE)")

    def cpu(self) -> float:
        """Return the CPU seconds of all processes of the server."""
        leader = psutil.Process(self._admin.value("SELECT pg_backend_pid()")).parent()
        assert leader is not None
        times = leader.cpu_times()  # they include children that have ended
        total = times.user + times.system + times.children_user + times.children_system
        for child in leader.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
        return float(total)

    def _url(self, name: str) -> str:
        return urlsplit(self._postgres.url)._replace(path=f"/{name}").geturl()

    def _create_template(self) -> None:
        """Create the migrated database of which the others are copies."""
        from messaging import settings

        self._admin.rows(f"CREATE DATABASE {TEMPLATE}")
        os.environ["DATABASE_URL"] = self._url(TEMPLATE)
        settings.settings.cache_clear()
        load("migrate").handler({}, Context())
        empty = Database(self._url(TEMPLATE))
        empty.rows(OWN_ALL)
        empty.close()
