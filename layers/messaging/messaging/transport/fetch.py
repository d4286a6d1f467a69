"""What a message refers to by a URL, fetched from there: only from the public internet, and within bounds.

The URL is a caller's, and this service stands in a network of its own: each address that a name resolves to
is judged, and the connection goes to the very address that was judged, at every redirect anew.
https://cheatsheetseries.owasp.org/cheatsheets/Server_Side_Request_Forgery_Prevention_Cheat_Sheet.html
"""

import http.client
import mimetypes
import re
import socket
import ssl
import time
from collections.abc import Sequence
from concurrent.futures import Future
from functools import cache
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address
from string import punctuation
from threading import Thread
from typing import Any, NamedTuple, cast
from urllib.parse import SplitResult, quote, unquote, urljoin, urlsplit

from messaging.failures import Unready, Unsendable
from messaging.transport.client import CONNECT_TIMEOUT, DeadlineReader, ResponseTooLarge, time_until

BUDGET = 5.0  # seconds for all that one message refers to
MAX_BYTES = 10_000_000  # of all of it: ten messages at once are in memory, each several times over
MAX_REDIRECTS = 3
_RESERVED = (
    IPv4Network("192.0.0.0/24"),  # for protocols: Python before 3.12.4 takes it for public
    IPv4Network("192.88.99.0/24"),  # relays of 6to4, which are no more
    IPv4Network("168.63.129.16/32"),  # Azure's host, from within
    IPv6Network("3fff::/20"),  # for documentation
)
_PUBLIC = IPv6Network("2000::/3")  # all that is given to the public internet
_EMBEDDED = IPv6Network("64:ff9b::/96")  # NAT64: the last 32 bits are an IPv4 address
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


_WHY: dict[type[Exception], str] = {
    socket.gaierror: "its host's name could not be resolved",
    TimeoutError: "it took too long",
    ssl.SSLError: "its host could not be trusted, or speaks no TLS",
    ConnectionRefusedError: "its host let nobody connect",
    OSError: "the connection failed",
    http.client.HTTPException: "the answer broke off, or is none of HTTP",
}
"""In words of their own; of several kinds the first."""


class FetchedFile(NamedTuple):
    name: str
    content_type: str
    content: bytes


def fetch(urls: Sequence[str], max_bytes: int = MAX_BYTES, budget: float = BUDGET) -> list[FetchedFile]:
    """What is at these URLs, in their order; at most `max_bytes` of all together.

    Raises Unready where one may be there later, and Unsendable where not, or where it leads inside.
    """
    deadline = time.monotonic() + budget
    fetched: list[FetchedFile] = []
    for url in urls:
        fetched.append(_fetch(url, max_bytes, deadline))
        max_bytes -= len(fetched[-1].content)
    return fetched


def _fetch(url: str, max_bytes: int, deadline: float) -> FetchedFile:
    for _ in range(MAX_REDIRECTS + 1):
        try:
            answer, moved_to = _ask(url, max_bytes, deadline)
            url = urljoin(url, moved_to or "")
        except ResponseTooLarge as error:
            raise _too_large() from error
        except (OSError, http.client.HTTPException) as error:
            raise Unready("attachment_away", f"An attachment could not be fetched: {_why(error)}.") from error
        except ValueError as error:
            raise Unsendable("attachment_refused", "An attachment's URL is not one.") from error
        if not moved_to:
            return answer
    raise Unsendable("attachment_refused", "An attachment's URL leads from one to the next without an end.")


