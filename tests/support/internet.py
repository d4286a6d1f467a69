"""An internet of one server: names resolve as they are told to, and every IPv4 address leads to it."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.tcp_server import Script, playing

PUBLIC, OTHER = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"

_resolve = socket.getaddrinfo
_connect = socket.socket.connect


class Internet:
    """`names` gives, of each name, the addresses of every resolution in turn; the last stays."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.asked: list[str] = []
        """What was resolved."""
        self.reached: list[tuple[str, int]] = []
        """Where a connection went."""
        self.away: set[str] = set()
        """Addresses where nobody listens."""
        self._server = ("127.0.0.1", 0)

    @contextmanager
    def serving(self, script: Script) -> Iterator[None]:
        with playing(script) as address:
            host, _, port = address.rpartition(":")
            self._server = (host, int(port))
            yield

    def resolve(self, host: str, port: int, family: int = 0, type: int = 0, **more: Any) -> list[Any]:
        self.asked.append(host)
        if host not in self.names:  # an address in letters, in any of the ways that there are
            return _resolve(host, port, family, type, flags=socket.AI_NUMERICHOST, **more)
        first, *later = self.names[host]
        self.names[host] = later or [first]
        return [found for address in first for found in _resolve(address, port, family, type, **more)]

    def connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self.reached.append(address[:2])
        if address[0] in self.away or sock.family == socket.AF_INET6:
            raise ConnectionRefusedError
        _connect(sock, self._server)


@contextmanager
def faked(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    internet = Internet()

    def connect(sock: socket.socket, address: tuple[Any, ...]) -> None:
        internet.connect(sock, address)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", internet.resolve)
        patch.setattr(socket.socket, "connect", connect, raising=False)
        yield internet
