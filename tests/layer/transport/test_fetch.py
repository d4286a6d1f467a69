"""What is fetched: its name and type, within its size and time, and what each answer means."""

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
from tests.support.tcp_server import Script, answering, dripping, hang, playing, read_request, reset

HOST = "files.example.com"
HEAD = b"HTTP/1.1 200 OK\r\n"
CHUNKED = HEAD + b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.fixture(autouse=True)
def named(internet: Internet) -> None:
    internet.names = {HOST: [[PUBLIC]]}


def fetched(internet: Internet, script: Script, path: str = "/a") -> FetchedFile:
    with internet.serving(script):
        [found] = fetch([f"http://{HOST}{path}"], max_bytes=1000, budget=0.5)
    return found


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
        answering(HEAD + b"\r\n" + b"x" * 1000),
        answering(CHUNKED + b"1f4\r\n" + b"x" * 500 + b"\r\n1f4\r\n" + b"x" * 500 + b"\r\n0\r\n\r\n"),
    ],
    ids=["with a length", "without", "in chunks"],
)
def test_fetches_as_much_as_is_allowed(internet: Internet, script: Script) -> None:
    assert fetched(internet, script).content == b"x" * 1000


@pytest.mark.parametrize(
    "script",
    [
        answer(200, b"x" * 1001),
        answer(200, b"x" * 100_000),
        answering(HEAD + b"\r\n" + b"x" * 1001),
        answering(CHUNKED + b"3e9\r\n" + b"x" * 1001 + b"\r\n0\r\n\r\n"),
        dripping(CHUNKED, b"ffff\r\n" + b"x" * 65535 + b"\r\n"),
        dripping(CHUNKED + b"-1\r\n", b"x" * 500_000),  # which is all that may come, says http.client
    ],
    ids=["by one", "with a length", "without", "in chunks", "without an end", "in a chunk without an end"],
)
def test_more_is_never_sent_and_not_tried_again(internet: Internet, script: Script) -> None:
    found = failure(internet, script)
    assert (type(found), found.code) == (Unsendable, "attachment_too_large")


def test_the_bound_is_of_all_together(internet: Internet) -> None:
    urls = [f"http://{HOST}/{name}" for name in "abc"]
    with internet.serving(answer(200, b"x" * 400)):
        assert [one.name for one in fetch(urls[:2], max_bytes=800)] == ["a", "b"]
        with pytest.raises(Unsendable):
            fetch(urls, max_bytes=1199)


def test_nothing_is_something(internet: Internet) -> None:
    assert fetched(internet, answer(200)).content == b""
    assert fetch([]) == []


@pytest.mark.parametrize(
    "script",
    [
        dripping(HEAD + b"Content-Length: 500\r\n\r\n", b"x"),
        dripping(HEAD, b"X-Y: z\r\n"),
        dripping(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
        hang,
        lambda _: None,
        read_request,
        reset,
        answering(b"\0\xff" * 100),
        answering(HEAD + b"Content-Length: 20\r\n\r\nhalf"),
        answering(CHUNKED + b"5\r\nha"),
        *(answer(status) for status in (408, 425, 429, 500, 502, 503, 504)),
    ],
)
def test_what_may_be_there_later_is_tried_again(internet: Internet, script: Script) -> None:
    found = failure(internet, script)
    assert (type(found), found.code) == (Unready, "attachment_away")


@pytest.mark.parametrize("status", [201, 204, 206, 302, 400, 401, 403, 404, 410, 418])
def test_what_is_not_there_is_given_up(internet: Internet, status: int) -> None:
    found = failure(internet, answer(status))
    assert (type(found), found.code) == (Unsendable, "attachment_missing")
    assert str(status) in found.reason


def test_the_time_is_for_all_together(internet: Internet) -> None:
    slow = answering(HEAD + b"Content-Length: 1\r\n\r\nx", every=0.2)
    began = time.monotonic()
    with internet.serving(slow), pytest.raises(Unready):
        fetch([f"http://{HOST}/"] * 50, budget=0.5)
    assert time.monotonic() - began < 1.5


def test_a_name_that_does_not_resolve_may_do_so_later(internet: Internet) -> None:
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
def test_asks_for_just_what_the_address_says(internet: Internet, path: str, target: str) -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_request(client))
        client.sendall(HEAD + b"Content-Length: 0\r\n\r\n")

    fetched(internet, script, path)
    first, *heads = received[0].decode().split("\r\n")
    assert first == f"GET {target} HTTP/1.1"
    assert f"Host: {HOST}" in heads, "a signed address is signed with it"
    assert "Accept-Encoding: identity" in heads


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
def test_gives_it_a_name_and_a_type(internet: Internet, path: str, head: str, name: str, kind: str) -> None:
    more = f"Content-Type: {head}\r\n".encode() if head else b""
    found = fetched(internet, answer(200, b"x", more), path)
    assert (found.name, found.content_type) == (name, kind)


# --- TLS ---------------------------------------------------------------------------------------------


@pytest.fixture
def authority(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Authority]:
    """Which the system trusts, in this test."""
    trusted = Authority(tmp_path, "trusted")
    with monkeypatch.context() as patch:
        patch.setenv("SSL_CERT_FILE", str(trusted.bundle))
        product._tls.cache_clear()  # noqa: SLF001  # an environment ends with it
        yield trusted
    product._tls.cache_clear()  # noqa: SLF001


def secured(certificate: Certificate, script: Script) -> Script:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*certificate)

    def serve(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as sock:
            script(sock)

    return serve


def test_a_secure_address_is_fetched_from_whom_the_system_trusts(
    internet: Internet, authority: Authority
) -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_request(client))
        client.sendall(HEAD + b"Content-Length: 7\r\n\r\ncontent")

    with internet.serving(secured(authority.certify(PUBLIC), script)):
        assert fetch([f"https://{PUBLIC}/a"])[0].content == b"content"
    assert internet.reached == [(PUBLIC, 443)]
    assert f"\r\nHost: {PUBLIC}\r\n".encode() in received[0]


@pytest.mark.usefixtures("authority")
@pytest.mark.parametrize("whose", ["another's", "nobody's", "none"])
def test_a_secure_address_gets_nothing_else(
    internet: Internet, authority: Authority, tmp_path: Path, whose: str
) -> None:
    asked: list[bytes] = []
    script: Script = lambda client: asked.append(read_request(client))  # noqa: E731
    if whose == "another's":
        script = secured(authority.certify("1.1.1.1"), script)
    elif whose == "nobody's":
        stranger = Authority(tmp_path, "stranger")
        script = secured(stranger.certify(PUBLIC), script)
    with internet.serving(script), pytest.raises(Unready):
        fetch([f"https://{PUBLIC}/a"], budget=0.5)
    assert not [one for one in asked if b"GET" in one]


def test_is_not_fooled_by_the_machine_s_own_server() -> None:
    """Without any of the fakes: what is here is not fetched."""
    with playing(answer(200, b"inside")) as address, pytest.raises(Unsendable):
        fetch([f"http://{address}/"])


def test_a_send_has_the_time_for_it() -> None:
    assert (
        product.BUDGET + max(transport_client.BUDGET, aws_call.CONNECT_TIMEOUT + aws_call.READ_TIMEOUT)
        <= SEND_TIME
    )
