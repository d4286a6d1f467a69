"""Calls to AWS with the real botocore over HTTP: each response and socket error becomes the right failure."""

import json
import socket
import threading
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest

from messaging import failures
from messaging.providers.credentials import aws_access
from messaging.transport import aws_call
from tests.support.tcp_server import Script, hang, read_request, respond, serve

REQUEST = {"DestinationPhoneNumber": "+18045551234", "MessageBody": "Hello"}
KEYS = {"region": "us-west-2", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"}
KINDS: aws_call.FailureTypes = {
    "OPTED_OUT": failures.OptedOut,
    "Suspended": failures.Misconfigured,
    "Quota": failures.TemporaryFailure,
}
READ_TIMEOUT = 0.5  # seconds


def answer(status: int, fields: object, head: str = "") -> Script:
    body = fields if isinstance(fields, bytes) else json.dumps(fields).encode()
    return respond(f"HTTP/1.1 {status} x\r\n{head}Content-Length: {len(body)}\r\n\r\n".encode() + body)


def call(url: str, **secret: str) -> Mapping[str, Any]:
    return call_within(READ_TIMEOUT, {**KEYS, "endpoint_url": url, **secret})


def call_within(read_timeout: float, fields: Mapping[str, str]) -> Mapping[str, Any]:
    access = aws_access(fields, "instance")
    return aws_call.call(access, "pinpoint-sms-voice-v2", "send_text_message", REQUEST, KINDS, read_timeout)


def failure(script: Script) -> failures.Failure:
    with serve(script) as address, pytest.raises(failures.Failure) as raised:
        call(f"http://{address}")
    return raised.value


@pytest.mark.parametrize(
    ("code", "kind"),
    [
        *(
            (code, failures.Throttled)
            for code in ("ThrottlingException", "Throttling", "TooManyRequestsException")
        ),
        ("RequestLimitExceeded", failures.Throttled),
        *(
            (code, failures.Misconfigured)
            for code in ("AccessDeniedException", "UnrecognizedClientException")
        ),
        *((code, failures.Misconfigured) for code in ("ExpiredTokenException", "InvalidSignatureException")),
        *(
            (code, failures.Misconfigured)
            for code in ("InvalidClientTokenId", "MissingAuthenticationTokenException")
        ),
        ("RequestExpired", failures.TemporaryFailure),
        ("ValidationException", failures.PermanentFailure),
        *(("Suspended", failures.Misconfigured), ("Quota", failures.TemporaryFailure)),  # the service's own
    ],
)
def test_an_error_code_decides_the_type_of_failure(code: str, kind: type[failures.Failure]) -> None:
    result = failure(answer(400, {"__type": f"com.amazonaws.x#{code}", "Message": "Because."}))
    assert (type(result), result.code, result.reason) == (kind, code, "Because.")


def test_a_reason_decides_before_the_error_code() -> None:
    result = failure(answer(400, {"__type": "Quota", "Reason": "OPTED_OUT", "Message": "Because."}))
    assert type(result) is failures.TemporaryFailure, "this error has no field Reason, so its code decides"
    result = failure(
        answer(400, {"__type": "ConflictException", "Reason": "OPTED_OUT", "Message": "Because."})
    )
    assert (type(result), result.code) == (failures.OptedOut, "ConflictException.OPTED_OUT")


@pytest.mark.parametrize(
    ("status", "kind"),
    [
        *(
            (400, failures.PermanentFailure),
            (401, failures.Misconfigured),
            (403, failures.Misconfigured),
            (404, failures.Misconfigured),
        ),
        *(
            (413, failures.PermanentFailure),
            (429, failures.Throttled),
            (500, failures.OutcomeUnknown),
            (503, failures.TemporaryFailure),
        ),
    ],
)
@pytest.mark.parametrize("body", [b"", b"<html>", b"{}"])
def test_the_http_status_decides_if_the_code_is_unknown(
    status: int, kind: type[failures.Failure], body: bytes
) -> None:
    result = failure(answer(status, body))
    assert type(result) is kind
    assert result.code
    assert result.reason


@pytest.mark.parametrize("code", ["ThrottlingException", "Suspended", "Unheard-of"])
def test_retry_after_is_in_the_failure(code: str) -> None:
    result = failure(answer(503, {"__type": code}, "Retry-After: 30\r\n"))
    assert isinstance(result, failures.TemporaryFailure)
    assert result.retry_after == timedelta(seconds=30)


def test_code_and_reason_can_be_stored() -> None:
    body = b'{"__type": "A\\u0000\\ud800", "Message": "' + b"\\u0000\\ud800" * 5000 + b'"}'
    result = failure(answer(400, body))
    for text in (result.code, result.reason):
        assert 0 < len(text.encode()) <= 1000
        assert "\0" not in text
    result = failure(answer(400, {"__type": "A", "Message": "No <user@example.com> here."}))
    assert result.reason == "No <<address>> here."


@pytest.mark.parametrize(
    "script",
    [
        pytest.param(lambda _: None, id="closes"),
        pytest.param(read_request, id="closes after it has read"),
        pytest.param(hang, id="hangs"),
        pytest.param(respond(b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{"), id="sends half a body"),
        pytest.param(respond(b"\0\xff" * 100), id="sends random bytes"),
        pytest.param(answer(200, b"[]"), id="sends a list"),
    ],
)
def test_a_request_without_a_readable_answer_has_an_unknown_outcome(script: Script) -> None:
    result = failure(script)
    assert (type(result), result.code) == (failures.OutcomeUnknown, "no_answer")


def test_a_failed_connection_is_a_temporary_failure() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    for url in (f"http://127.0.0.1:{port}", f"https://127.0.0.1:{port}", "http://nowhere.invalid"):
        with pytest.raises(failures.TemporaryFailure) as raised:
            call(url)
        assert raised.value.code == "not_connected"


@pytest.mark.parametrize(
    "secret",
    [
        *({"region": ""}, {"region": "a b"}, {"region": "x" * 300}, {"endpoint_url": "nowhere"}),
        *({"endpoint_url": "ftp://x y"}, {"secret_access_key": ""}),
    ],
)
def test_invalid_fields_of_the_secret_call_nobody(secret: dict[str, str]) -> None:
    called: list[bytes] = []
    with (
        serve(lambda client: called.append(read_request(client))) as address,
        pytest.raises(failures.TemporaryFailure) as raised,
    ):
        call(**{"url": f"http://{address}", **secret})
    assert type(raised.value) is failures.Misconfigured
    assert all(field in raised.value.reason for field in secret)
    assert called == []


def test_a_request_with_invalid_parameters_is_not_sent() -> None:
    with pytest.raises(failures.PermanentFailure) as raised:
        aws_call.call(
            aws_access({**KEYS, "endpoint_url": "http://127.0.0.1:9"}, "instance"),
            "pinpoint-sms-voice-v2",
            "send_text_message",
            {"MessageBody": ""},
            KINDS,
        )
    assert raised.value.code == "not_valid"


def counting(script: Script) -> tuple[Script, Callable[[], int]]:
    """Return a script that counts its connections, and a function that returns the count."""
    served: list[bytes] = []

    def wrapped(client: socket.socket) -> None:
        served.append(b"")
        script(client)

    return wrapped, lambda: len(served)


@pytest.mark.parametrize("status", [500, 503, 429])
def test_a_call_makes_one_request(status: int) -> None:
    script, served = counting(answer(status, {"__type": "ThrottlingException"}))
    failure(script)
    assert served() == 1


def test_each_call_has_its_own_connection() -> None:
    """A connection that stayed open in a frozen environment would take a message and never answer."""
    disconnected: list[bytes] = []

    def script(client: socket.socket) -> None:
        read_request(client)
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
        disconnected.append(client.recv(1))

    counting_script, served = counting(script)
    with serve(counting_script) as address:
        for _ in range(3):
            call(f"http://{address}")
    assert served() == 3
    assert disconnected == [b""] * 3


def test_several_threads_can_call_at_once() -> None:
    results: list[object] = []
    barrier = threading.Barrier(8)

    def run(address: str) -> None:
        barrier.wait()
        # The first call loads boto3, which takes long if eight threads want it at once.
        fields = {**KEYS, "endpoint_url": f"http://{address}"}
        results.append(call_within(60, fields).get("MessageId"))

    with serve(answer(200, {"MessageId": "message-9"})) as address:
        threads = [threading.Thread(target=run, args=(address,)) for _ in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert results == ["message-9"] * 8
