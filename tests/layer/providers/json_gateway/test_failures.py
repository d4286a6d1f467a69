"""The failure of a refused message has the JSON gateway's code and reason, if it gives any."""

import json
from uuid import UUID

import pytest

from messaging.failures import Failure, Misconfigured, OptedOut, PermanentFailure, TemporaryFailure
from messaging.models import OutboundMessage
from messaging.providers import json_gateway
from tests.support.tcp_server import respond, serve

CLAIMED = {"id": 7, "provider": "sms", "token": UUID(int=7), "attempt": 1, "tries": 1}
SMS = {"type": "sms", "from": "+12016661234", "to": "+18045551234", "body": "Hello"}
SILENT: list[object] = [
    {},
    [],
    "error",
    {"error": 7},
    {"error": {"code": "x" * 65}},
    {"error": {"code": "\0"}},
]
FILTERED = {"error": {"code": 30007, "reason": "Filtered"}}
CASES: list[tuple[int, object, tuple[type[Failure], str, str]]] = [
    (400, FILTERED, (PermanentFailure, "30007", "Filtered")),
    (503, FILTERED, (TemporaryFailure, "30007", "Filtered")),
    (404, FILTERED, (PermanentFailure, "30007", "Filtered")),
    (404, {"error": {"code": "opted_out"}}, (OptedOut, "opted_out", "The provider answered 404.")),
    (404, {"error": "Not Found"}, (Misconfigured, "404", "The provider answered 404.")),
    (302, {}, (Misconfigured, "302", "The provider answered 302.")),
    (400, {"error": {"reason": "Filtered"}}, (PermanentFailure, "400", "Filtered")),
    (400, {"error": {"code": "30007"}}, (PermanentFailure, "30007", "The provider answered 400.")),
    *((400, silent, (PermanentFailure, "400", "The provider answered 400.")) for silent in SILENT),
]


@pytest.mark.parametrize(("status", "body", "expected"), CASES)
def test_a_refusal_has_the_vendors_code_and_reason(
    status: int, body: object, expected: tuple[type[Failure], str, str]
) -> None:
    content = json.dumps(body).encode()
    head = f"HTTP/1.1 {status} x\r\nContent-Length: {len(content)}\r\n\r\n".encode()
    with serve(respond(head + content)) as address:
        provider = json_gateway.Sms("sms", {"url": f"http://{address}/sms"})
        with pytest.raises(Failure) as raised:
            provider.send(OutboundMessage.model_validate(CLAIMED | SMS))
    assert (type(raised.value), raised.value.code, raised.value.reason) == expected
