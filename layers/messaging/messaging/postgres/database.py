"""The one connection that an environment holds to Postgres, and how a statement survives its end."""

import random
import socket
import ssl
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from functools import cache
from typing import Any
from urllib.parse import parse_qs, quote, unquote, urlsplit

import pg8000

from messaging.aws.secrets import get_secret
from messaging.postgres import driver
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

CONNECT_TIMEOUT = 3.0  # seconds
ANSWER_TIMEOUT = 5.0  # seconds for one statement; with its repetition still within an API function's time-out

_LOST_RACES = frozenset({"40001", "40P01"})  # serialization failure, deadlock: run again as Postgres asks
_AWAY = (
    # The connection, the resources, a shutdown or start, the system around the server.
    *("08", "53", "57", "58"),
    *("3D", "55000"),  # it is being restored: under another name, or closed to connections
    "25006",  # a standby: the primary has moved
    "28",  # the password was changed, and our secret is up to five minutes old
    *("42883", "42P01", "42703"),  # not migrated yet
)
_MAX_RACES = 10


Row = Sequence[Any]


class Values(list[object]):
    """Of a statement that is put together piece by piece."""

    def bind(self, value: object) -> str:
        """The placeholder that stands for it."""
        self.append(value)
        return f"${len(self)}"


def call(function: str, **arguments: object) -> Sequence[Row]:
    """The rows of a database function; each of its parameters is named as the argument, after `in_`."""
    given = ", ".join(f"in_{name} => ${place}" for place, name in enumerate(arguments, 1))
    return run(f"SELECT * FROM {function}({given})", *arguments.values())


def run(statement: str, *values: object) -> Sequence[Row]:
    """Runs one repeatable statement in a transaction of its own and gives its rows. Its placeholders are
    Postgres' own, $1 and so on; JSON is given as text.

    A connection that turns out dead is replaced and the statement run again: it must do its work once
    however often it is run. Raises Unavailable where the database is away.
    """
    races = 0
    fresh = False
    while True:
        try:
            # Outside a transaction Postgres commits each statement by itself.
            return connection().execute_unnamed(statement, values).rows or ()
        except (OSError, pg8000.Error) as error:
            # pg8000 lets a socket's own error through where an answer was to begin: a reset, a time-out.
            state = sqlstate(error)
            if state in _LOST_RACES:
                races += 1
                if races > _MAX_RACES:
                    raise _away(error) from error
                time.sleep(random.uniform(0, 0.01 * races))
            elif isinstance(error, (OSError, pg8000.InterfaceError)) or state.startswith(_AWAY):
                disconnect()
                if fresh:
                    raise _away(error) from error
                fresh = True
            else:
                raise StatementRejected(error) from None


@cache
def connection() -> pg8000.Connection:
    """One is enough: an environment serves one invocation at a time, and speaks to Postgres in one thread."""
    return connect()


def disconnect() -> None:
    """The next statement is run over a new connection."""
    if connection.cache_info().currsize:
        with suppress(OSError, pg8000.Error):  # it may be dead already
            connection().close()
        connection.cache_clear()


class StatementRejected(Exception):
    """A statement that Postgres does not take: a fault of ours. Postgres' own words may hold an address or
    a body, so only its code and the names of what it speaks of are told."""

    def __init__(self, error: Exception) -> None:
        fields = _fields(error)
        self.sqlstate = fields.get("C", "")
        super().__init__(type(error).__name__, *(fields.get(key, "") for key in "Ctcn"))


def sqlstate(error: Exception) -> str:
    """Postgres' code for what went wrong; empty where the failure is the driver's own."""
    return _fields(error).get("C", "")


def _fields(error: Exception) -> Mapping[str, str]:
    """What Postgres said, by the letters of its protocol; nothing where the failure is the driver's own.

    https://www.postgresql.org/docs/current/protocol-error-fields.html
    """
    return error.args[0] if error.args and isinstance(error.args[0], dict) else {}


def _away(error: Exception) -> Unavailable:
    logger.warning("The database is away", extra={"cause": type(error).__name__})
    return Unavailable("The database is away; try again.")


def connect(answer_timeout: float | None = ANSWER_TIMEOUT) -> pg8000.Connection:
    """A new connection to DATABASE_URL or to what DATABASE_SECRET_ARN names.

    The socket is ours for its TCP_NODELAY: without it a connect over TLS and a large parameter wait 40 ms
    for a delayed acknowledgement (https://github.com/tlocke/pg8000). Raises OSError, pg8000's errors
    and Unavailable.
    """
    url = urlsplit(_url())
    host, port = url.hostname or "localhost", url.port or 5432
    sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(answer_timeout)  # here: TLS takes the socket over, and its time-out with it
        return _driver()(
            unquote(url.username or ""),
            host=host,
            password=unquote(url.password or ""),
            database=unquote(url.path.lstrip("/")),
            sock=sock,
            # pg8000 takes None for TLS that trusts anybody; False is none at all.
            ssl_context=False
            if parse_qs(url.query).get("sslmode") == ["disable"]
            else _tls(settings().database_ca_file),
        )
    except BaseException:
        sock.close()
        raise


def _driver() -> type[pg8000.Connection]:
    return driver.Connection if settings().one_round_trip else pg8000.Connection


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """Verifies the host against the one bundle that is named: loading the system's costs 24 ms."""
    return ssl.create_default_context(cafile=ca_file or None)


def _url() -> str:
    if settings().database_url:
        return settings().database_url
    if not settings().database_secret_arn:
        raise RuntimeError("neither DATABASE_URL nor DATABASE_SECRET_ARN is set")
    fields = get_secret(settings().database_secret_arn)
    user, password = quote(str(fields["username"]), safe=""), quote(str(fields["password"]), safe="")
    return f"postgresql://{user}:{password}@{fields['host']}:{fields.get('port', 5432)}/{fields['dbname']}"
