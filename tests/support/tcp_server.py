"""A TCP server that misbehaves: a script decides, byte by byte, what it does with each connection."""

import socket
import struct
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

Script = Callable[[socket.socket], object]
MAX_SECONDS = 10.0  # until a script ends by itself, whatever the test does


def accept_connections(listener: socket.socket) -> Iterator[socket.socket]:
    """Yield one connection after the other, until the listener is shut down."""
    while True:
        try:
            client, _ = listener.accept()
        except OSError:
            return
        yield client


class _Server(threading.Thread):
    """Runs the script for one connection after the other."""

    def __init__(self, script: Script) -> None:
        super().__init__(daemon=True)
        self._script = script
        self._open: set[socket.socket] = {socket.create_server(("127.0.0.1", 0))}
        [self._listener] = self._open
        self.address = "{}:{}".format(*self._listener.getsockname())

    def run(self) -> None:
        for client in accept_connections(self._listener):
            self._open.add(client)
            with client, suppress(OSError):  # the client has disconnected, as it should
                self._script(client)
            self._open.discard(client)

    def stop(self) -> None:
        for connection in list(self._open):
            with suppress(OSError):  # the script has closed it already
                connection.shutdown(socket.SHUT_RDWR)
        self.join(MAX_SECONDS)
        self._listener.close()


@contextmanager
def serve(script: Script) -> Iterator[str]:
    """Serve the script, and yield the host and port."""
    server = _Server(script)
    server.start()
    yield server.address
    server.stop()


def read_request(client: socket.socket) -> bytes:
    """Read one request with its body, which ends at its Content-Length."""
    request = b""
    while b"\r\n\r\n" not in request:
        request += _receive(client)
    head, _, body = request.partition(b"\r\n\r\n")
    lengths = [
        line.split(b":")[1] for line in head.lower().split(b"\r\n") if line.startswith(b"content-length")
    ]
    while lengths and len(body) < int(lengths[0]):
        body += _receive(client)
    return head + b"\r\n\r\n" + body


def _receive(client: socket.socket) -> bytes:
    received = client.recv(65536)
    if not received:
        raise ConnectionAbortedError
    return received


def respond(*parts: bytes, every: float = 0) -> Script:
    """Read the request, send the parts with `every` seconds before each, and disconnect."""

    def script(client: socket.socket) -> None:
        read_request(client)
        for part in parts:
            time.sleep(every)
            client.sendall(part)

    return script


def drip(head: bytes, drop: bytes) -> Script:
    """Send the head, and then the drop again and again without an end."""

    def script(client: socket.socket) -> None:
        read_request(client)
        client.sendall(head)
        deadline = time.monotonic() + MAX_SECONDS
        while time.monotonic() < deadline:
            time.sleep(0.05)
            client.sendall(drop)

    return script


def hang(client: socket.socket) -> None:
    """Read, and do not answer until the client disconnects."""
    client.settimeout(MAX_SECONDS)
    while client.recv(65536):
        pass


def reset(client: socket.socket) -> None:
    client.recv(1)
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
