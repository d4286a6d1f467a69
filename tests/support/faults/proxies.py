"""Proxies for Postgres, SQS, Secrets Manager and the provider that stop the traffic at a named moment."""

import re
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import suppress
from enum import StrEnum
from typing import IO, NamedTuple

import psutil

from tests.support.postgres_proxy import EXECUTE, READY, messages
from tests.support.tcp_server import accept_connections

PARSE, QUERY = b"P", b"Q"


class Side(StrEnum):
    CONNECTION = "connection"
    """Before the connection is made: the client waits for it."""
    REQUEST = "request"
    """The request is written and not forwarded."""
    ANSWER = "answer"
    """The work is done and committed, and the answer is not passed back."""
    AFTER = "after"
    """After the whole delivery."""


class Part(NamedTuple):
    data: bytes
    call: str = ""
    """What it makes the server do. Empty if it does nothing by itself."""


class Protocol(NamedTuple):
    requests: Callable[[IO[bytes]], Iterator[Part]]
    answers: Callable[[IO[bytes]], Iterator[tuple[bytes, bool]]]
    """Yields data and whether the server has finished the call by then."""


# --- Postgres ----------------------------------------------------------------------------------------


def _statements(stream: IO[bytes]) -> Iterator[Part]:
    prepared = ""
    for number, message in enumerate(messages(stream, greeting=True)):
        kind, text = message[:1], message[5:].decode(errors="replace")
        if not number:
            yield Part(message, "connect")
        elif kind == PARSE:
            prepared = _statement(text.split("\0")[1])
            yield Part(message)
        elif kind == QUERY:
            yield Part(message, _statement(text))
        else:
            yield Part(message, prepared if kind == EXECUTE else "")


def _statement(sql: str) -> str:
    """The database function that a statement calls, or its text."""
    called = re.search(r"FROM (\w+)\(", sql)
    return called[1] if called else sql.strip("\0 ")


def _results(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    for message in messages(stream):
        yield message, message[:1] == READY


POSTGRES = Protocol(_statements, _results)


# --- HTTP --------------------------------------------------------------------------------------------


def _requests(stream: IO[bytes]) -> Iterator[Part]:
    """Requests by the AWS operation, or else by their method."""
    with suppress(OSError, ValueError):  # another thread closed the socket
        while line := stream.readline():
            head = [line]
            while head[-1].strip():
                head.append(stream.readline())
            headers = {
                name.strip().lower(): value.strip()
                for name, _, value in (line.partition(b":") for line in head)
            }
            body = stream.read(int(headers.get(b"content-length", 0)))
            method = line.decode().split()[0]
            operation = headers.get(b"x-amz-target", b"").decode().rpartition(".")[2]
            yield Part(b"".join(head) + body, operation or method)


def _bytes(stream: IO[bytes]) -> Iterator[tuple[bytes, bool]]:
    with suppress(OSError, ValueError):
        while data := stream.read1():  # type: ignore[attr-defined]  # a socket's file is a BufferedReader
            yield data, True  # these servers have finished the work before the first byte


HTTP = Protocol(_requests, _bytes)


# --- The proxy ---------------------------------------------------------------------------------------


class Wire:
    """A proxy that forwards everything until the moment set by `hold`, and nothing from then on."""

    def __init__(self, port: int, protocol: Protocol) -> None:
        self._target = ("127.0.0.1", port)
        self._protocol = protocol
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        self._ends: list[socket.socket] = []
        self._moment: tuple[str, Side] | None = None
        self.held = threading.Event()
        self.calls: list[str] = []
        """All calls, in order."""
        threading.Thread(target=self._accept, daemon=True).start()

    def hold(self, call: str, side: Side) -> None:
        self._moment = (call, side)

    def drop(self) -> None:
        """Close every connection, and stop holding."""
        for end in self._ends:
            with suppress(OSError):  # the other side closed it first
                end.shutdown(socket.SHUT_RDWR)
            end.close()
        self._ends = []
        self._moment = None
        self.held.clear()
        self.calls = []

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self.drop()

    def _accept(self) -> None:
        for client in accept_connections(self._listener):
            server = socket.create_connection(self._target)
            self._ends += [client, server]
            for end in (client, server):
                end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            called = threading.Event()
            for work in (self._pass_on, self._pass_back):
                threading.Thread(target=work, args=(client, server, called), daemon=True).start()

    def _pass_on(self, client: socket.socket, server: socket.socket, called: threading.Event) -> None:
        with suppress(OSError), client.makefile("rb") as stream:
            for data, call in self._protocol.requests(stream):
                if call:
                    self.calls.append(call)
                if self._moment == (call, Side.REQUEST):
                    self.held.set()
                if self._moment == (call, Side.ANSWER):
                    called.set()
                if self.held.is_set():
                    return
                server.sendall(data)
            server.shutdown(socket.SHUT_WR)

    def _pass_back(self, client: socket.socket, server: socket.socket, called: threading.Event) -> None:
        with suppress(OSError), server.makefile("rb") as stream:
            for data, done in self._protocol.answers(stream):
                if called.is_set() and done:
                    self.held.set()
                if called.is_set() or self.held.is_set():
                    continue
                client.sendall(data)
            if not (called.is_set() or self.held.is_set()):
                client.shutdown(socket.SHUT_WR)


class Door:
    """A port whose listener never accepts, so that clients wait for their connection."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=0)
        self.port: int = self._listener.getsockname()[1]
        self._queue: list[socket.socket] = []
        with suppress(TimeoutError):
            while True:  # until the backlog is full
                self._queue.append(socket.create_connection(("127.0.0.1", self.port), timeout=0.5))

    def waits(self, pid: int) -> bool:
        """Whether this process waits for a connection."""
        return any(
            connection.status == psutil.CONN_SYN_SENT and connection.raddr.port == self.port
            for connection in psutil.Process(pid).net_connections("tcp")
        )

    def close(self) -> None:
        for connection in (*self._queue, self._listener):
            connection.close()
