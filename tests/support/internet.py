"""A fake internet with one server: every IPv4 address reaches it, and host names resolve as configured."""

import socket
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest

from tests.support.tcp_server import Script, serve

PUBLIC, OTHER = "93.184.216.34", "2606:2800:220:1:248:1893:25c8:1946"

_resolve = socket.getaddrinfo
_connect = socket.socket.connect


class Internet:
    """`names` has, by host name, the addresses of each resolution in turn. The last ones repeat."""

    def __init__(self) -> None:
        self.names: dict[str, list[list[str]]] = {}
        self.resolved: list[str] = []
        """The names that were resolved."""
        self.reached: list[tuple[str, int]] = []
        """The addresses and ports to which connections were opened."""
        self.closed: set[str] = set()
        """The addresses that refuse connections."""
        self._server = ("127.0.0.1", 0)

    @contextmanager
    def serving(self, script: Script) -> Iterator[None]:
        with serve(script) as address:
            host, _, port = address.rpartition(":")
            self._server = (host, int(port))
            yield

    def resolve(self, host: str, port: int, family: int = 0, type: int = 0, **options: Any) -> list[Any]:
        self.resolved.append(host)
        if host not in self.names:  # an IP address, in any spelling
            return _resolve(host, port, family, type, flags=socket.AI_NUMERICHOST, **options)
        addresses, *later = self.names[host]
        self.names[host] = later or [addresses]
        return [
            result for address in addresses for result in _resolve(address, port, family, type, **options)
        ]

    def connect(self, sock: socket.socket, address: tuple[Any, ...]) -> None:
        self.reached.append(address[:2])
        if address[0] in self.closed or sock.family == socket.AF_INET6:
            raise ConnectionRefusedError
        _connect(sock, self._server)


@contextmanager
def fake_internet(monkeypatch: pytest.MonkeyPatch) -> Iterator[Internet]:
    internet = Internet()

    def connect(sock: socket.socket, address: tuple[Any, ...]) -> None:
        internet.connect(sock, address)

    with monkeypatch.context() as patch:
        patch.setattr(socket, "getaddrinfo", internet.resolve)
        patch.setattr(socket.socket, "connect", connect, raising=False)
        yield internet
