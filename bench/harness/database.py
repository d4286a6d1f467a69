"""Postgres as a deployment has it, durable, and databases in it that are filled."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pg8000.native
import psutil

from bench.harness.requests import BODY, CUSTOMER
from local.commands.openapi import load
from local.services import ports
from local.services.postgres import Postgres
from tests.support.database_reset import OWN_ALL
from tests.support.lambda_context import Context

SETTINGS = {"shared_buffers": "512MB", "max_wal_size": "4GB"}
EMPTY = "bench"
FILL = Path(__file__).with_name("fill.sql")
QUEUE = """
SELECT (kept.message::json ->> 'id')::bigint
  FROM unnest(CAST(:contacts AS bigint[])) WITH ORDINALITY AS listed (contact, place),
       LATERAL accept_message(1, gen_random_uuid(), '{sms}', 'at_most_once', jsonb_build_object(
           'from', CAST(:customer AS text), 'to', '+1804' || lpad(contact::text, 7, '0'), 'type', 'sms',
           'body', CAST(:body AS text), 'cc', '[]'::jsonb, 'headers', '{}'::jsonb, 'attachments', '[]'::jsonb,
           'timestamp', now()),
           NULL, NULL, NULL, NULL) AS kept
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
        """As autovacuum and the checkpointer leave it sooner or later."""
        self.rows("VACUUM ANALYZE")
        self.rows("CHECKPOINT")

    def fill(self, messages: int) -> None:
        numbers = {"messages": messages, "conversations": messages // 10}
        for statement in FILL.read_text(encoding="utf-8").removesuffix(";\n").split(";\n"):
            self.rows(_with(statement, numbers))
        self.settle()

    def queue(self, contacts: Sequence[int]) -> list[int]:
        """The ids of messages that wait to be sent, one to each contact."""
        given = {"contacts": list(contacts), "customer": CUSTOMER, "body": BODY}
        return [id for [id] in self.rows(QUEUE, **given)]

    def bytes(self, *tables: str) -> int:
        """With their indexes."""
        return sum(self.value("SELECT pg_total_relation_size(:table::regclass)", table=one) for one in tables)

    def close(self) -> None:
        self._connection.close()


def _with(statement: str, numbers: dict[str, int]) -> str:
    for name, number in numbers.items():
        statement = statement.replace(f":{name}", str(number))
    return statement


class Server:
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
        self._migrated()

    def stop(self) -> None:
        self._admin.close()
        self._postgres.stop()
        self._postgres.clear()

    @contextmanager
    def database(self, name: str, messages: int = 0) -> Iterator[Database]:
        """One of its own, filled."""
        self._admin.rows(f"CREATE DATABASE {name} TEMPLATE {EMPTY}")
        made = Database(self._url(name))
        try:
            if messages:
                made.fill(messages)
            yield made
        finally:
            made.close()
            self._admin.rows(f"DROP DATABASE {name} WITH (FORCE)")

    def cpu(self) -> float:
        """Seconds that all of its processes have taken."""
        leader = psutil.Process(self._admin.value("SELECT pg_backend_pid()")).parent()
        assert leader is not None
        times = leader.cpu_times()  # with those of its children that have ended
        total = times.user + times.system + times.children_user + times.children_system
        for child in leader.children():
            with suppress(psutil.NoSuchProcess):
                total += sum(child.cpu_times()[:2])
        return float(total)

    def _url(self, name: str) -> str:
        return urlsplit(self._postgres.url)._replace(path=f"/{name}").geturl()

    def _migrated(self) -> None:
        from messaging import settings

        self._admin.rows(f"CREATE DATABASE {EMPTY}")
        os.environ["DATABASE_URL"] = self._url(EMPTY)
        settings.settings.cache_clear()
        load("migrate").handler({}, Context())
        empty = Database(self._url(EMPTY))
        empty.rows(OWN_ALL)
        empty.close()
