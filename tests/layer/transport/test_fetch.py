"""Fetched files: their names and types, the limits on size and time, and the failures."""

import socket
import ssl
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from messaging.failures import Failure, Unready, Unsendable
from messaging.providers.provider import SEND_TIME
from messaging.transport import aws_call
from messaging.transport import client as transport_client
from messaging.transport import fetch as product
from messaging.transport.fetch import FetchedFile, fetch
from tests.support.certificates import Authority, Certificate
from tests.support.internet import PUBLIC, Internet
from tests.support.providers.send_contract import answer
from tests.support.tcp_server import Script, drip, hang, read_request, reset, respond, serve

pytestmark = pytest.mark.slow

HOST = "files.example.com"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def host_name(internet: Internet) -> None:
    internet.names = {HOST: [[PUBLIC]]}


def fetched(internet: Internet, script: Script, path: str = "/a") -> FetchedFile:
    with internet.serving(script):
        [file] = fetch([f"http://{HOST}{path}"], max_bytes=1000, budget=0.5)
    return file


def failure(internet: Internet, script: Script) -> Failure:
    began = time.monotonic()
    with pytest.raises(Failure) as raised:
        fetched(internet, script)
    assert time.monotonic() - began < 1.5
    return raised.value


@pytest.mark.parametrize(
    "script",
    [
        answer(200, b"x" * 1000),
        respond(HEAD + b"\r\n" + b"x" * 1000),
        respond(CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f4\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n"),
    ],
    ids=["with a length", "without", "in chunks"],
)
def test_a_file_of_the_maximum_size_is_fetched(internet: Internet, script: Script) -> None:
    assert fetched(internet, script).content == b"x" * 1000


@pytest.mark.parametrize(
    "script",
    [
        answer(200, b"x" * 1001),
        answer(200, b"x" * 100_000),
        respond(HEAD + b"\r\n" + b"x" * 1001),
        respond(CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
        drip(CHUNKED, b"ffff\r\n" + b"x" * 65535 + b"\r\n"),
        drip(CHUNKED + b"-1\r\n", b"x" * 500_000),  # http.client reads such a chunk until the connection ends
    ],
    ids=["by one", "with a length", "without", "in chunks", "without an end", "in a chunk without an end"],
)
def test_a_file_over_the_maximum_size_is_a_permanent_failure(internet: Internet, script: Script) -> None:
    raised = failure(internet, script)
    assert (type(raised), raised.code) == (Unsendable, "attachment_too_large")


def test_the_maximum_size_is_for_all_files_together(internet: Internet) -> None:
    urls = [f"http://{HOST}/{name}" for name in "abc"]
    with internet.serving(answer(200, b"x" * 400)):
        assert [file.name for file in fetch(urls[:2], max_bytes=800)] == ["a", "b"]
        with pytest.raises(Unsendable):
            fetch(urls, max_bytes=1199)


def test_an_empty_file_and_an_empty_list_are_fetched(internet: Internet) -> None:
    assert fetched(internet, answer(200)).content == b""
    assert fetch([]) == []


@pytest.mark.parametrize(
    "script",
    [
        drip(HEAD + b"Content-Length: 500\r\n\r\n", b"x"),
        drip(HEAD, b"X-Y: z\r\n"),
        drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        hang,
        lambda _: None,
        read_request,
        reset,
        respond(b"\0\xff" * 100),
        respond(HEAD + b"Content-Length: 20\r\n\r\nhalf"),
        respond(CHUNKED + b"5\r\nha"),
        *(answer(status) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_a_file_that_may_be_available_later_is_a_temporary_failure(
    internet: Internet, script: Script
) -> None:
    raised = failure(internet, script)
    assert (type(raised), raised.code) == (Unready, "attachment_unavailable")


@pytest.mark.parametrize("status", [201, 204, 206, 302, 400, 401, 403, 404, 410, 418])
def test_a_missing_file_is_a_permanent_failure(internet: Internet, status: int) -> None:
    raised = failure(internet, answer(status))
    assert (type(raised), raised.code) == (Unsendable, "attachment_missing")
    assert str(status) in raised.reason


def test_the_budget_is_for_all_files_together(internet: Internet) -> None:
    slow = respond(HEAD + b"Content-Length: 1\r\n\r\nx", every=0.2)
    began = time.monotonic()
    with internet.serving(slow), pytest.raises(Unready):
        fetch([f"http://{HOST}/"] * 50, budget=0.5)
    assert time.monotonic() - began < 1.5


def test_a_host_name_that_does_not_resolve_is_a_temporary_failure(internet: Internet) -> None:
    with pytest.raises(Unready) as raised:
        fetch(["http://nowhere.example/"])
    assert raised.value.reason == "An attachment could not be fetched: its host's name could not be resolved."


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("", "/"),
        ("?a=b", "/?a=b"),
        ("/a%20b/c?X-Amz-Signature=%2F+a", "/a%20b/c?X-Amz-Signature=%2F+a"),
        ("/ü €?q=ü", "/%C3%BC%20%E2%82%AC?q=%C3%BC"),
        ("/a#b", "/a"),
        ("/\x01", "/%01"),
    ],
)
def test_the_request_target_is_the_path_and_query_of_the_url(
    internet: Internet, path: str, target: str
) -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_request(client))
        client.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    fetched(internet, script, path)
    request_line, *headers = received[0].decode().split("\r\n")
    assert request_line == f"GET {target} HTTP/1.1"
    assert f"Host: {HOST}" in headers, "a signed URL includes the Host header"
    assert "Accept-Encoding: identity" in headers


@pytest.mark.parametrize(
    ("path", "head", "name", "kind"),
    [
        ("/a/b.png", "image/png", "b.png", "image/png"),
        ("/b.png", "IMAGE/PNG; charset=x", "b.png", "image/png"),
        ("/b.png", "", "b.png", "image/png"),
        ("/b.png?x=.pdf", "what is this/that", "b.png", "image/png"),
        ("/", "", "attachment", "application/octet-stream"),
        ("/b", "", "b", "application/octet-stream"),
        ("/%C3%BC%20b.pdf", "application/pdf", "ü b.pdf", "application/pdf"),
        ("/a%0D%0AX-Y%3A%20z", "text/plain", "a__X-Y: z", "text/plain"),
        ("/..%2F..%5Cetc%00", "text/plain", ".._.._etc_", "text/plain"),
        ("/" + "x" * 300 + ".png", "image/png", "x" * 251 + ".png", "image/png"),
        ("/%FF.png", "image/png", "\ufffd.png", "image/png"),
    ],
)
def test_a_file_has_a_name_and_a_content_type(
    internet: Internet, path: str, head: str, name: str, kind: str
) -> None:
    headers = f"Content-Type: {head}\r\n".encode() if head else b""
    file = fetched(internet, answer(200, b"x", headers), path)
    assert (file.name, file.content_type) == (name, kind)


# --- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """An authority that the system trusts during the test."""
    trusted = Authority(tmp_path, "trusted")
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted.bundle))
        product._tls.cache_clear()  # noqa: SLF001  # cached for the life of a process
        yield trusted
    product._tls.cache_clear()  # noqa: SLF001


