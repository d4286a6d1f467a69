"""An HTTP/1.1 server on top of the standard library's. It survives malformed and oversized requests."""

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
"""The largest request body that API Gateway accepts, in bytes."""
DRAIN_LIMIT = 64 * 1024 * 1024
DRAIN_SECONDS = 2
"""How much of a rejected body is read, in bytes and in seconds."""
IDLE_SECONDS = 75
HEAD_DEFECTS = (
    FirstHeaderLineIsContinuationDefect,
    MisplacedEnvelopeHeaderDefect,
    MissingHeaderBodySeparatorDefect,
)
"""Defects that make headers unreadable. Others are those of mails, which Python parses the same way."""


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
class RawResponse:
    """Bytes to send unchanged, with a pause in seconds before each part. Then the connection is closed."""

    parts: Iterable[bytes]
    pause: float = 0


def json_response(status: int, value: object, headers: list[tuple[str, str]] | None = None) -> Response:
    return Response(
        status,
        json.dumps(value, separators=(",", ":")).encode(),
        [("content-type", "application/json"), *(headers or [])],
    )


class Server(ThreadingHTTPServer):
    """Serves in a thread of its own. If `respond` returns None, it closes the connection silently."""

    daemon_threads = True
    request_queue_size = 1024
    allow_reuse_address = sys.platform != "win32"  # on Windows, two servers could then have one port

    def __init__(
        self, host: str, port: int, respond: Callable[[Request], Response | RawResponse | None]
    ) -> None:
        super().__init__((host, port), _Handler)
        self.respond = respond
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
        socketserver.TCPServer.server_bind(self)  # not HTTPServer's, which asks DNS for the host name

    def handle_error(self, request: object, client_address: object) -> None:
        if not isinstance(sys.exception(), (ConnectionError, TimeoutError)):
            super().handle_error(request, client_address)  # type: ignore[arg-type]  # the stub narrows what the base takes


class _RejectedError(Exception):
    """`unread_bytes` is how much of the body the client may still send."""

    def __init__(self, status: HTTPStatus, unread_bytes: int = 0) -> None:
        super().__init__(status)
        self.status = status
        self.unread_bytes = unread_bytes


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    wbufsize = 1 << 16
    timeout = IDLE_SECONDS
    server: Server

    def _serve(self) -> None:
        try:
            path, query = self._read_target()
            body = self._read_body()
        except _RejectedError as rejection:
            self.send_error(rejection.status)
            self._drain(rejection.unread_bytes)
            return
        response = self.server.respond(
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
        if isinstance(response, RawResponse):
            self._send_raw(response)
            return
        self._send(response)

    def __getattr__(self, name: str) -> Any:
        """Serve every method: the standard library calls `do_<method>`, and the routes decide."""
        if name.startswith("do_"):
            return self._serve
        raise AttributeError(name)

    def _send(self, response: Response) -> None:
        self.send_response(response.status)
        for name, value in response.headers:
            self.send_header(name, value)
        empty = response.status in (HTTPStatus.NO_CONTENT, HTTPStatus.NOT_MODIFIED)
        if not empty:
            self.send_header("content-length", str(len(response.body)))
        self.end_headers()
        if not empty and self.command != "HEAD":
            self.wfile.write(response.body)

    def _send_raw(self, raw: RawResponse) -> None:
        self.close_connection = True
        for part in raw.parts:
            time.sleep(raw.pause)
            self.wfile.write(part)
            self.wfile.flush()

    def _read_target(self) -> tuple[str, str]:
        try:
            target = urlsplit(self.path)  # a client of a proxy sends a whole URL
        except ValueError:
            raise _RejectedError(HTTPStatus.BAD_REQUEST) from None
        if any(isinstance(defect, HEAD_DEFECTS) for defect in self.headers.defects):
            raise _RejectedError(HTTPStatus.BAD_REQUEST)
        if not target.path.startswith("/"):
            raise _RejectedError(HTTPStatus.BAD_REQUEST)
        return target.path, target.query

    def _read_body(self) -> bytes:
        lengths = self.headers.get_all("content-length", [])
        encodings = self.headers.get_all("transfer-encoding", [])
        if encodings:
            if lengths or [encoding.strip().lower() for encoding in encodings] != ["chunked"]:
                raise _RejectedError(HTTPStatus.BAD_REQUEST)
            return self._read_chunks()
        if len(set(lengths)) > 1 or any(not (text.isascii() and text.isdigit()) for text in lengths):
            raise _RejectedError(HTTPStatus.BAD_REQUEST)
        length = int(lengths[0]) if lengths else 0
        if length > BODY_LIMIT:
            raise _RejectedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, unread_bytes=length)
        return self._read_exactly(length)

    def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := self._read_chunk_size():
            if len(body) + size > BODY_LIMIT:
                raise _RejectedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, unread_bytes=DRAIN_LIMIT)
            body += self._read_exactly(size)
            if self.rfile.readline(3) not in (b"\r\n", b"\n"):
                raise _RejectedError(HTTPStatus.BAD_REQUEST)
        while self.rfile.readline(1 << 16) not in (b"\r\n", b"\n", b""):
            pass  # trailers
        return bytes(body)

    def _read_chunk_size(self) -> int:
        digits = self.rfile.readline(1 << 16).partition(b";")[0].strip()
        try:
            size = int(digits, 16)
        except ValueError:
            raise _RejectedError(HTTPStatus.BAD_REQUEST) from None
        if not digits.isalnum():  # int() accepts signs and underscores, and HTTP does not
            raise _RejectedError(HTTPStatus.BAD_REQUEST)
        return size

    def _read_exactly(self, size: int) -> bytes:
        received = self.rfile.read(size)
        if len(received) < size:
            raise ConnectionAbortedError
        return received

    def _drain(self, unread_bytes: int) -> None:
        """Read what still arrives. Closing earlier resets the connection, and the client sees no response."""
        self.wfile.flush()
        self.connection.shutdown(socket.SHUT_WR)
        self.connection.settimeout(DRAIN_SECONDS)
        unread_bytes = min(unread_bytes, DRAIN_LIMIT)
        while unread_bytes > 0:
            part = self.rfile.read1(min(unread_bytes, 1 << 16))
            if not part:
                return
            unread_bytes -= len(part)

    def handle_expect_100(self) -> bool:
        length = self.headers.get("content-length", "0")
        if length.isdigit() and int(length) > BODY_LIMIT:
            self.send_error(HTTPStatus.REQUEST_ENTITY_TOO_LARGE)
            return False
        super().handle_expect_100()
        self.wfile.flush()
        return True

    def send_error(self, code: int, *_: object, **__: object) -> None:
        """Called by the standard library, too, if it cannot read a request."""
        self.close_connection = True
        self.command = self.command or "GET"
        self._send(json_response(code, {"message": HTTPStatus(code).phrase}, [("connection", "close")]))

    def version_string(self) -> str:
        return "local"

    def log_message(self, format: str, *arguments: object) -> None:
        """Log nothing: the gateway and the simulators log requests themselves."""
