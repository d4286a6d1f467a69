"""A TCP proxy before Postgres that ends connections where a test says so."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from typing import IO, NamedTuple
from urllib.parse import urlsplit

EXECUTE, READY, TERMINATE = b"E", b"Z", b"X"
"""Of the messages: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class End(Enum):
    CLOSED = auto()
    RESET = auto()
    SILENT = auto()
    """Open, and nothing gets through any more: what is left of a connection that a firewall forgot."""


class Loss(NamedTuple):
    """What becomes of the next statement that is executed."""

    end: End
    arrives: bool = True
    """At the server, which finishes it before the connection ends."""
    answered: int = 0
    """Bytes of the answer that get through."""


class Connection:
    def __init__(self, client: socket.socket, server: socket.socket, proxy: "Proxy") -> None:
        self._client, self._server, self._proxy = client, server, proxy
        self._loss: Loss | None = None
        self._silent = False
        self._answered = True
        for work in (self._requests, self._answers):
            threading.Thread(target=work, daemon=True).start()

    def end(self, how: End) -> None:
        self._silent = True
        if how is End.SILENT:
            return
        for side in (self._client, self._server):
            if how is End.RESET and side is self._client:
                side.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            with suppress(OSError):  # the other side was faster
                side.shutdown(socket.SHUT_RD if how is End.RESET else socket.SHUT_RDWR)
            side.close()

    def _requests(self) -> None:
        with self._client.makefile("rb") as stream:
            for message in messages(stream, greeting=True):
                if self._answered and message[:1] != TERMINATE:  # which nobody answers
                    self._proxy.round_trips += 1
                    self._answered = False
                if message[:1] == EXECUTE and (loss := self._proxy.take_loss()):
                    self._loss = loss
                    if not loss.arrives:
                        self.end(loss.end)
                        return
                if not self._silent:
                    _pass_on(self._server, message)
        self.end(End.CLOSED)

    def _answers(self) -> None:
        kept = b""
        with self._server.makefile("rb") as stream:
            for message in messages(stream):
                self._answered = True
                if self._loss is None:
                    if not self._silent:
                        _pass_on(self._client, message)
                    continue
                kept += message
                if message[:1] == READY:
                    _pass_on(self._client, kept[: self._loss.answered])
                    self.end(self._loss.end)
                    return
        self.end(End.CLOSED)


def _pass_on(side: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # it has gone; whoever reads from it ends the connection
        side.sendall(data)


def messages(stream: IO[bytes], *, greeting: bool = False) -> Iterator[bytes]:
    """Whole messages, as far as they come; a client's first one has no type."""
    try:
        while len(head := stream.read(4 if greeting else 5)) >= 4:
            greeting, rest = False, int.from_bytes(head[-4:]) - 4
            yield head + stream.read(rest)
    except (OSError, ValueError):
        pass  # ended from elsewhere


class Proxy:
    """Lets everything through but what it is told to lose."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._target = (self._parts.hostname or "", self._parts.port or 5432)
        self._port = 0
        self._listener: socket.socket | None = None
        self._connections: list[Connection] = []
        self._losses: list[Loss] = []
        self.round_trips = 0
        """How often something was sent after an answer: what a network's delay is paid for."""
        self.let_in()

    @property
    def url(self) -> str:
        host = f"{self._parts.username}:{self._parts.password}@127.0.0.1:{self._port}"
        return self._parts._replace(netloc=host).geturl()

    @property
    def made(self) -> int:
        """How many connections were made until now."""
        return len(self._connections)

    def lose(self, *losses: Loss) -> None:
        """Of the statements to come, the first ones."""
        self._losses += losses

    def take_loss(self) -> Loss | None:
        return self._losses.pop(0) if self._losses else None

    def end_all(self, how: End) -> None:
        for connection in list(self._connections):  # not those that replace them meanwhile
            connection.end(how)

    def let_in(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut_out(self) -> None:
        """New connections are refused; those that are there stay."""
        if self._listener is not None:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            self._listener = None

    def close(self) -> None:
        self.shut_out()
        self.end_all(End.CLOSED)

    def _accept(self, listener: socket.socket) -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return  # shut out
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(self._target)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(Connection(client, server, self))