def secured(certificate: Certificate, script: Script) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def script_over_tls(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as sock:
            script(sock)

    return script_over_tls


def test_https_works_with_a_trusted_certificate(internet: Internet, authority: Authority) -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_request(client))
        client.sendall(HEAD + b"Content-Length: 7\r\n\r\ncontent")

    with internet.serving(secured(authority.certify(PUBLIC), script)):
        assert fetch([f"https://{PUBLIC}/a"])[0].content == b"content"
    assert internet.reached == [(PUBLIC, 443)]
    assert f"\r\nHost: {PUBLIC}\r\n".encode() in received[0]


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("certificate", ["of another host", "untrusted", "none"])
def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(
    internet: Internet, authority: Authority, tmp_path: Path, certificate: str
) -> None:
    requests: list[bytes] = []
    script: Script = lambda client: requests.append(read_request(client))  # noqa: E731
    if certificate == "of another host":
        script = secured(authority.certify("1.1.1.1"), script)
    elif certificate == "untrusted":
        stranger = Authority(tmp_path, "stranger")
        script = secured(stranger.certify(PUBLIC), script)
    with internet.serving(script), pytest.raises(Unready):
        fetch([f"https://{PUBLIC}/a"], budget=0.5)
    assert not [request for request in requests if b"GET" in request]


def test_a_local_server_is_not_reached_without_the_fake_internet() -> None:
    with serve(answer(200, b"inside")) as address, pytest.raises(Unsendable):
        fetch([f"http://{address}/"])


def test_a_send_has_time_to_fetch_and_to_call_the_provider() -> None:
    assert (
        product.BUDGET + max(transport_client.BUDGET, aws_call.CONNECT_TIMEOUT + aws_call.READ_TIMEOUT)
        <= SEND_TIME
    )