def _ask(url: str, max_bytes: int, deadline: float) -> tuple[FetchedFile, str | None]:
    """What is there, or where else it is. Raises OSError, HTTPException and ValueError."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with _connected(parts.hostname, port, deadline) as plain:
        sock = _tls().wrap_socket(plain, server_hostname=parts.hostname) if parts.scheme == "https" else plain
        with sock:
            _request(sock, parts, port)
            until = cast(
                "socket.socket", DeadlineReader(deadline, sock, max_bytes)
            )  # it is asked for its file alone
            with http.client.HTTPResponse(until, method="GET") as answer:
                answer.begin()
                if answer.status in (301, 302, 303, 307, 308) and (moved_to := answer.getheader("Location")):
                    return FetchedFile("", "", b""), moved_to
                if answer.status != 200:
                    _refused(answer.status)
                content = answer.read(max_bytes + 1)
                if len(content) > max_bytes:
                    raise _too_large()
                if answer.length:  # what it promised and did not send
                    raise http.client.IncompleteRead(content, answer.length)
                return FetchedFile(*_named(parts, answer), content), None


def _why(error: Exception) -> str:
    return next((words for kind, words in _WHY.items() if isinstance(error, kind)), type(error).__name__)


def _too_large() -> Unsendable:
    return Unsendable("attachment_too_large", "The attachments are too large.")


def _request(sock: socket.socket, parts: SplitResult, port: int) -> None:
    """Asks for it over a connection that is there."""
    connection = http.client.HTTPConnection(parts.hostname or "", port)
    connection.default_port = 443 if parts.scheme == "https" else 80  # which Host does not name
    connection.sock = sock
    # What is escaped stays so: a signed URL must not be written in another way.
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=punctuation)
    connection.request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "messaging"})


def _named(parts: SplitResult, answer: http.client.HTTPResponse) -> tuple[str, str]:
    """Its name and type; they become a mail's headers, and stand on one line."""
    name = unquote(parts.path.rpartition("/")[2])
    name = "".join(one if one.isprintable() and one not in "/\\" else "_" for one in name)[-255:]
    name = name or "attachment"
    kind = answer.headers.get_content_type() if answer.getheader("Content-Type") else ""
    if not _CONTENT_TYPE.fullmatch(kind):
        kind = mimetypes.guess_type(name)[0] or "application/octet-stream"
    return name, kind


def _refused(status: int) -> None:
    reason = f"An attachment's URL answered {status}."
    if status >= 500 or status in (408, 425, 429):
        raise Unready("attachment_away", reason)
    raise Unsendable("attachment_missing", reason)


def _connected(host: str, port: int, deadline: float) -> socket.socket:
    """To one of the name's addresses, all of which have to be public. Raises OSError."""
    found = _resolved(host, port, time_until(deadline))
    if not all(_is_public(str(address[0])) for *_, address in found):
        raise Unsendable("attachment_refused", "An attachment's URL leads into a private network.")
    failure: OSError = ConnectionError()
    for family, kind, protocol, _, address in found:
        sock = socket.socket(family, kind, protocol)
        try:
            sock.settimeout(min(CONNECT_TIMEOUT, time_until(deadline)))
            sock.connect(address)
            sock.settimeout(time_until(deadline))
        except OSError as error:
            sock.close()
            failure = error
        else:
            return sock
    raise failure


def _resolved(host: str, port: int, timeout: float) -> list[Any]:
    """What the system's resolver finds, which heeds no time-out: one that hangs is left to end by itself.
    Raises OSError, and ValueError where the name is none."""
    answer: Future[list[Any]] = Future()

    def resolve() -> None:
        try:
            answer.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  # it is raised to who waits
            answer.set_exception(error)

    Thread(target=resolve, daemon=True).start()
    return answer.result(timeout)


def _is_public(text: str) -> bool:
    """Also of what stands for another address, and would lead there."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address not in _PUBLIC and address not in _EMBEDDED:
            return False
        for inner in _inner(address):
            if not _is_public(str(inner)):
                return False
    return address.is_global and not any(address in one for one in _RESERVED) and not address.is_multicast


def _inner(address: IPv6Address) -> list[IPv4Address]:
    teredo = address.teredo or ()
    embedded = [IPv4Address(int(address) & 0xFFFFFFFF)] if address in _EMBEDDED else []
    return [one for one in (address.ipv4_mapped, address.sixtofour, *teredo, *embedded) if one is not None]


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
