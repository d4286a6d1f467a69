"""A TCP proxy between a function and Postgres: it adds a delay, counts round trips and can add TLS.

`python -m bench.harness.network <host> <port> <seconds> [<certificate> <key>]` runs it in a process of its
own, so that its CPU time is not the functions'. It prints its port, and ends with its standard input.
"""

import json
import socket
import ssl
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from select import select
from urllib.parse import urlsplit

SSL_REQUEST = bytes.fromhex("0000000804d2162f")
"""https://www.postgresql.org/docs/current/protocol-message-formats.html"""
CHUNK_SIZE = 1 << 18


class Network:
    """Forwards everything after a delay: half of the round trip's delay in each direction."""

    def __init__(self, target: tuple[str, int], delay: float = 0) -> None:
        self.round_trips = 0
        """How often the client sent something after a response."""
        self._target = target
        self._one_way_delay = delay / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._target)
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            responded = threading.Event()
            responded.set()
            for source, target in ((client, server), (server, client)):
                forward = partial(self._forward, source, target, responded, is_request=source is client)
                threading.Thread(target=forward, daemon=True).start()

    def _forward(
        self,
        source: socket.socket,
        target: socket.socket,
        responded: threading.Event,
        *,
        is_request: bool,
    ) -> None:
        with suppress(OSError):  # the other side has closed the connection
            while chunk := source.recv(CHUNK_SIZE):
                if not is_request:
                    responded.set()
                elif responded.is_set():
                    responded.clear()
                    self.round_trips += 1
                if self._one_way_delay:
                    time.sleep(self._one_way_delay)
                target.sendall(chunk)
        for side in (source, target):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class TlsProxy:
    """Terminates TLS in front of a Postgres without TLS."""

    def __init__(self, target: tuple[str, int], certificate: str, key: str) -> None:
        self._target = target
        self._context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        self._context.load_cert_chain(certificate, key)
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with client, suppress(OSError):
            if client.recv(len(SSL_REQUEST)) != SSL_REQUEST:
                return
            client.sendall(b"S")
            with (
                self._context.wrap_socket(client, server_side=True) as inner,
                socket.create_connection(self._target) as server,
            ):
                server.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                _forward_both_ways(inner, server)


def _forward_both_ways(inner: ssl.SSLSocket, server: socket.socket) -> None:
    """Forward until one side closes the connection."""
    other_side: dict[socket.socket, socket.socket] = {inner: server, server: inner}
    while True:
        if inner.pending():  # decrypted bytes, of which select() does not know
            readable: list[socket.socket] = [inner]
        else:
            readable = select([inner, server], [], [])[0]
        for source in readable:
            chunk = source.recv(CHUNK_SIZE)
            if not chunk:
                return
            other_side[source].sendall(chunk)


@contextmanager
def delayed(url: str, delay: float, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """Run the proxy in a process of its own, and return the URL of the database behind it."""
    parts = urlsplit(url)
    command = [sys.executable, "-m", __name__, parts.hostname, parts.port, delay, *(certificate or ())]
    with subprocess.Popen(
        list(map(str, command)), cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        port = json.loads(process.stdout.readline())
        yield url_at(url, port, tls=certificate is not None)
        process.stdin.close()


def url_at(url: str, port: int, *, tls: bool = False) -> str:
    """Return the URL of a database with another port on this machine."""
    parts = urlsplit(url)
    host = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    return parts._replace(netloc=host, query="" if tls else "sslmode=disable").geturl()


def main(host: str, port: str, delay: str, *certificate: str) -> None:
    target = (host, int(port))
    if certificate:
        target = ("127.0.0.1", TlsProxy(target, *certificate).port)
    print(Network(target, float(delay)).port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
