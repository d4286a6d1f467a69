"""Sends one HTTP request to a provider, within one time budget.

This is the only place that turns socket errors into our failure types. Each call opens its own connection: a
connection that stayed open while Lambda froze the environment looks alive, takes the request and never
answers, and the message's outcome would be unknown without need.
"""

import http.client
import io
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import Any, NamedTuple, cast
from urllib.parse import urlsplit

from messaging import failures

BUDGET = 10.0  # seconds for a whole call
CONNECT_TIMEOUT = 3.0  # seconds of the budget for each address of the host, and again for TLS
MAX_RESPONSE = 1_000_000  # bytes of the body

_FAILURES: Mapping[int, type[failures.Failure]] = {
    401: failures.Misconfigured,
    403: failures.Misconfigured,
    **dict.fromkeys(
        range(300, 400), failures.Misconfigured
    ),  # the configured URL redirects; redirects are not followed
    404: failures.Misconfigured,  # the configured URL does not exist
    405: failures.Misconfigured,
    408: failures.TemporaryFailure,
    425: failures.TemporaryFailure,
    429: failures.Throttled,
    503: failures.TemporaryFailure,
}
"""Statuses after which the provider did not take the message and may take it later.

Every other status below 500 is about the message itself, and is permanent. Every other 5xx proves nothing: a
500 may come after the message was stored, and 502, 504 and 520 to 527 are the words of a gateway, which does
not know what the server behind it did. 503 is the answer of a server that does not handle requests now.

https://www.rfc-editor.org/rfc/rfc9110#name-server-error-5xx
https://developers.cloudflare.com/support/troubleshooting/http-status-codes/cloudflare-5xx-errors/
"""


class HttpResponse(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str], budget: float = BUDGET) -> HttpResponse:
    """Send a POST request and return the response if its status is 2xx. `budget` is in seconds.

    Raises TemporaryFailure if nothing was sent or the response says so, PermanentFailure if the response
    refuses the message, and OutcomeUnknown if the request may have been sent and no response says whether the
    message was taken. A failure that comes from a response has its body and headers.
    """
    return _call("POST", url, body, {**headers, "Content-Length": str(len(body))}, budget)


def get(url: str, headers: Mapping[str, str], budget: float = BUDGET) -> HttpResponse:
    """Send a GET request. Returns and raises what `post` does."""
    return _call("GET", url, b"", headers, budget)


def _call(method: str, url: str, body: bytes, headers: Mapping[str, str], budget: float) -> HttpResponse:
    deadline = time.monotonic() + budget
    connection = _connect(method, url, headers, deadline)
    response = _exchange(connection, method, body, deadline)
    if 200 <= response.status < 300:
        return response
    if not 300 <= response.status < 600:  # a 1xx, for example, precedes the final response
        raise failures.OutcomeUnknown(
            "no_answer", f"The provider answered {response.status}, which is not final."
        )
    code, reason = str(response.status), f"The provider answered {response.status}."
    failure = failure_for_status(response.status, code, reason, response.headers.get("retry-after"))
    failure.body, failure.headers = response.body, response.headers
    raise failure


def _connect(
    method: str, url: str, headers: Mapping[str, str], deadline: float
) -> http.client.HTTPConnection:
    """Return an open connection with the request's headers prepared. Nothing is sent yet."""
    try:
        connection = _prepare(method, url, headers, min(time_until(deadline), CONNECT_TIMEOUT))
        connection.connect()
        connection.sock.settimeout(time_until(deadline))
    except OSError as error:
        raise failures.TemporaryFailure(
            "not_connected", f"The connection to the provider failed: {type(error).__name__}."
        ) from error
    except (ValueError, http.client.HTTPException) as error:
        raise failures.Misconfigured("not_configured", "The provider's url is not valid.") from error
    return connection


