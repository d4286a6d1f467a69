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
    """All that the server says until it closes the connection, which the last request asks for."""
    with socket.create_connection(address, timeout=10) as connection:
        for part in parts:
            connection.sendall(part)
        with connection.makefile("rb") as answer:
            return answer.read()


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
def test_what_is_not_http_is_answered_400(address: tuple[str, int], request_bytes: bytes) -> None:
    answer = exchange(address, request_bytes)
    assert answer.startswith((b"HTTP/1.1 400 ", b'{"message"'))  # HTTP/0.9 has no status line
    assert answer.endswith(b'{"message":"Bad Request"}')


def test_a_chunked_body_is_put_together(address: tuple[str, int]) -> None:
    head = b"POST /a?b HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n"
    answer = exchange(address, head, b"3\r\nabc\r\n2;x=y\r\nde\r\n0\r\nTrailer: 1\r\n\r\n")
    assert json.loads(answer.partition(b"\r\n\r\n")[2]) == ["POST", "/a", "b", "abcde"]


def test_a_chunked_body_has_a_limit_too(address: tuple[str, int]) -> None:
    size = BODY_LIMIT + 1
    answer = exchange(address, b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n" % size)
    assert answer.startswith(b"HTTP/1.1 413 ")


def test_a_client_that_asks_first_is_told_to_go_on(address: tuple[str, int]) -> None:
    with socket.create_connection(address, timeout=10) as connection, connection.makefile("rb") as answer:
        connection.sendall(b"POST / HTTP/1.1\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert answer.readline() == b"HTTP/1.1 100 Continue\r\n"
        connection.sendall(b"hi")
        assert answer.readline() == b"\r\n"
        assert answer.readline() == b"HTTP/1.1 200 OK\r\n"


def test_a_client_that_asks_first_is_told_that_it_is_too_much(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Length: %d\r\nExpect: 100-continue\r\n\r\n" % (BODY_LIMIT + 1)
    assert exchange(address, head).startswith(b"HTTP/1.1 413 ")


def test_one_connection_serves_one_request_after_the_other(address: tuple[str, int]) -> None:
    answer = exchange(
        address, b"GET /1 HTTP/1.1\r\n\r\n" * 2 + b"GET /2 HTTP/1.1\r\nConnection: close\r\n\r\n"
    )
    assert answer.count(b"HTTP/1.1 200 OK") == 3


def test_any_method_is_let_through(address: tuple[str, int]) -> None:
    answer = exchange(address, b"QUERY / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.endswith(b'["QUERY","/","",""]')


def test_a_body_of_several_parts_is_let_through(address: tuple[str, int]) -> None:
    head = b"POST / HTTP/1.1\r\nContent-Type: multipart/form-data; boundary=b\r\nContent-Length: 2\r\n"
    assert exchange(address, head + b"Connection: close\r\n\r\nhi").endswith(b'["POST","/","","hi"]')


def test_a_head_request_is_answered_without_a_body(address: tuple[str, int]) -> None:
    answer = exchange(address, b"HEAD / HTTP/1.1\r\nConnection: close\r\n\r\n")
    assert answer.startswith(b"HTTP/1.1 200 OK")
    assert answer.endswith(b"\r\n\r\n")


def test_no_answer_is_a_closed_connection(address: tuple[str, int]) -> None:
    assert exchange(address, b"GET /silent HTTP/1.1\r\n\r\n") == b""
