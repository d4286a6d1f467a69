"""Calls to a provider: every response and every socket error becomes the right failure."""

import re
import socket
import ssl
import time
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from messaging import failures
from messaging.transport import client as transport_client
from tests.support.certificates import Authority
from tests.support.tcp_server import Script, drip, hang, read_request, reset, respond, serve

pytestmark = pytest.mark.slow

BUDGET = 0.4  # seconds
HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def post(
    address: str, scheme: str = "http", headers: Mapping[str, str] | None = None
) -> transport_client.HttpResponse:
    return transport_client.post(f"{scheme}://{address}/hook?a=b", b"x" * 1000, headers or {}, budget=BUDGET)


def failure(script: Script, scheme: str = "http") -> failures.Failure:
    """Calls the script's server, and returns the failure. It must be raised within the budget."""
    with serve(script) as address:
        began = time.monotonic()
        with pytest.raises(failures.Failure) as raised:
            post(address, scheme)
        assert time.monotonic() - began < BUDGET + 0.6
    return raised.value


def test_post_sends_the_body_and_the_headers_to_the_url_with_its_query() -> None:
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        received.append(read_request(client))
        client.sendall(HEAD + b"Content-Length: 2\r\n\r\n{}")

    with serve(script) as address:
        assert post(address, headers={"X-One": "1"})[::2] == (200, b"{}")
    head, _, body = received[0].partition(b"\r\n\r\n")
    assert head.startswith(b"POST /hook?a=b HTTP/1.1\r\n")
    assert f"\r\nHost: {address}\r\n".encode() in head + b"\r\n"
    assert b"\r\nX-One: 1" in head
    assert body == b"x" * 1000


@pytest.mark.parametrize(
    "answer",
    [
        HEAD + b"Content-Length: 4\r\n\r\nbody",
        HEAD + b"Transfer-Encoding: chunked\r\n\r\n2\r\nbo\r\n2\r\ndy\r\n0\r\n\r\n",
        HEAD + b"Connection: close\r\n\r\nbody",
        b"HTTP/1.1 100 Continue\r\n\r\n" + HEAD + b"Content-Length: 4\r\n\r\nbody",
        b"HTTP/1.0 200 OK\r\n\r\nbody",
    ],
)
def test_a_response_is_read_in_every_form_that_http_allows(answer: bytes) -> None:
    with serve(respond(answer)) as address:
        assert post(address)[::2] == (200, b"body")


@pytest.mark.parametrize("pause", [0.01])
def test_a_response_that_arrives_byte_by_byte_is_read(pause: float) -> None:
    parts = [HEAD + b"Content-Length: 10\r\n\r\n", *[b"x"] * 10]
    with serve(respond(*parts, every=pause)) as address:
        assert post(address)[::2] == (200, b"x" * 10)


@pytest.mark.parametrize("status", [200, 201, 202, 204, 299])
def test_every_2xx_is_a_success(status: int) -> None:
    with serve(respond(f"HTTP/1.1 {status} x\r\nContent-Length: 0\r\n\r\n".encode())) as address:
        assert post(address)[::2] == (status, b"")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *((status, failures.Misconfigured) for status in (401, 403)),  # our credentials are wrong
        (429, failures.Throttled),
        *((status, failures.TemporaryFailure) for status in (408, 425, 503)),
        *(  # a gateway may have lost the answer, and a server may have failed after it stored the message
            (status, failures.OutcomeUnknown) for status in (500, 501, 502, 504, 507, *range(520, 528), 599)
        ),
        *((status, failures.Misconfigured) for status in (300, 301, 302, 307, 308)),  # never followed
        *(
            (status, failures.Misconfigured) for status in (404, 405)
        ),  # the URL is wrong: nothing has read the message
        *((status, failures.PermanentFailure) for status in (400, 402, 409, 410, 413, 415, 422, 451)),
    ],
)
def test_every_other_status_is_a_kind_of_failure(status: int, kind: type[failures.Failure]) -> None:
    location = "Location: http://127.0.0.1:1/\r\n"
    answer = f"HTTP/1.1 {status} x\r\n{location}Content-Length: 4\r\n\r\nbody".encode()
    raised = failure(respond(answer))
    assert (type(raised), raised.code) == (kind, str(status))
    assert raised.body == b"body"  # for the provider's file to read
    assert "body" not in raised.reason


