import json
import socket
from collections.abc import Iterator

import pytest

from local.http.server import BODY_LIMIT, Request, Response, Server, json_response


def mirror(request: Request) -> Response | None:
    if request.path == "/silent":
        return None
    return json_response(200, [request.method, request.path, request.query, request.body.decode()])


@pytest.fixture(scope="module")
def address() -> Iterator[tuple[str, int]]:
    server = Server("127.0.0.1", 0, mirror)
    server.start()
    yield "127.0.0.1", server.server_address[1]
    server.stop()


def exchange(address: tuple[str, int], *parts: bytes) -> bytes:
    """Send parts of requests, and return everything that the server sends until it closes the connection."""
    with socket.create_connection(address, timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        with connection.makefile("rb") as response:
            return response.read()


@pytest.mark.parametrize(
    "request_bytes",
    [
        b"nonsense\r\n\r\n",
        b"GET /\r\n junk\r\n\r\n",
        b"GET / HTTP/9.9.9\r\n\r\n",
        b"GET * HTTP/1.1\r\n\r\n",
        b"GET http://[ HTTP/1.1\r\n\r\n",
        b"GET / HTTP/1.1\r\nno colon\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: -1\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1_0\r\n\r\n",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\nab",
        b"POST / HTTP/1.1\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n-1\r\n\r\n",
        b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nabc\r\n",
    ],
)
def test_a_request_that_is_not_http_is_a_400(address: tuple[str, int], request_bytes: bytes) -> None:
    response = exchange(address, request_bytes)
    assert response.startswith((b"HTTP/1.1 400 ", b'{"message"'))  # HTTP/0.9 has no status line
    assert response.endswith(b'{"message":"Bad Request"}')


def test_a_chunked_body_is_joined(address: tuple[str, int]) -> None:
    head = b"POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    response = exchange(address, head, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
    assert json.loads(response.partition(b"\r\n\r\n")[2]) == ["POST", "/a", "b", "abcde"]


def test_a_chunked_body_has_a_limit(address: tuple[str, int]) -> None:
    size = BODY_LIMIT + 1
    response = exchange(address, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
    assert response.startswith(b"HTTP/1.1 413 ")


def test_expect_100_continue_is_answered(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as response:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert response.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(b"hi")
        assert response.readline() == b"\r\n"
        assert response.readline() == b"HTTP/1.1 200 OK\r\n"


def test_expect_100_continue_is_rejected_for_a_body_that_is_too_large(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (BODY_LIMIT + 1)
    assert exchange(address, head).startswith(b"HTTP/1.1 413 ")


def test_a_connection_serves_several_requests(address: tuple[str, int]) -> None:
    response = exchange(
        address, b"GET /1 HTTP/1.1\r\n\r\n" * 2 + b"GET /2 HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    assert response.count(b"HTTP/1.1 200 OK") == 3


def test_any_method_is_served(address: tuple[str, int]) -> None:
    response = exchange(address, b"QUERY / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert response.endswith(b'["QUERY","/","",""]')


def test_a_multipart_body_is_served(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2\r\n"
    assert exchange(address, head + b"Connection: close\r\n\r\nhi").endswith(b'["POST","/","","hi"]')


def test_the_response_to_head_has_no_body(address: tuple[str, int]) -> None:
    response = exchange(address, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert response.startswith(b"HTTP/1.1 200 OK")
    assert response.endswith(b"\r\n\r\n")


def test_the_connection_is_closed_if_there_is_no_response(address: tuple[str, int]) -> None:
    assert exchange(address, b"GET /silent HTTP/1.1\r\n\r\n") == b""
