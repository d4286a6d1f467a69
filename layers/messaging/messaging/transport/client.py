"""The only call that leaves this service: one request, one answer, one budget of time.

Here alone a socket's fate becomes a failure in our words. Each call has a connection of its own: one that
was kept open over a frozen environment looks alive, takes the request and never answers, and the message
would be of unknown outcome for nothing.
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

from messaging.failures import (
    Failure,
    Misconfigured,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
    Throttled,
)

BUDGET = 10.0  # seconds for all of a call
CONNECT_TIMEOUT = 3.0  # seconds of it for each address that the name stands for, and for TLS
MAX_RESPONSE = 1_000_000  # bytes

_FAILURES: Mapping[int, type[TemporaryFailure]] = {
    **dict.fromkeys((401, 403), Misconfigured),
    **dict.fromkeys((*range(300, 400), 404, 405), Misconfigured),  # its URL leads elsewhere, or nowhere
    408: TemporaryFailure,
    425: TemporaryFailure,
    429: Throttled,
}
"""Answers that are a vendor's word that it did not take the message, and may yet; every 5xx is one too. All
others below 500 are a word about the message, which will not be another later."""


class HttpResponse(NamedTuple):
    status: int
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str], budget: float = BUDGET) -> HttpResponse:
    """Gives the answer of a request that was accepted (2xx).

    Raises TemporaryFailure where nothing was written or the answer says so, PermanentFailure where the
    answer says so, OutcomeUnknown where the request may have been written and no answer came.
    """
    return _call("POST", url, body, {**headers, "Content-Length": str(len(body))}, budget)


def get(url: str, headers: Mapping[str, str], budget: float = BUDGET) -> HttpResponse:
    """The same for a question, which changes nothing."""
    return _call("GET", url, b"", headers, budget)


def _call(method: str, url: str, body: bytes, headers: Mapping[str, str], budget: float) -> HttpResponse:
    deadline = time.monotonic() + budget
    try:
        connection = _prepared(method, url, headers, min(budget, CONNECT_TIMEOUT))
        connection.connect()
        connection.sock.settimeout(time_until(deadline))
    except OSError as error:
        raise TemporaryFailure(
            "not_connected", f"No connection to the provider: {type(error).__name__}."
        ) from error
    except (ValueError, http.client.HTTPException) as error:
        raise Misconfigured("not_configured", "The provider's url is not one.") from error
    try:
        connection.endheaders(body)
        # It is asked for its file alone.
        until = cast("socket.socket", DeadlineReader(deadline, connection.sock, MAX_RESPONSE))
        with http.client.HTTPResponse(until, method=method) as answer:
            answer.begin()
            heads = {name.lower(): value for name, value in answer.getheaders()}
            answered = HttpResponse(answer.status, heads, _read(answer))
    except (OSError, http.client.HTTPException) as error:
        raise OutcomeUnknown("no_answer", f"The provider gave no answer: {type(error).__name__}.") from error
    finally:
        connection.close()
    if 200 <= answered.status < 300:
        return answered
    if not 300 <= answered.status < 600:  # 1xx, for one, is followed by another answer
        raise OutcomeUnknown("no_answer", f"The provider answered {answered.status}, and nothing final.")
    code, reason = str(answered.status), f"The provider answered {answered.status}."
    failure = failure_for_status(answered.status, code, reason, answered.headers.get("retry-after"))
    failure.body, failure.headers = answered.body, answered.headers
    raise failure


def failure_for_status(status: int, code: str, reason: str, wait: str | None) -> Failure:
    """What an answer that is no 2xx says by its status, and by its Retry-After."""
    return make_failure(
        _FAILURES.get(status, TemporaryFailure if status >= 500 else PermanentFailure), code, reason, wait
    )


def reclassify(failure: Failure, kind: type[Failure]) -> Failure:
    """What an answer says by its own code: another kind than its status, with the same wait."""
    if isinstance(failure, kind):
        return failure
    return make_failure(kind, failure.code, failure.reason, failure.headers.get("retry-after"))


def make_failure(kind: type[Failure], code: str, reason: str, wait: str | None) -> Failure:
    return kind(code, reason, retry_after(wait)) if issubclass(kind, TemporaryFailure) else kind(code, reason)


def _prepared(
    method: str, url: str, headers: Mapping[str, str], timeout: float
) -> http.client.HTTPConnection:
    """A connection that is still to be made, and the head of its request. Raises ValueError and
    HTTPException where the url is not one."""
    parts = urlsplit(url)
    if not parts.hostname or parts.scheme not in ("http", "https"):
        raise ValueError
    connection = (
        http.client.HTTPSConnection(parts.netloc, timeout=timeout, context=_tls())
        if parts.scheme == "https"
        else http.client.HTTPConnection(parts.netloc, timeout=timeout)
    )
    connection.putrequest(method, f"{parts.path or '/'}?{parts.query}".rstrip("?"))
    for name, value in headers.items():
        connection.putheader(name, value)
    return connection


def retry_after(value: str | None) -> timedelta | None:
    """Retry-After, in seconds or as a date; None where there is none, or none that can be read."""
    if value is None:
        return None
    try:
        if value.strip().isdecimal():
            return timedelta(seconds=int(value))
        return max(timedelta(), parsedate_to_datetime(value).astimezone(UTC) - datetime.now(UTC))
    except (ValueError, OverflowError):
        return None


class ResponseTooLarge(http.client.HTTPException):
    """More came than was asked for."""


class DeadlineReader(io.RawIOBase):
    """A socket to read from by a deadline, which a server that drips byte after byte cannot move, and to a
    limit: http.client takes a chunk of the size -1 for all that may come.

    A body of `most` bytes comes through, with its head and in chunks, if they are not of a few bytes each.
    """

    def __init__(self, deadline: float, sock: socket.socket, most: int) -> None:
        self._deadline = deadline
        self._sock = sock
        self._left = 2 * most + 1_000_000

    def makefile(self, _mode: str) -> io.BufferedReader:
        return io.BufferedReader(self)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        self._sock.settimeout(time_until(self._deadline))
        received = self._sock.recv_into(buffer)
        self._left -= received
        if self._left < 0:
            raise ResponseTooLarge
        return received


def _read(answer: http.client.HTTPResponse) -> bytes:
    body = answer.read(MAX_RESPONSE + 1)
    if len(body) > MAX_RESPONSE:
        raise ResponseTooLarge
    if answer.length:  # what it promised and did not send
        raise http.client.IncompleteRead(body, answer.length)
    return body


def time_until(deadline: float) -> float:
    seconds = deadline - time.monotonic()
    if seconds <= 0:
        raise TimeoutError
    return seconds


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
