"""Fetches the attachments of a message by their URLs: only from the public internet, and within limits.

The URL comes from a caller, and this service may run inside a private network. Every address that the host
name resolves to must be public, and the connection goes to the address that was checked. This is repeated for
each redirect.
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

BUDGET = 5.0  # seconds for all attachments of one message
MAX_BYTES = 10_000_000  # of all attachments: ten messages are in memory at once, each in several copies
MAX_REDIRECTS = 3
_REDIRECTS = (301, 302, 303, 307, 308)
_RESERVED = (
    IPv4Network("192.0.0.0/24"),  # IETF protocols; Python before 3.12.4 calls it global
    IPv4Network("192.88.99.0/24"),  # 6to4 relays, deprecated
    IPv4Network("168.63.129.16/32"),  # Azure's platform host, reachable from inside
    IPv6Network("2002::/16"),  # 6to4, deprecated; Python before 3.12.4 calls it global
    IPv6Network("3fff::/20"),  # documentation
)
_PUBLIC = IPv6Network("2000::/3")  # everything that is allocated to the public internet
_NAT64 = IPv6Network("64:ff9b::/96")  # the last 32 bits are an IPv4 address
_CONTENT_TYPE = re.compile(r"[\w.+-]+/[\w.+-]+", re.ASCII)


_REASONS: dict[type[Exception], str] = {
    socket.gaierror: "its host's name could not be resolved",
    TimeoutError: "it took too long",
    ssl.SSLError: "TLS with its host failed",
    ConnectionRefusedError: "its host refused the connection",
    OSError: "the connection failed",
    http.client.HTTPException: "the response is incomplete or is not HTTP",
}
"""Subclasses come before their base classes."""


class FetchedFile(NamedTuple):
    name: str
    content_type: str
    content: bytes


class _Redirect(NamedTuple):
    location: str


def fetch(urls: Sequence[str], max_bytes: int = MAX_BYTES, budget: float = BUDGET) -> list[FetchedFile]:
    """Return the files at these URLs, in their order.

    `max_bytes` and `budget`, in seconds, are limits for all files together. Raises Unready if a file may be
    available later, and Unsendable if it does not exist, is too large, or its URL is not public.
    """
    deadline = time.monotonic() + budget
    files: list[FetchedFile] = []
    for url in urls:
        file = _fetch(url, max_bytes, deadline)
        files.append(file)
        max_bytes -= len(file.content)
    return files


def _fetch(url: str, max_bytes: int, deadline: float) -> FetchedFile:
    for _ in range(MAX_REDIRECTS + 1):
        try:
            result = _request(url, max_bytes, deadline)
            if isinstance(result, FetchedFile):
                return result
            url = urljoin(url, result.location)
        except ResponseTooLarge as error:
            raise _too_large() from error
        except (OSError, http.client.HTTPException) as error:
            reason = f"An attachment could not be fetched: {_reason(error)}."
            raise Unready("attachment_unavailable", reason) from error
        except ValueError as error:
            raise Unsendable("attachment_refused", "An attachment's URL is not valid.") from error
    raise Unsendable("attachment_refused", "An attachment's URL redirects too often.")


def _request(url: str, max_bytes: int, deadline: float) -> FetchedFile | _Redirect:
    """Requests the URL once. Raises ValueError if it is not valid, OSError and HTTPException."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise ValueError
    port = parts.port or (443 if parts.scheme == "https" else 80)
    with _connect(parts.hostname, port, deadline) as sock:
        if parts.scheme == "http":
            return _exchange(sock, parts, port, max_bytes, deadline)
        with _tls().wrap_socket(sock, server_hostname=parts.hostname) as tls_sock:
            return _exchange(tls_sock, parts, port, max_bytes, deadline)


def _exchange(
    sock: socket.socket, parts: SplitResult, port: int, max_bytes: int, deadline: float
) -> FetchedFile | _Redirect:
    """Send the request over an open connection and read the response."""
    _send(sock, parts, port)
    # HTTPResponse only calls makefile() of its socket.
    reader = cast("socket.socket", DeadlineReader(deadline, sock, max_bytes))
    with http.client.HTTPResponse(reader, method="GET") as response:
        response.begin()
        location = response.getheader("Location")
        if response.status in _REDIRECTS and location:
            return _Redirect(location)
        _check_status(response.status)
        content = response.read(max_bytes + 1)
        if len(content) > max_bytes:
            raise _too_large()
        if response.length:  # bytes that Content-Length announced and that did not come
            raise http.client.IncompleteRead(content, response.length)
        name = _file_name(parts.path)
        return FetchedFile(name, _content_type(response, name), content)


