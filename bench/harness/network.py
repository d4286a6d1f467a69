"""A network between a function and Postgres: its delay, its round trips counted, and TLS at its far end.

`python -m bench.network <host> <port> <seconds> [<certificate> <key>]` is one in a process of its own, whose
work is not the functions'. It prints its port and ends with its standard input.
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
CHUNK = 1 << 18


class Network:
    """Passes everything on, after half of the round trip's delay each way."""

    def __init__(self, target: tuple[str, int], delay: float = 0) -> None:
        self.round_trips = 0
        """How often something was sent after an answer."""
        self._target = target
        self._half = delay / 2
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._listener.getsockname()[1]
        threading.Thread(target=self._accept, daemon=True).start()

    def _accept(self) -> None:
        while True:
            client, _ = self._listener.accept()
            server = socket.create_connection(self._target)
            for side in (client, server):
                side.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            answered = threading.Event()
            answered.set()
            for source, to in ((client, server), (server, client)):
                way = partial(self._pass_on, source, to, answered, asks=source is client)
                threading.Thread(target=way, daemon=True).start()

    def _pass_on(
        self,
        source: socket.socket,
        to: socket.socket,
        answered: threading.Event,
        *,
        asks: bool,
    ) -> None:
        with suppress(OSError):  # the other side was faster to close
            while passed := source.recv(CHUNK):
                if not asks:
                    answered.set()
                elif answered.is_set():
                    answered.clear()
                    self.round_trips += 1
                if self._half:
                    time.sleep(self._half)
                to.sendall(passed)
        for side in (source, to):
            with suppress(OSError):
                side.shutdown(socket.SHUT_RDWR)
            side.close()


class Tls:
    """Ends TLS before a Postgres that has none."""

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
                other = {inner: server, server: inner}
                while True:
                    for source in [inner] if inner.pending() else select([inner, server], [], [])[0]:
                        if not (passed := source.recv(CHUNK)):
                            return
                        other[source].sendall(passed)


@contextmanager
def apart(url: str, delay: float, certificate: tuple[Path, Path] | None = None) -> Iterator[str]:
    """The URL of the same database behind a network in a process of its own."""
    parts = urlsplit(url)
    command = [sys.executable, "-m", __name__, parts.hostname, parts.port, delay, *(certificate or ())]
    with subprocess.Popen(
        list(map(str, command)), cwd=Path(__file__).parents[2], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdin
        assert process.stdout
        port = json.loads(process.stdout.readline())
        yield at(url, port, tls=certificate is not None)
        process.stdin.close()


def at(url: str, port: int, *, tls: bool = False) -> str:
    parts = urlsplit(url)
    host = f"{parts.username}:{parts.password}@127.0.0.1:{port}"
    return parts._replace(netloc=host, query="" if tls else "sslmode=disable").geturl()


def main(host: str, port: str, delay: str, *certificate: str) -> None:
    target = (host, int(port))
    if certificate:
        target = ("127.0.0.1", Tls(target, *certificate).port)
    print(Network(target, float(delay)).port, flush=True)
    sys.stdin.read()


if __name__ == "__main__":
    main(*sys.argv[1:])
