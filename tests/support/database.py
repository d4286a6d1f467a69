"""A connection of the tests to their database, beside the connections of the product."""

from urllib.parse import urlsplit

import pg8000.native

from tests.support.database_reset import ACCOUNTS, AUDITED, DELETE, TABLES


class Database:
    def __init__(self, url: str) -> None:
        self.url = url
        self._connection = connection(url)

    def rows(self, sql: str, **parameters: object) -> list[list[object]]:
        return list(self._connection.run(sql, **parameters) or [])

    def value(self, sql: str, **parameters: object) -> object:
        """Return the first column of the first row."""
        return self.rows(sql, **parameters)[0][0]

    def clear(self) -> None:
        """Delete everything except account 1, and restart the ids at 1."""
        few_rows = self.value("SELECT last_value < 1000 FROM messages_id_seq")
        if self.value("SELECT EXISTS (SELECT FROM audit_events)"):
            self._connection.run(AUDITED)
        # TRUNCATE creates new files for every table and index. For a few rows, DELETE is 20 times faster.
        empty_tables = DELETE if few_rows else f"TRUNCATE {TABLES} RESTART IDENTITY"
        self._connection.run(f"{empty_tables};{ACCOUNTS}")

    def close(self) -> None:
        self._connection.close()


def connection(url: str) -> pg8000.native.Connection:
    parts = urlsplit(url)
    return pg8000.native.Connection(
        parts.username or "",
        host=parts.hostname or "",
        port=parts.port or 5432,
        password=parts.password,
        database=parts.path[1:],
    )
