"""A subclass of pg8000's connection that runs a statement in one network round trip.

For a statement with parameters, pg8000 waits for the server three times: after Parse, after Describe, and
after Bind and Execute. This class sends all of them at once, which the protocol allows. The prepared
statement has no name and leaves nothing in the session, so RDS Proxy and pgbouncer can use another session
for the next one.
https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-EXT-QUERY
"""

from collections.abc import Sequence
from struct import pack
from typing import Any

import pg8000
from pg8000.converters import make_params
from pg8000.core import Context, _flush, _write

_PARSE = b"P"
_BIND = b"B"
_DESCRIBE = b"D\0\0\0\6P\0"  # the unnamed portal
_EXECUTE = b"E\0\0\0\x09\0\0\0\0\0"  # the unnamed portal, all of its rows
_SYNC = b"S\0\0\0\4"


class Connection(pg8000.Connection):  # type: ignore[misc]  # pg8000 ships no types
    def execute_unnamed(
        self, statement: str, vals: Sequence[Any] = (), oids: Sequence[int] = (), stream: Any = None
    ) -> Context:
        """Run a statement with Postgres's own placeholders ($1, $2, ..) and return its result.

        pg8000 calls this method, also for BEGIN, COMMIT and ROLLBACK. Raises pg8000's errors, and
        UnicodeEncodeError for a text that cannot be encoded. The connection stays usable if the server
        refuses the statement or a value cannot be encoded.
        """
        context = Context(statement, stream=stream)
        types = [pack("!i", max(oid, 0)) for oid in oids]
        values = [self._encode(value) for value in make_params(self.py_types, vals)]
        text = statement.encode(self._client_encoding)
        self._send_message(_PARSE, b"\0" + text + b"\0" + pack("!h", len(types)) + b"".join(types))
        self._send_message(_BIND, b"\0\0\0\0" + pack("!H", len(values)) + b"".join(values) + b"\0\0")
        _write(self._sock, _DESCRIBE + _EXECUTE + _SYNC)
        _flush(self._sock)
        self.handle_messages(context)
        return context

    def _encode(self, value: str | None) -> bytes:
        """Return the value in Postgres's text format, with its length before it."""
        if value is None:
            return b"\xff\xff\xff\xff"  # the length -1 stands for NULL
        text = value.encode(self._client_encoding)
        return pack("!i", len(text)) + text
