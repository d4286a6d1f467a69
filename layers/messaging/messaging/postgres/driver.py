"""pg8000 with one network round trip a statement.

Stock pg8000 waits three times for a statement with parameters: after Parse, after Describe, and after Bind
and Execute. Here all of them go out at once, as the protocol allows. The statement is unnamed and nothing of
it stays with the server: RDS Proxy and pgbouncer may give the next one to another.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from collections.abc import Sequence
from struct import pack
from typing import Any

import pg8000
from pg8000.converters import make_params
from pg8000.core import Context, _flush, _write

_PARSE, _BIND = b"P", b"B"
_DESCRIBE = b"D\0\0\0\6P\0"  # the unnamed portal
_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"  # the unnamed portal, all of its rows
_SYNC = b"S\0\0\0\4"


class Connection(pg8000.Connection):  # type: ignore[misc]  # pg8000 ships no types
    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Context:
        """`statement` has Postgres' own placeholders, $1 and so on. Also COMMIT and ROLLBACK come by here.
        Raises pg8000's errors; a value that cannot be written and a statement that is refused leave the
        connection as good as it was."""
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
