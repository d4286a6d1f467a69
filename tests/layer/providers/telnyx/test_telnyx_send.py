"""What Telnyx is sent, and the failures that its answers become."""

import json
import socket
from datetime import timedelta

import pytest

from messaging import failures
from messaging.models import Channel, OutboundMessage
from messaging.providers.provider import ProviderResult
from messaging.providers.telnyx import Telnyx
from tests.layer.providers.telnyx.test_contract import TestTelnyx as Vendor
from tests.support.configuration import Configure
from tests.support.providers.send_contract import answer
from tests.support.tcp_server import read_request, serve

MMS = {"type": Channel.MMS, "attachments": ["https://example.com/a.png", "https://example.com/b.vcf"]}


def requested(
    message: OutboundMessage, name: str = "instance", **secret: str
) -> tuple[bytes, dict[str, object]]:
    """The head and the body of the request."""
    requests: list[bytes] = []

    def vendor(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + Vendor.accepted)

    with serve(vendor) as address:
        provider = Telnyx(name, {**Vendor().secret(f"http://{address}/"), **secret})
        assert provider.send(message) == ProviderResult("message-9")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    return head, json.loads(body)


def failing(status: int, code: str, head: bytes = b"") -> failures.Failure:
    """The failure of a message that Telnyx answers with this error."""
    body = json.dumps({"errors": [{"code": code, "title": "A title", "detail": "The detail."}]}).encode()
    with serve(answer(status, body, head)) as address, pytest.raises(failures.Failure) as raised:
        Vendor().create(url=f"http://{address}/").send(Vendor().message())
    assert (raised.value.code, raised.value.reason) == (code, "The detail.")
    return raised.value


def test_an_sms_is_sent_with_our_id_in_its_webhook_url(configure: Configure) -> None:
    configure(PUBLIC_URL="https://api.example.com/")
    head, fields = requested(Vendor().message(body="Grüße 👋"))
    assert head.startswith(b"POST /v2/messages HTTP/1.1\r\n")
    assert b"\r\nAuthorization: Bearer KEY_secret\r\n" in head
    assert b"\r\nContent-Type: application/json\r\n" in head
    assert fields == {
        "from": "+12016661234",
        "to": "+18045551234",
        "type": "SMS",
        "text": "Grüße 👋",
        "webhook_url": "https://api.example.com/api/webhooks/sms/instance?reference=7",
    }


def test_without_a_public_url_no_webhook_url_is_sent(configure: Configure) -> None:
    configure(PUBLIC_URL="")
    _, fields = requested(Vendor().message())
    assert "webhook_url" not in fields


@pytest.mark.parametrize("body", ["", "Look"])
def test_an_mms_is_sent_with_its_media(body: str) -> None:
    _, fields = requested(Vendor().message(**MMS, body=body), messaging_profile_id="profile-1")
    assert fields["type"] == "MMS"
    assert fields["media_urls"] == MMS["attachments"]
    assert fields.get("text", "") == body
    assert fields["messaging_profile_id"] == "profile-1"


def test_the_webhook_url_has_the_quoted_name_of_the_instance(configure: Configure) -> None:
    configure(PUBLIC_URL="https://api.example.com")
    _, fields = requested(Vendor().message(), name="a/b?c")
    assert fields["webhook_url"] == "https://api.example.com/api/webhooks/sms/a%2Fb%3Fc?reference=7"


@pytest.mark.parametrize(
    ("status", "code", "kind"),
    [
        (400, "40300", failures.OptedOut),
        (403, "40300", failures.OptedOut),
        (422, "40300", failures.OptedOut),
        (400, "40310", failures.PermanentFailure),
        (403, "40310", failures.PermanentFailure),  # about the number, not about the key
        (422, "40305", failures.PermanentFailure),
        (400, "10015", failures.PermanentFailure),
        (401, "10009", failures.Misconfigured),
        (403, "10010", failures.Misconfigured),
        (403, "20012", failures.Misconfigured),
        (402, "20100", failures.Misconfigured),
        (400, "40312", failures.Misconfigured),
        (422, "40320", failures.Misconfigured),
        (404, "10005", failures.Misconfigured),
        (404, "40003", failures.PermanentFailure),
        (422, "40318", failures.Throttled),
        (429, "10011", failures.Throttled),
        (500, "10007", failures.OutcomeUnknown),
        (503, "40310", failures.TemporaryFailure),
    ],
)
def test_the_code_decides_the_type_of_failure(status: int, code: str, kind: type[failures.Failure]) -> None:
    assert type(failing(status, code)) is kind


@pytest.mark.parametrize(
    ("head", "wait"),
    [
        (b"Retry-After: 7\r\n", timedelta(seconds=7)),
        (b"x-ratelimit-reset: 9\r\n", timedelta(seconds=9)),
        (b"Retry-After: 7\r\nx-ratelimit-reset: 9\r\n", timedelta(seconds=7)),
        (b"x-ratelimit-reset: soon\r\n", None),
        (b"", None),
    ],
)
@pytest.mark.parametrize(("status", "code"), [(429, "10011"), (422, "40318")])
def test_the_wait_of_a_throttled_send_ends_when_the_rate_limit_resets(
    status: int, code: str, head: bytes, wait: timedelta | None
) -> None:
    failure = failing(status, code, head)
    assert isinstance(failure, failures.Throttled)
    assert failure.retry_after == wait


def test_retry_after_of_a_busy_server_is_in_the_failure() -> None:
    failure = failing(503, "10007", b"Retry-After: 7\r\nx-ratelimit-reset: 9\r\n")
    assert isinstance(failure, failures.TemporaryFailure)
    assert failure.retry_after == timedelta(seconds=7)


@pytest.mark.parametrize(
    "body", [b"", b"{}", b'{"data": {}}', b'{"data": []}', b'{"data": {"id": ""}}', b'{"data": {"id": 9}}']
)
def test_an_answer_without_an_id_has_an_unknown_outcome(body: bytes) -> None:
    with serve(answer(200, body)) as address, pytest.raises(failures.OutcomeUnknown):
        Vendor().create(url=f"http://{address}/").send(Vendor().message())


@pytest.mark.parametrize("key", ["", None])
def test_without_an_api_key_nothing_is_sent(key: str | None) -> None:
    with pytest.raises(failures.Misconfigured):
        Vendor().create({"api_key": key}).send(Vendor().message())
