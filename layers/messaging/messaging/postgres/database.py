"""Runs statements over the environment's one connection to Postgres, and retries when it is lost."""

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
ANSWER_TIMEOUT = 5.0  # seconds per statement; two of them fit into the timeout of an API function

_RETRY = frozenset({"40001", "40P01"})  # serialization failure and deadlock: Postgres asks for a retry
_UNAVAILABLE = (
    "08",  # connection failure
    "53",  # out of connections, memory or disk
    "57",  # the server shuts down or starts, or an operator canceled the statement
    "58",  # error of the system around the server
    "3D",  # the database does not exist, for example while it is restored under another name
    "55000",  # the database does not accept connections, for example while it is restored
    "25006",  # read-only: this is a standby now, and the primary has moved
    "28",  # the password was changed, and our copy of the secret is up to five minutes old
    "42883",  # function does not exist: not migrated yet
    "42P01",  # table does not exist: not migrated yet
    "42703",  # column does not exist: not migrated yet
)
"""Prefixes of SQLSTATE codes. https://www.postgresql.org/docs/current/errcodes-appendix.html"""
_MAX_RETRIES = 10

Row = Sequence[Any]


class Values(list[object]):
    """The values of a statement that is built piece by piece."""

    def bind(self, value: object) -> str:
        """Add a value and return its placeholder, such as `$1`."""
        self.append(value)
        return f"${len(self)}"


def call(function: str, **arguments: object) -> Sequence[Row]:
    """Calls a database function and returns its rows. The argument `name` is its parameter `in_name`.

    Raises what `run` raises.
    """
    parameters = ", ".join(f"in_{name} => ${number}" for number, name in enumerate(arguments, 1))
    return run(f"SELECT * FROM {function}({parameters})", *arguments.values())


def run(statement: str, *values: object) -> Sequence[Row]:
    """Run one statement in its own transaction and return its rows.

    The placeholders are Postgres's own ($1, $2, ..). JSON values are passed as text. After a lost connection,
    a deadlock or a serialization failure the statement runs again, so it must have the same effect however
    often it runs. Raises Unavailable if the database is unavailable, and StatementRejected if Postgres
    refuses the statement.
    """
    retries = 0
    reconnected = False
    while True:
        try:
            # Outside a transaction, Postgres commits each statement by itself.
            return connection().execute_unnamed(statement, values).rows or ()
        except (OSError, pg8000.Error) as error:
            # pg8000 does not wrap a socket's error, such as a reset or a timeout, before a response begins.
            state = sqlstate(error)
            connection_lost = isinstance(error, (OSError, pg8000.InterfaceError))
            if state in _RETRY:
                retries += 1
                if retries > _MAX_RETRIES:
                    raise _unavailable(error) from error
                time.sleep(random.uniform(0, 0.01 * retries))
            elif connection_lost or state.startswith(_UNAVAILABLE):
                disconnect()
                if reconnected:
                    raise _unavailable(error) from error
                reconnected = True
            else:
                raise StatementRejected(error) from None


@cache
def connection() -> pg8000.Connection:
    """Return the environment's connection, and open it if there is none.

    One is enough: an environment handles one invocation at a time, and only one thread uses Postgres.
    """
    return connect()


def disconnect() -> None:
    """Close the connection. The next statement opens a new one."""
    if connection.cache_info().currsize:
        with suppress(OSError, pg8000.Error):  # the connection may be dead already
            connection().close()
        connection.cache_clear()


class StatementRejected(Exception):
    """Postgres refused a statement, which is a bug of this service.

    Postgres's message may contain an address or a body. So this exception has only the SQLSTATE code and the
    names of the table, column and constraint.
    """

    def __init__(self, error: Exception) -> None:
        fields = _fields(error)
        self.sqlstate = fields.get("C", "")
        super().__init__(type(error).__name__, *(fields.get(key, "") for key in "Ctcn"))


def sqlstate(error: Exception) -> str:
    """Return Postgres's error code, or an empty string if the error did not come from Postgres."""
    return _fields(error).get("C", "")


def _fields(error: Exception) -> Mapping[str, str]:
    """Return the fields of Postgres's error message, by their letters in the protocol.

    They are empty if the error did not come from Postgres.
    https://www.postgresql.org/docs/current/protocol-error-fields.html
    """
    if error.args and isinstance(error.args[0], dict):
        return error.args[0]
    return {}


def _unavailable(error: Exception) -> Unavailable:
    logger.warning("Database unavailable", extra={"cause": type(error).__name__})
    return Unavailable("The database is unavailable; try again.")


def connect(answer_timeout: float | None = ANSWER_TIMEOUT) -> pg8000.Connection:
    """Open a connection to DATABASE_URL, or to the database that DATABASE_SECRET_ARN describes.

    `answer_timeout` is in seconds, for each wait on the server; None waits forever. Raises OSError or one of
    pg8000's errors if the server cannot be reached or refuses the login, and Unavailable if the secret cannot
    be read.
    """
    url = urlsplit(_url())
    host, port = url.hostname or "localhost", url.port or 5432
    # pg8000 reads False as "no TLS"; None would be TLS that trusts every server.
    tls_disabled = parse_qs(url.query).get("sslmode") == ["disable"]
    sock = socket.create_connection((host, port), timeout=CONNECT_TIMEOUT)
    try:
        # Without TCP_NODELAY, which pg8000 does not set, a connect over TLS and a large parameter wait 40 ms
        # for a delayed acknowledgement.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.settimeout(answer_timeout)  # before pg8000 wraps the socket: the TLS socket inherits the timeout
        return _driver()(
            unquote(url.username or ""),
            host=host,
            password=unquote(url.password or ""),
            database=unquote(url.path.lstrip("/")),
            sock=sock,
            ssl_context=False if tls_disabled else _tls(settings().database_ca_file),
        )
    except BaseException:
        sock.close()
        raise


def _driver() -> type[pg8000.Connection]:
    return driver.Connection if settings().one_round_trip else pg8000.Connection


@cache
def _tls(ca_file: str) -> ssl.SSLContext:
    """Return a context that trusts only this bundle. Loading the system's bundle takes 24 ms."""
    return ssl.create_default_context(cafile=ca_file or None)


def _url() -> str:
    if settings().database_url:
        return settings().database_url
    if not settings().database_secret_arn:
        raise RuntimeError("neither DATABASE_URL nor DATABASE_SECRET_ARN is set")
    fields = get_secret(settings().database_secret_arn)
    user, password = quote(str(fields["username"]), safe=""), quote(str(fields["password"]), safe="")
    return f"postgresql://{user}:{password}@{fields['host']}:{fields.get('port', 5432)}/{fields['dbname']}"