def _exchange(
    connection: http.client.HTTPConnection, method: str, body: bytes, deadline: float
) -> HttpResponse:
    """Send the request, read the response and close the connection."""
    try:
        connection.endheaders(body)
        # HTTPResponse only calls makefile() of its socket.
        reader = cast("socket.socket", DeadlineReader(deadline, connection.sock, MAX_RESPONSE))
        with http.client.HTTPResponse(reader, method=method) as response:
            response.begin()
            headers = {name.lower(): value for name, value in response.getheaders()}
            return HttpResponse(response.status, headers, _read(response))
    except (OSError, http.client.HTTPException) as error:
        raise failures.OutcomeUnknown(
            "no_answer", f"The provider did not answer: {type(error).__name__}."
        ) from error
    finally:
        connection.close()


def failure_for_status(status: int, code: str, reason: str, wait: str | None) -> failures.Failure:
    """Return the failure that a status other than 2xx stands for. `wait` is the Retry-After header."""
    default = failures.OutcomeUnknown if status >= 500 else failures.PermanentFailure
    return make_failure(_FAILURES.get(status, default), code, reason, wait)


def reclassify(failure: failures.Failure, kind: type[failures.Failure]) -> failures.Failure:
    """Return the failure as another kind with the same code, reason and wait.

    A provider's own error code can say more than the HTTP status, from which `post` derived the kind.
    """
    if isinstance(failure, kind):
        return failure
    return make_failure(kind, failure.code, failure.reason, failure.headers.get("retry-after"))


def make_failure(kind: type[failures.Failure], code: str, reason: str, wait: str | None) -> failures.Failure:
    """Return a failure of this kind. `wait`, a Retry-After header, applies only to temporary failures."""
    if issubclass(kind, failures.TemporaryFailure):
        return kind(code, reason, retry_after(wait))
    return kind(code, reason)


def _prepare(method: str, url: str, headers: Mapping[str, str], timeout: float) -> http.client.HTTPConnection:
    """Return a connection that is not open yet, with the request's headers in its buffer.

    Raises ValueError or HTTPException if the URL is not valid.
    """
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if not parts.hostname:
        raise ValueError
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=_tls())
    elif parts.scheme == "http":
        connection = http.client.HTTPConnection(parts.netloc, timeout=timeout)
    else:
        raise ValueError
    connection.putrequest(method, f"{parts.path or '/'}?{parts.query}".rstrip("?"))
    for name, value in headers.items():
        connection.putheader(name, value)
    return connection


def retry_after(value: str | None) -> timedelta | None:
    """Read a Retry-After header: seconds, or a date. Returns None if it is missing or malformed."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return timedelta(seconds=int(value))
        wait = parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC)
    except (ValueError, OverflowError):
        return None
    return max(timedelta(), wait)


class ResponseTooLarge(http.client.HTTPException):
    """The response is larger than the limit."""


class DeadlineReader(io.RawIOBase):
    """Reads from a socket until a deadline and up to a limit of bytes.

    A socket's own timeout starts again with each byte, so a server that sends one byte at a time would never
    reach it. And http.client does not limit a response by itself: it reads a chunk of the size -1 until the
    connection ends.
    """

    def __init__(self, deadline: float, sock: socket.socket, max_body: int) -> None:
        """`deadline` is a value of time.monotonic().

        A body of `max_body` bytes fits in with its headers, also in chunks unless they are tiny.
        """
        self._deadline = deadline
        self._sock = sock
        self._bytes_left = 2 * max_body + 1_000_000

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        """Raises TimeoutError after the deadline, and ResponseTooLarge after the limit."""
        self._sock.settimeout(time_until(self._deadline))
        received = self._sock.recv_into(buffer)
        self._bytes_left -= received
        if self._bytes_left < 0:
            raise ResponseTooLarge
        return received


def _read(response: http.client.HTTPResponse) -> bytes:
    body = response.read(MAX_RESPONSE + 1)
    if len(body) > MAX_RESPONSE:
        raise ResponseTooLarge
    if response.length:  # bytes that Content-Length announced and that did not come
        raise http.client.IncompleteRead(body, response.length)
    return body


def time_until(deadline: float) -> float:
    """Return the seconds until the deadline, which is a value of time.monotonic().

    Raises TimeoutError if the deadline has passed.
    """
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
