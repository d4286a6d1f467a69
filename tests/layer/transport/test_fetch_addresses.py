"""Attachments are fetched only from public addresses, and from the address that was checked."""

import socket
import time
from threading import Event

import pytest

from messaging.failures import Failure, Unready, Unsendable
from messaging.transport.fetch import MAX_REDIRECTS, fetch
from tests.support.internet import OTHER, PUBLIC, Internet
from tests.support.providers.send_contract import answer, in_turn

PRIVATE = [
    *("127.0.0.1", "127.255.255.254", "0.0.0.0", "10.0.0.1", "172.16.0.1", "172.31.255.255", "192.168.1.1"),
    *(
        "169.254.169.254",
        "169.254.170.2",
        "100.64.0.1",
        "192.0.0.1",
        "192.0.0.192",
        "192.0.2.1",
        "192.88.99.1",
        "168.63.129.16",
        "198.18.0.1",
    ),
    *("198.51.100.1", "203.0.113.7", "224.0.0.1", "239.255.255.250", "240.0.0.1", "255.255.255.255"),
    *("::", "::1", "::7f00:1", "fc00::1", "fd00:ec2::254", "fe80::1", "fec0::1", "ff02::1", "2001:db8::1"),
    *("::ffff:127.0.0.1", "::ffff:169.254.169.254", "::ffff:93.184.216.34", "::ffff:0:7f00:1", "100::1"),
    *("64:ff9b::7f00:1", "64:ff9b::a9fe:a9fe", "64:ff9b:1::a00:1", "2002:7f00:1::", "2002:a00:1::1"),
    "2002:5db8:d822::1",
    *("2001:0:5db8:d822:0:0:80ff:fffe", "2001:0:7f00:1::", "5f00::1", "4000::1", "3fff::1"),
]
OTHER_SPELLINGS = [
    "2130706433",
    "0x7f000001",
    "127.1",
    "0177.0.0.1",
    "127.0.0.1.",
    "[::1]",
    "[::ffff:7f00:1]",
]


def failure_of(url: str) -> Failure:
    with pytest.raises(Failure) as raised:
        fetch([url])
    assert url not in raised.value.reason
    return raised.value


def assert_refused(url: str) -> None:
    failure = failure_of(url)
    assert (type(failure), failure.code) == (Unsendable, "attachment_refused")


@pytest.mark.parametrize("address", PRIVATE)
def test_a_private_address_is_not_reached(internet: Internet, address: str) -> None:
    internet.names = {
        "files.example.com": [[address]],
        "several.example.com": [[PUBLIC, address]],
        "others.example.com": [[address, OTHER, PUBLIC]],
    }
    for host in (*internet.names, f"[{address}]" if ":" in address else address):
        for scheme in ("http", "https"):
            assert_refused(f"{scheme}://{host}/a.png")
    assert internet.reached == []


@pytest.mark.parametrize("host", OTHER_SPELLINGS)
def test_a_private_address_is_not_reached_in_another_spelling(internet: Internet, host: str) -> None:
    for url in (f"http://{host}/", f"http://{PUBLIC}@{host}/", f"http://{PUBLIC}#@{host}/x"):
        with pytest.raises(Failure):
            fetch([url])
    assert {address for address, _ in internet.reached} <= {PUBLIC}


@pytest.mark.parametrize("address", [PUBLIC, OTHER, "1.1.1.1", "172.32.0.1", "64:ff9b::5db8:d822"])
def test_a_public_address_is_reached(internet: Internet, address: str) -> None:
    internet.names = {"files.example.com": [[address]]}
    with internet.serving(answer(200, b"content")):
        if ":" in address:  # the fake internet has no server there
            assert type(failure_of("http://files.example.com:8080/a")) is Unready
        else:
            assert fetch(["http://files.example.com:8080/a"])[0].content == b"content"
    assert internet.reached == [(address, 8080)]


def test_the_next_address_is_tried_after_a_refused_connection(internet: Internet) -> None:
    internet.names = {"files.example.com": [[OTHER, "1.1.1.1", PUBLIC]]}
    internet.closed = {"1.1.1.1"}
    with internet.serving(answer(200, b"content")):
        assert fetch(["http://files.example.com/a"])[0].content == b"content"
    assert internet.reached == [(OTHER, 80), ("1.1.1.1", 80), (PUBLIC, 80)]


