"""Status lookup at a JSON gateway, and the codes that say more than the HTTP status."""

import json
import socket
import time
from uuid import UUID

import pytest
from standardwebhooks import Webhook as Signature

from messaging import failures
from messaging.models import OutboundMessage
from messaging.providers import json_gateway
from messaging.providers.provider import ProviderResult
from messaging.transport import client as transport_client
from tests.support.api import NEW_EMAIL, NEW_SMS
from tests.support.configuration import SIGNING_SECRET
from tests.support.tcp_server import Script, drip, hang, read_request, respond, serve

BUDGET = 0.4  # seconds
TIME = "2024-11-01T14:00:00Z"
CLAIMED = {"id": 7, "provider": "sms", "token": UUID(int=7), "attempt": 1, "tries": 1, "timestamp": TIME}
MESSAGE = OutboundMessage.model_validate({**NEW_SMS, **CLAIMED})
HEAD = b"HTTP/1.1 200 OK\r\n"


def answer(status: int, body: bytes = b"") -> Script:
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n\r\n"
    return respond(head.encode() + body)


def fetch_status(
    script: Script, gateway_class: type[json_gateway.JsonGateway] = json_gateway.Sms
) -> ProviderResult | None:
    with serve(script) as address:
        provider = gateway_class(
            "sms", {"lookup_url": f"http://{address}/lookup", "signing_secret": SIGNING_SECRET}
        )
        return provider.fetch_status(MESSAGE)


def refused(script: Script) -> failures.Failure:
    """Send a message and return its failure."""
    with serve(script) as address, pytest.raises(failures.Failure) as raised:
        json_gateway.Sms("sms", {"url": f"http://{address}/"}).send(MESSAGE)
    return raised.value


def test_a_status_lookup_sends_our_id_and_signs_an_empty_body() -> None:
    requests: list[bytes] = []

    def script(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(HEAD + b'\r\n{"messaging_provider_id": "message-9"}')

    assert fetch_status(script) == ProviderResult("message-9")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert head.startswith(b"GET /lookup?reference=7 HTTP/1.1\r\n")
    assert body == b""
    lines = (line.split(": ", 1) for line in head.decode().split("\r\n")[1:])
    headers = {name.lower(): value for name, value in lines}
    Signature(SIGNING_SECRET).verify(body, headers, json_parse=False)


def test_the_field_of_the_id_depends_on_the_channel() -> None:
    response = answer(200, b'{"xillio_id": "message-3", "messaging_provider_id": "other"}')
    assert fetch_status(response, json_gateway.Email) == ProviderResult("message-3")


def test_a_404_means_that_the_gateway_does_not_have_the_message() -> None:
    assert fetch_status(answer(404, b"Not Found")) is None


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (answer(200, b""), failures.OutcomeUnknown),
        (answer(200, b"null"), failures.OutcomeUnknown),
        (answer(200, b"[]"), failures.OutcomeUnknown),
        (answer(200, b"{}"), failures.OutcomeUnknown),
        (answer(200, b'{"messaging_provider_id": ""}'), failures.OutcomeUnknown),
        (answer(200, b'{"xillio_id": "message-3"}'), failures.OutcomeUnknown),
        (answer(204), failures.OutcomeUnknown),
        (respond(b"\x00\xff SSH-2.0-nobody\r\n"), failures.OutcomeUnknown),
        (lambda _: None, failures.OutcomeUnknown),
        (answer(302), failures.Misconfigured),
        (answer(400), failures.PermanentFailure),
        (answer(410), failures.PermanentFailure),
        (answer(401), failures.Misconfigured),
        (answer(429), failures.Throttled),
        (answer(500), failures.OutcomeUnknown),
        (answer(503), failures.TemporaryFailure),
    ],
)
def test_any_other_answer_to_a_status_lookup_is_a_failure(
    script: Script, kind: type[failures.Failure]
) -> None:
    with pytest.raises(failures.Failure) as raised:
        fetch_status(script)
    assert type(raised.value) is kind


@pytest.mark.parametrize("secret", [{}, {"url": "http://127.0.0.1:9/"}, {"lookup_url": ""}])
def test_without_a_lookup_url_a_status_lookup_is_misconfigured(secret: dict[str, str]) -> None:
    with pytest.raises(failures.Misconfigured):
        json_gateway.Sms("sms", secret).fetch_status(MESSAGE)


@pytest.mark.parametrize("script", [hang, drip(HEAD + b"Content-Length: 99\r\n\r\n", b" ")])
def test_a_status_lookup_ends_within_its_budget(script: Script) -> None:
    with serve(script) as address:
        began = time.monotonic()
        with pytest.raises(failures.OutcomeUnknown):
            transport_client.get(f"http://{address}/lookup?reference=7", {}, budget=BUDGET)
        assert time.monotonic() - began < BUDGET + 0.6


def test_a_status_lookup_that_cannot_connect_is_a_temporary_failure() -> None:
    with serve(hang) as address:
        pass
    with pytest.raises(failures.TemporaryFailure) as raised:
        transport_client.get(f"http://{address}/", {}, budget=BUDGET)
    assert raised.value.code == "not_connected"


@pytest.mark.parametrize("status", [400, 403, 409, 429, 500])
def test_the_code_for_opted_out_counts_with_any_http_status(status: int) -> None:
    error = {"error": {"code": "opted_out", "reason": "STOP"}}
    failure = refused(answer(status, json.dumps(error).encode()))
    assert (type(failure), failure.code, failure.reason) == (failures.OptedOut, "opted_out", "STOP")


@pytest.mark.parametrize("status", [400, 500])
@pytest.mark.parametrize(
    "body",
    [
        b"opted_out",
        b'{"code": "opted_out"}',
        b'{"error": "opted_out"}',
        b'{"error": {"code": "OPTED_OUT"}}',
        b'{"error": {"reason": "opted_out"}}',
        b'{"error": {"code": ["opted_out"]}}',
    ],
)
def test_only_the_exact_code_means_opted_out(status: int, body: bytes) -> None:
    assert type(refused(answer(status, body))) is (
        failures.PermanentFailure if status == 400 else failures.OutcomeUnknown
    )


def test_the_code_for_opted_out_is_the_same_for_email() -> None:
    fields = {**NEW_EMAIL, **CLAIMED, "type": "email"}
    response = answer(400, b'{"error": {"code": "opted_out"}}')
    with serve(response) as address, pytest.raises(failures.OptedOut):
        json_gateway.Email("email", {"url": f"http://{address}/"}).send(
            OutboundMessage.model_validate(fields)
        )
