"""A TCP proxy in front of Postgres that ends connections when a test wants it to."""

import socket
import struct
import threading
from collections.abc import Iterator
from contextlib import suppress
from enum import Enum, auto
from typing import IO, NamedTuple
from urllib.parse import urlsplit

EXECUTE, READY, TERMINATE = b"E", b"Z", b"X"
"""Types of messages: https://www.postgresql.org/docs/current/protocol-message-formats.html"""


class End(Enum):
    CLOSED = auto()
    RESET = auto()
    SILENT = auto()
    """The connection stays open and passes nothing on, as if a firewall had dropped it."""


class Loss(NamedTuple):
    """How the connection of the next statement ends."""

    end: End
    arrives: bool = True
    """Whether the statement reaches the server, which finishes it before the connection ends."""
    answered: int = 0
    """The number of bytes of the response that reach the client."""


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
            with suppress(OSError):  # the other side has closed it already
                side.shutdown(socket.SHUT_RD if how is End.RESET else socket.SHUT_RDWR)
            side.close()

    def _requests(self) -> None:
        with self._client.makefile("rb") as stream:
            for message in messages(stream, greeting=True):
                if self._answered and message[:1] != TERMINATE:  # which has no response
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
        response = b""
        with self._server.makefile("rb") as stream:
            for message in messages(stream):
                self._answered = True
                if self._loss is None:
                    if not self._silent:
                        _pass_on(self._client, message)
                    continue
                response += message
                if message[:1] == READY:
                    _pass_on(self._client, response[: self._loss.answered])
                    self.end(self._loss.end)
                    return
        self.end(End.CLOSED)


def _pass_on(side: socket.socket, data: bytes) -> None:
    with suppress(OSError):  # it is closed; the thread that reads from it ends the connection
        side.sendall(data)


def messages(stream: IO[bytes], *, greeting: bool = False) -> Iterator[bytes]:
    """Yield complete messages until the stream ends. A client's first message has no type byte."""
    try:
        while len(head := stream.read(4 if greeting else 5)) >= 4:
            greeting = False
            length = int.from_bytes(head[-4:]) - 4
            yield head + stream.read(length)
    except (OSError, ValueError):
        pass  # another thread closed the connection


class Proxy:
    """Passes everything on, except for the statements of `lose`."""

    def __init__(self, url: str) -> None:
        self._parts = urlsplit(url)
        self._target = (self._parts.hostname or "", self._parts.port or 5432)
        self._port = 0
        self._listener: socket.socket | None = None
        self._connections: list[Connection] = []
        self._losses: list[Loss] = []
        self.round_trips = 0
        """How often the client sent something after a response: the number of network delays."""
        self.let_in()

    @property
    def url(self) -> str:
        host = f"{self._parts.username}:{self._parts.password}@127.0.0.1:{self._port}"
        return self._parts._replace(netloc=host).geturl()

    @property
    def connection_count(self) -> int:
        """The number of connections so far."""
        return len(self._connections)

    def lose(self, *losses: Loss) -> None:
        """End the connections of the next statements, one loss each."""
        self._losses += losses

    def take_loss(self) -> Loss | None:
        return self._losses.pop(0) if self._losses else None

    def end_all(self, how: End) -> None:
        for connection in list(self._connections):  # a copy: the client may open others meanwhile
            connection.end(how)

    def let_in(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", self._port))
        self._port = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, args=(self._listener,), daemon=True).start()

    def shut_out(self) -> None:
        """Refuse new connections. Open ones stay."""
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
                return  # closed by shut_out
            client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            server = socket.create_connection(self._target)
            server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self._connections.append(Connection(client, server, self))