def _send(sock: socket.socket, parts: SplitResult, port: int) -> None:
    connection = http.client.HTTPConnection(parts.hostname or "", port)
    connection.default_port = 443 if parts.scheme == "https" else 80  # the Host header omits this port
    connection.sock = sock
    # Characters that are escaped already stay as they are: rewriting a signed URL would break its signature.
    target = quote((parts.path or "/") + (f"?{parts.query}" if parts.query else ""), safe=punctuation)
    connection.request("GET", target, headers={"Accept-Encoding": "identity", "User-Agent": "messaging"})


def _check_status(status: int) -> None:
    if status == 200:
        return
    reason = f"An attachment's URL answered {status}."
    if status >= 500 or status in (408, 425, 429):
        raise Unready("attachment_unavailable", reason)
    raise Unsendable("attachment_missing", reason)


def _reason(error: Exception) -> str:
    for kind, reason in _REASONS.items():
        if isinstance(error, kind):
            return reason
    return type(error).__name__


def _too_large() -> Unsendable:
    return Unsendable("attachment_too_large", "The attachments are too large.")


def _file_name(path: str) -> str:
    """Return the last part of the path. It becomes a mail's header, so it must be a single line."""
    name = unquote(path.rpartition("/")[2])
    characters = [
        character if character.isprintable() and character not in "/\\" else "_" for character in name
    ]
    return "".join(characters)[-255:] or "attachment"


def _content_type(response: http.client.HTTPResponse, name: str) -> str:
    if response.getheader("Content-Type"):
        content_type = response.headers.get_content_type()
        if _CONTENT_TYPE.fullmatch(content_type):
            return content_type
    return mimetypes.guess_type(name)[0] or "application/octet-stream"


def _connect(host: str, port: int, deadline: float) -> socket.socket:
    """Connect to the first of the host's addresses that accepts the connection.

    Raises Unsendable if any of the addresses is not public, and OSError if none accepts.
    """
    addresses = _resolve(host, port, time_until(deadline))
    if not all(_is_public(str(address[0])) for *_, address in addresses):
        raise Unsendable("attachment_refused", "An attachment's URL points into a private network.")
    failure: OSError = ConnectionError()
    for family, kind, protocol, _, address in addresses:
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


def _resolve(host: str, port: int, timeout: float) -> list[Any]:
    """Return what getaddrinfo does. It has no timeout, so it runs in a thread that is abandoned if it hangs.

    Raises OSError, and ValueError if the host is not a valid name.
    """
    result: Future[list[Any]] = Future()

    def resolve() -> None:
        try:
            result.set_result(socket.getaddrinfo(host, port, type=socket.SOCK_STREAM))
        except Exception as error:  # noqa: BLE001  # the waiting thread raises it
            result.set_exception(error)

    Thread(target=resolve, daemon=True).start()
    return result.result(timeout)


def _is_public(text: str) -> bool:
    """Whether the address, and each IPv4 address that it embeds, belongs to the public internet."""
    address = ip_address(text.partition("%")[0])
    if isinstance(address, IPv6Address):
        if address not in _PUBLIC and address not in _NAT64:
            return False
        if not all(_is_public(str(embedded)) for embedded in _embedded_addresses(address)):
            return False
    if any(address in network for network in _RESERVED):
        return False
    return address.is_global and not address.is_multicast


def _embedded_addresses(address: IPv6Address) -> list[IPv4Address]:
    """Return the IPv4 addresses to which a gateway may forward packets for this address."""
    embedded = [address.ipv4_mapped]
    embedded += address.teredo or ()
    if address in _NAT64:
        embedded.append(IPv4Address(int(address) & 0xFFFFFFFF))
    return [ipv4 for ipv4 in embedded if ipv4 is not None]


@cache
def _tls() -> ssl.SSLContext:
    return ssl.create_default_context()
