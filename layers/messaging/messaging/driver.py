"""pg8000 with one network round trip a statement, and a dialect that asks Postgres nothing beforehand.

Stock pg8000 waits three times for a statement with parameters: after Parse, after Describe, and after Bind
and Execute. Here all of them go out at once, as the protocol allows. The statement is unnamed and nothing of
it stays with the server: RDS Proxy and pgbouncer may give the next one to another.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from collections.abc import Sequence
from struct import pack
from typing import Any, NamedTuple

import pg8000
import sqlalchemy
from pg8000.converters import make_params
from pg8000.core import Context, _flush, _write
from sqlalchemy.dialects import registry
from sqlalchemy.dialects.postgresql.pg8000 import PGDialect_pg8000

NAME = "messaging"
"""Of the dialect: postgresql+messaging://."""

_PARSE, _BIND = b"P", b"B"
_DESCRIBE = b"D\0\0\0\6P\0"  # the unnamed portal
_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"  # the unnamed portal, all of its rows
_SYNC = b"S\0\0\0\4"


class Bound(NamedTuple):
    """A statement in Postgres' own words, with the values of $1, $2, ..."""

    statement: str
    values: Sequence[Any]


class Cursor(pg8000.Cursor):  # type: ignore[misc]  # pg8000 ships no types
    def execute(self, operation: str, args: Sequence[Any] = (), stream: Any = None) -> "Cursor":
        """pg8000 would look through the statement for its own placeholders, character by character: 70 us of
        Python each time. Of a statement without arguments it does not, and its errors are the same."""
        super().execute(Bound(operation, args) if args else operation, stream=stream)
        return self


class Connection(pg8000.Connection):  # type: ignore[misc]  # pg8000 ships no types
    def cursor(self) -> Cursor:
        return Cursor(self)

    def execute_simple(self, statement: str | Bound) -> Context:
        return (
            self.execute_unnamed(*statement)
            if isinstance(statement, Bound)
            else super().execute_simple(statement)
        )

    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Context:
        """Also COMMIT and ROLLBACK come by here. Raises pg8000's errors; a value that cannot be written and a
        statement that is refused leave the connection as good as it was."""
        context = Context(statement, stream=stream)
        types = [pack("!i", max(oid, 0)) for oid in oids]
        values = [self._written(value) for value in make_params(self.py_types, vals)]
        text = statement.encode(self._client_encoding)
        self._send_message(_PARSE, b"\0" + text + b"\0" + pack("!h", len(types)) + b"".join(types))
        self._send_message(_BIND, b"\0\0\0\0" + pack("!H", len(values)) + b"".join(values) + b"\0\0")
        _write(self._sock, _DESCRIBE + _EXECUTE + _SYNC)
        _flush(self._sock)
        self.handle_messages(context)
        return context

    def _written(self, value: str | None) -> bytes:
        """In text, after its length; -1 is NULL."""
        if value is None:
            return b"\xff\xff\xff\xff"
        text = value.encode(self._client_encoding)
        return pack("!i", len(text)) + text


class Dialect(PGDialect_pg8000):
    """What the stock dialect asks of every new engine's server is known here."""

    supports_statement_cache = True

    def __init__(self, **options: Any) -> None:
        super().__init__(paramstyle="numeric_dollar", **options)  # type: ignore[no-untyped-call]  # there it is not typed

    def initialize(self, connection: sqlalchemy.Connection) -> None:  # noqa: ARG002  # it is not asked
        self.server_version_info = (15,)
        self.default_schema_name = "public"


registry.register(f"postgresql.{NAME}", __name__, Dialect.__name__)
