"""An HTTP/1.1 server on the standard library's: robust against what clients send, ready for many at once."""

import json
import socket
import socketserver
import sys
import threading
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from email.errors import (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

BODY_LIMIT = 10 * 1024 * 1024
"""What API Gateway takes, in bytes."""
DRAIN_LIMIT = 64 * 1024 * 1024
DRAIN_SECONDS = 2
"""How much of a refused body is read, in bytes and for how long."""
IDLE_SECONDS = 75
HEAD_DEFECTS = (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
"""What makes a head unreadable. The parser is the one for mails: it also misses a multipart's parts there."""


@dataclass(frozen=True)
class Request:
    """`path` is still percent-encoded; `headers` are as sent, in order."""

    method: str
    path: str
    query: str
    headers: list[tuple[str, str]]
    body: bytes
    client: str
    protocol: str


@dataclass(frozen=True)
class Response:
    status: int
    body: bytes = b""
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Raw:
    """Bytes as they stand, with a pause before each part; then the connection is closed."""

    parts: Iterable[bytes]
    pause: float = 0


def json_response(status: int, value: object, headers: list[tuple[str, str]] | None = None) -> Response:
    return Response(
        status,
        json.dumps(value, separators=(",", ":")).encode(),
        [("content-type", "application/json"), *(headers or [])],
    )


class Server(ThreadingHTTPServer):
    """Serves from a thread of its own. `answer` returning None closes the connection without a word."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = sys.platform != "win32"  # there it would let two servers have one port

    def __init__(self, host: str, port: int, answer: Callable[[Request], Response | Raw | None]) -> None:
        super().__init__((host, port), _Handler)
        self.answer = answer
        self.url = f"http://{host}:{self.server_address[1]}"
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), daemon=True)

    def start(self) -> None:
        self._thread.start()

    def stop(self) -> None:
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join()
        self.server_close()

    def server_bind(self) -> None:
        socketserver.TCPServer.server_bind(self)  # past HTTPServer's, which asks DNS for our name

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # the stub narrows what the base takes


class _RefusedError(Exception):
    def __init__(self, status: HTTPStatus, left: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.left = left


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = IDLE_SECONDS
    server: Server

    def _serve(self) -> None:
        try:
            path, query = self._target()
            body = self._body()
        except _RefusedError as refused:
            self.send_error(refused.status)
            self._drain(refused.left)
            return
        response = self.server.answer(
            Request(
                self.command,
                path,
                query,
                list(self.headers.items()),
                body,
                self.client_address[0],
                self.request_version,
            )
        )
        if response is None:
            self.close_connection = True
            return
        if isinstance(response, Raw):
            self._write(response)
            return
        self._answer(response)

    def __getattr__(self, name: str) -> Any:
        """The standard library looks up `do_<method>`; which methods there are is for the routes to say."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _answer(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        empty = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        if not empty:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if not empty and self.command != "HEAD":
            self.wfile.write(response.body)

    def _write(self, raw: Raw) -> None:
        self.close_connection = True
        for part in raw.parts:
            time.sleep(raw.pause)
            self.wfile.write(part)
            self.wfile.flush()

    def _target(self) -> tuple[str, str]:
        try:
            target = urlsplit(self.path)  # of a proxy's request, a whole URL
        except ValueError:
            raise _RefusedError(HTTPStatus.BAD_REQUEST) from None
        if any(isinstance(defect, HEAD_DEFECTS) for defect in self.headers.defects):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        if not target.path.startswith("/"):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        return target.path, target.query

    def _body(self) -> bytes:
        lengths = self.headers.get_all("content-length", [])
        encodings = self.headers.get_all("transfer-encoding", [])
        if encodings:
            if lengths or [encoding.strip().lower() for encoding in encodings] != ["chunked"]:
                raise _RefusedError(HTTPStatus.BAD_REQUEST)
            return self._chunks()
        if len(set(lengths)) > 1 or any(not (text.isascii() and text.isdigit()) for text in lengths):
            raise _RefusedError(HTTPStatus.BAD_REQUEST)
        length = int(lengths[0]) if lengths else 0
        if length > BODY_LIMIT:
            raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, left=length)
        return self._exactly(length)

    def _chunks(self) -> bytes:
        body = bytearray()
        while size := self._chunk_size():
            if len(body) + size > BODY_LIMIT:
                raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, left=DRAIN_LIMIT)
            body += self._exactly(size)
            if self.rfile.readline(3) not in (b"\r\n", b"\n"):
                raise _RefusedError(HTTPStatus.BAD_REQUEST)
        while self.rfile.readline(1 << 16) not in (b"\r\n", b"\n", b""):
            pass  # trailers
        return bytes(body)

    def _chunk_size(self) -> int:
        digits = self.rfile.readline(1 << 16).partition(b";")[0].strip()
        try:
            return int(digits, 16) if digits.isalnum() else int("")  # int() takes signs, HTTP does not
        except ValueError:
            raise _RefusedError(HTTPStatus.BAD_REQUEST) from None

    def _exactly(self, size: int) -> bytes:
        received = self.rfile.read(size)
        if len(received) < size:
            raise ConnectionAbortedError
        return received

    def _drain(self, left: int) -> None:
        """Closing on what is still arriving would be a reset, and the client would not see the answer."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(DRAIN_SECONDS)
        left = min(left, DRAIN_LIMIT)
        while left > 0 and (part := self.rfile.read1(min(left, 1 << 16))):
            left -= len(part)

    def handle_expect_100(self) -> bool:
        length = self.headers.get("content-length", "0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, *_: object, **__: object) -> None:
        """Also what the standard library answers by itself to a request that it cannot read."""
        self.close_connection = True
        self.command = self.command or "GET"
        self._answer(json_response(code, {"message": HTTPStatus(code).phrase}, [("connection", "close")]))

    def version_string(self) -> str:
        return "local"

    def log_message(self, format: str, *arguments: object) -> None:
        """Nothing: whoever answers has its own log."""