def test_a_refused_connection_is_a_temporary_failure(internet: Internet) -> None:
    internet.closed = {PUBLIC}
    assert type(failure_of(f"http://{PUBLIC}/")) is Unready


def test_the_connection_goes_to_the_address_that_was_checked(internet: Internet) -> None:
    internet.names = {"files.example.com": [[PUBLIC], ["127.0.0.1"]]}
    with internet.serving(answer(200, b"content")):
        assert fetch(["http://files.example.com/a"])[0].content == b"content"
        assert (internet.resolved, internet.reached) == (["files.example.com"], [(PUBLIC, 80)])
        assert_refused("http://files.example.com/a")
    assert internet.reached == [(PUBLIC, 80)]


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
@pytest.mark.parametrize(
    "location",
    [
        *("http://127.0.0.1/", "http://169.254.169.254/latest/meta-data/", "//[::1]/", "http://inside/"),
        *(
            "https://10.0.0.1/",
            "ftp://93.184.216.34/",
            "file:///etc/passwd",
            "gopher://127.0.0.1/",
            "data:,x",
        ),
        *("http://files.example.com/b", "http://[x/", "http://93.184.216.34:99999/"),
    ],
)
def test_the_target_of_a_redirect_is_checked_too(internet: Internet, status: int, location: str) -> None:
    internet.names = {"files.example.com": [[PUBLIC], ["10.0.0.1"]], "inside": [["192.168.1.1"]]}
    with internet.serving(answer(status, head=f"Location: {location}\r\n".encode())):
        assert_refused("http://files.example.com/a")
    assert internet.reached == [(PUBLIC, 80)]


def test_redirects_are_followed_up_to_the_maximum(internet: Internet) -> None:
    steps = [answer(302, head=f"Location: {n}?x=1\r\n".encode()) for n in range(MAX_REDIRECTS)]
    with internet.serving(in_turn(*steps, answer(200, b"content"))):
        [fetched] = fetch([f"http://{PUBLIC}/a/b"])
    assert (fetched.name, fetched.content) == (str(MAX_REDIRECTS - 1), b"content")


def test_endless_redirects_are_refused(internet: Internet) -> None:
    with internet.serving(answer(302, head=b"Location: /a\r\n")):
        assert_refused(f"http://{PUBLIC}/a")
    assert len(internet.reached) == MAX_REDIRECTS + 1


@pytest.mark.parametrize(
    "url",
    [
        *(
            "ftp://HOST/",
            "file:///etc/passwd",
            "data:,x",
            "javascript:x",
            "gopher://HOST/",
            "HOST/a",
            "",
            "/a",
        ),
        *("http://", "http:///a", "https://[HOST/", "http://HOST:99999/", "http://HOST:x/", "http://a..b/"),
        *("http://" + "a" * 64 + ".example/", "http://\udcff/"),
    ],
)
def test_an_invalid_url_is_not_called(internet: Internet, url: str) -> None:
    with pytest.raises(Unsendable):
        fetch([url.replace("HOST", PUBLIC)])
    assert internet.reached == []


def test_credentials_in_a_url_are_not_shown(internet: Internet) -> None:
    internet.names = {"files.example.com": [[PUBLIC]]}
    with internet.serving(answer(401)):
        failure = failure_of("http://user:hunter2@files.example.com/a")
    assert (type(failure), failure.code) == (Unsendable, "attachment_missing")
    assert "hunter2" not in failure.reason
    assert_refused("http://files.example.com@127.0.0.1/")
    assert internet.resolved == ["files.example.com", "127.0.0.1"]


def test_a_resolver_that_hangs_ends_with_the_budget(
    internet: Internet, monkeypatch: pytest.MonkeyPatch
) -> None:
    end = Event()

    def hang(*_: object, **__: object) -> list[object]:
        end.wait(30)
        return []

    monkeypatch.setattr(socket, "getaddrinfo", hang)
    began = time.monotonic()
    with pytest.raises(Unready) as raised:
        fetch(["http://files.example.com/"], budget=0.5)
    assert time.monotonic() - began < 5
    assert (raised.value.code, internet.reached) == ("attachment_unavailable", [])
    end.set()
