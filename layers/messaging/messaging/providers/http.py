"""The only call that leaves this service: one request, one answer, one budget of time.

Here alone a socket's fate becomes a failure in our words. Each call has a connection of its own: one that
was kept open over a frozen environment looks alive, takes the request and never answers, and the message
would be of unknown outcome for nothing.
"""

import http.client
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import cache
from typing import NamedTuple
from urllib.parse import urlsplit

from messaging.providers.provider import OutcomeUnknown, PermanentFailure, TemporaryFailure

BUDGET = 10.0  # seconds for all of a call
MAX_ANSWER = 1_000_000  # bytes

_TEMPORARY = frozenset({408, 425, 429, 500, 502, 503, 504})
_MISCONFIGURED = frozenset({401, 403})
"""Our credentials, not the message: kept for a retry until they are mended."""


class HttpAnswer(NamedTuple):
    status: int
    body: bytes


def post(url: str, body: bytes, headers: Mapping[str, str], budget: float = BUDGET) -> HttpAnswer:
    """Gives the answer of a request that was accepted (2xx).

    Raises TemporaryFailure where nothing was written or the answer says so, PermanentFailure where the
    answer says so, OutcomeUnknown where the request may have been written and no answer came.
    """
    deadline = time.monotonic() + budget
    parts = urlsplit(url)
    connection: http.client.HTTPConnection
    if parts.scheme == "https":
        connection = http.client.HTTPSConnection(parts.netloc, timeout=budget, context=_tls())
    else:
        connection = http.client.HTTPConnection(parts.netloc, timeout=budget)
    try:
        connection.connect()
    except OSError as error:
        raise TemporaryFailure(
            "not_connected", f"No connection to the provider: {type(error).__name__}."
        ) from error
    try:
        connection.sock.settimeout(_left(deadline))
        connection.request("POST", f"{parts.path or '/'}?{parts.query}".rstrip("?"), body, dict(headers))
        answer = connection.getresponse()
        answered = HttpAnswer(answer.status, _read(answer, connection.sock, deadline))
    except (OSError, http.client.HTTPException) as error:
        raise OutcomeUnknown("no_answer", f"The provider gave no answer: {type(error).__name__}.") from error
    finally:
        connection.close()
    if 200 <= answered.status < 300:
        return answered
    code, reason = str(answered.status), f"The provider answered {answered.status}."
    if answered.status in _TEMPORARY or answered.status in _MISCONFIGURED:
        raise TemporaryFailure(code, reason, retry_after(answer.getheader("Retry-After")))
    raise PermanentFailure(code, reason)


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


def _read(answer: http.client.HTTPResponse, sock: socket.socket | None, deadline: float) -> bytes:
    """The body, by a deadline that a server which drips byte after byte cannot move."""
    body = b""
    while chunk := answer.read1(65536):
        body += chunk
        if len(body) > MAX_ANSWER:
            raise http.client.HTTPException("the answer is too long")
        if sock is not None and sock.fileno() >= 0:
            sock.settimeout(_left(deadline))
    return body


def _left(deadline: float) -> float:
    left = deadline - time.monotonic()
    if left <= 0:
        raise TimeoutError
    return left


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
