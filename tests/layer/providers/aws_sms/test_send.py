"""What AWS End User Messaging SMS is sent, and the failures that its errors become."""

import json
import socket
from typing import Any
from uuid import UUID

import pytest

from messaging.failures import Failure, Misconfigured, OptedOut, PermanentFailure, TemporaryFailure, Throttled
from messaging.models import OutboundMessage
from messaging.providers import provider_class
from messaging.providers.aws_sms import AwsSms
from messaging.providers.provider import ProviderResult
from tests.support import api
from tests.support.tcp_server import read_request, respond, serve

SECRET = {"region": "us-west-2", "access_key_id": "AKIDEXAMPLE", "secret_access_key": "wJalrXUtnFEMI"}
MESSAGE = OutboundMessage.model_validate(
    {**api.NEW_SMS, "id": 7, "provider": "x", "token": UUID(int=7), "attempt": 1, "tries": 1}
)


def sent(**secret: object) -> dict[str, Any]:
    """The requests that AWS received."""
    requests: list[bytes] = []

    def script(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 26\r\n\r\n" + b'{"MessageId": "message-9"}')

    with serve(script) as address:
        provider = AwsSms("x", {**SECRET, "endpoint_url": f"http://{address}", **secret})
        assert provider.send(MESSAGE) == ProviderResult("message-9")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    assert b"\r\nX-Amz-Target: PinpointSMSVoiceV2.SendTextMessage" in head
    assert b"Credential=AKIDEXAMPLE/" in head
    assert b"/us-west-2/sms-voice/aws4_request" in head
    fields: dict[str, Any] = json.loads(body)
    return fields


def test_sends_the_text_with_our_id() -> None:
    assert sent() == {
        "DestinationPhoneNumber": "+18045551234",
        "OriginationIdentity": "+12016661234",
        "MessageBody": "Hello",
        "Context": {"reference": "7"},
    }


def test_sends_from_a_pool_and_with_a_configuration_set_if_the_secret_names_them() -> None:
    fields = sent(origination_identity="pool-1", configuration_set="messaging")
    assert fields["OriginationIdentity"] == "pool-1"
    assert fields["ConfigurationSetName"] == "messaging"


@pytest.mark.parametrize(
    ("code", "reason", "kind"),
    [
        ("ConflictException", "DESTINATION_PHONE_NUMBER_OPTED_OUT", OptedOut),
        ("ConflictException", "DESTINATION_PHONE_NUMBER_NOT_VERIFIED", PermanentFailure),
        ("ConflictException", "NO_ORIGINATION_IDENTITIES_FOUND", Misconfigured),
        ("ConflictException", None, PermanentFailure),
        ("ValidationException", "DESTINATION_COUNTRY_BLOCKED", PermanentFailure),
        ("ValidationException", "RESOURCE_NOT_ACCESSIBLE", Misconfigured),
        ("AccessDeniedException", "INSUFFICIENT_ACCOUNT_REPUTATION", Misconfigured),
        ("AccessDeniedException", "ACCOUNT_DISABLED", Misconfigured),
        ("AccessDeniedException", None, Misconfigured),
        ("ResourceNotFoundException", None, Misconfigured),
        ("ServiceQuotaExceededException", "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT", Misconfigured),
        ("ServiceQuotaExceededException", None, TemporaryFailure),
        ("ThrottlingException", None, Throttled),
    ],
)
def test_each_error_code_is_the_right_type_of_failure(
    code: str, reason: str | None, kind: type[Failure]
) -> None:
    body = json.dumps(
        {"__type": code, "Message": "Because.", **({"Reason": reason} if reason else {})}
    ).encode()
    script = respond(f"HTTP/1.1 400 x\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
    with serve(script) as address, pytest.raises(Failure) as raised:
        AwsSms("x", {**SECRET, "endpoint_url": f"http://{address}"}).send(MESSAGE)
    named = f"{code}.{reason}" if reason else code
    assert (type(raised.value), raised.value.code, raised.value.reason) == (kind, named, "Because.")


def test_only_texts_are_supported() -> None:
    assert {channel.value for channel in provider_class("aws-sms").channels} == {"sms"}
    assert provider_class("aws-sms").limits.attachments == 0