def test_an_informational_response_leaves_the_outcome_unknown() -> None:
    hint = b"HTTP/1.1 103 Early Hints\r\n\r\n"
    raised = failure(respond(hint + HEAD + b"Content-Length: 4\r\n\r\nbody"))
    assert type(raised) is failures.OutcomeUnknown


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda _: None, id="closes before it reads"),
        pytest.param(reset, id="resets after the first byte"),
        pytest.param(read_request, id="closes after it has read"),
        pytest.param(hang, id="hangs"),
        pytest.param(drip(b"", b"H"), id="drips a status line"),
        pytest.param(drip(b"HTTP/1.1 200 OK\r\n", b"X-Y: z\r\n"), id="drips headers"),
        pytest.param(drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"), id="drips continues"),
        pytest.param(drip(HEAD + b"Content-Length: 9999\r\n\r\n", b"x"), id="drips a body"),
        pytest.param(drip(HEAD + b"\r\n", b"x"), id="drips a body without a length"),
        pytest.param(drip(HEAD + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"), id="drips chunks"),
        pytest.param(respond(b"SSH-2.0-OpenSSH_9.9\r\n"), id="uses another protocol"),
        pytest.param(respond(b"\x00\xff" * 100), id="sends random bytes"),
        pytest.param(respond(HEAD + b"x" * 70_000 + b"\r\n\r\n"), id="sends a header that is too long"),
        pytest.param(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 20\r\n\r\nhalf"), id="sends half a body"),
        pytest.param(
            respond(HEAD + b"Transfer-Encoding: chunked\r\n\r\nzz\r\nx\r\n"), id="sends a malformed chunk"
        ),
        pytest.param(
            respond(HEAD + b"\r\n" + b"x" * (transport_client.MAX_RESPONSE + 1)), id="sends too much"
        ),
    ],
)
def test_the_outcome_is_unknown_if_the_request_may_have_arrived(script: Script) -> None:
    raised = failure(script)
    assert (type(raised), raised.code) == (failures.OutcomeUnknown, "no_answer")


def test_a_response_of_the_maximum_size_is_read() -> None:
    with serve(respond(HEAD + b"\r\n" + b"x" * transport_client.MAX_RESPONSE)) as address:
        assert len(post(address).body) == transport_client.MAX_RESPONSE


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda _: None, id="closes"),
        pytest.param(hang, id="hangs"),
        pytest.param(
            lambda client: client.sendall(b"HTTP/1.1 400 Bad Request\r\n\r\n"), id="does not use TLS"
        ),
    ],
)
def test_a_failed_tls_handshake_is_a_temporary_failure(script: Script) -> None:
    raised = failure(script, "https")
    assert (type(raised), raised.code) == (failures.TemporaryFailure, "not_connected")


def test_nothing_is_sent_to_a_server_with_an_untrusted_certificate(tmp_path: Path) -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(*Authority(tmp_path, "untrusted").certify("127.0.0.1"))
    received: list[bytes] = []

    def script(client: socket.socket) -> None:
        with context.wrap_socket(client, server_side=True) as secured:
            received.append(read_request(secured))

    assert type(failure(script, "https")) is failures.TemporaryFailure
    assert received == []


def test_a_refused_connection_is_a_temporary_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with pytest.raises(failures.TemporaryFailure) as raised:
        post(f"127.0.0.1:{port}")
    assert raised.value.code == "not_connected"


@pytest.mark.parametrize(
    "url",
    [
        *(
            "",
            "x",
            "/sms",
            "HOST/sms",
            "ftp://HOST/",
            "file:///etc/hosts",
            "http://",
            "http:///sms",
            "http://[HOST/",
        ),
        *("http://HOSTx/", "http://HOST/a b", "http://HOST/\u20ac", "http://HOST/\r\nX: y", "http://a..b/"),
    ],
)
def test_an_invalid_url_is_not_called(url: str) -> None:
    called: list[bytes] = []
    with (
        serve(lambda client: called.append(read_request(client))) as address,
        pytest.raises(failures.TemporaryFailure) as raised,
    ):
        transport_client.post(url.replace("HOST", address), b"", {}, budget=BUDGET)
    assert raised.value.code == "not_configured"
    assert called == []


@pytest.mark.parametrize(("value", "seconds"), [("0", 0), ("7", 7), (" 120 ", 120), ("86400", 86400)])
def test_retry_after_is_read_in_seconds(value: str, seconds: float) -> None:
    assert transport_client.retry_after(value) == timedelta(seconds=seconds)


def test_retry_after_is_read_as_a_date() -> None:
    wait = transport_client.retry_after(
        format_datetime(datetime.now(UTC) + timedelta(minutes=1), usegmt=True)
    )
    assert wait is not None
    assert timedelta(seconds=57) < wait <= timedelta(minutes=1)
    assert transport_client.retry_after("Fri, 31 Dec 1999 23:59:59 GMT") == timedelta()


@pytest.mark.parametrize("value", [None, "", "soon", "-1", "1.5", "9" * 30, "9" * 5000, "Fri, 99 Foo"])
def test_a_malformed_retry_after_is_none(value: str | None) -> None:
    assert transport_client.retry_after(value) is None


@given(st.text() | st.from_regex(re.compile(r"[A-Z][a-z]{2}, \d+ \w{3} \d+ [\d:]+ \S*")))
def test_any_retry_after_is_none_or_not_negative(value: str) -> None:
    wait = transport_client.retry_after(value)
    assert wait is None or wait >= timedelta()


@pytest.mark.parametrize("status", [408, 429, 503])
def test_a_temporary_failure_has_the_retry_after_of_the_response(status: int) -> None:
    answer = f"HTTP/1.1 {status} x\r\nRetry-After: 30\r\nContent-Length: 0\r\n\r\n"
    raised = failure(respond(answer.encode()))
    assert isinstance(raised, failures.TemporaryFailure)
    assert raised.retry_after == timedelta(seconds=30)


def test_a_chunk_of_negative_size_ends_at_the_limit() -> None:
    chunk = HEAD + b"Transfer-Encoding: chunked\r\n\r\n-1\r\n"
    with (
        serve(drip(chunk, b"x" * 1_000_000)) as address,
        pytest.raises(failures.OutcomeUnknown, match="ResponseTooLarge"),
    ):
        post(address)
