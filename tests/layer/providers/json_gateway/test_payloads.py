"""The JSON that a JSON gateway is sent, and how its webhooks are read."""

import json
import socket
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import pytest
from standardwebhooks import Webhook as Signature

from messaging.failures import OutcomeUnknown, TemporaryFailure
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.providers import json_gateway
from messaging.providers.provider import ProviderResult, Webhook
from tests.support import senders
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, NEW_EMAIL, NEW_SMS
from tests.support.configuration import SIGNING_SECRET
from tests.support.names import NAMES
from tests.support.providers.send_contract import answer
from tests.support.tcp_server import read_request, serve

OTHER_SECRET = "whsec_C2FVsBQIhrscChlQIMV+b5sSYspob7oD"
SENT = datetime(2024, 11, 1, 14, tzinfo=UTC)
NAME_FIELDS = {"from_name", "to_name", "cc_names", "reply_to_name"}
USER = {"recipient": "user@example.com"}
TEXT = "\u00e9\U0001f600\n\"'"
HTML = {"html": "<b>Hi</b>"}
MMS = {"type": "mms", "body": "", "attachments": ["https://example.com/i.jpg?a=%20&b=%C3%A9"]}


def outbound(fields: Mapping[str, object]) -> OutboundMessage:
    claimed = {"id": 7, "provider": "sms", "token": UUID(int=7), "attempt": 1, "tries": 1, "timestamp": SENT}
    return OutboundMessage.model_validate({"type": "email", **fields, **claimed})


def sent(
    provider: type[json_gateway.JsonGateway], fields: Mapping[str, object], secret: Mapping[str, object]
) -> tuple[dict[str, str], bytes]:
    """The headers and the body of the request that sends the message."""
    requests: list[bytes] = []
    reply = json.dumps({provider.id_field: "message-9"}).encode()

    def script(client: socket.socket) -> None:
        requests.append(read_request(client))
        client.sendall(b"HTTP/1.1 200 OK\r\n\r\n" + reply)

    with serve(script) as address:
        gateway = provider("sms", {"url": f"http://{address}/sms", **secret})
        assert gateway.send(outbound(fields)) == ProviderResult("message-9")
    head, _, body = requests[0].partition(b"\r\n\r\n")
    lines = [line.split(": ", 1) for line in head.decode().split("\r\n")[1:]]
    return {name.lower(): value for name, value in lines}, body


@pytest.mark.parametrize(
    ("provider", "fields", "expected"),
    [
        (json_gateway.Sms, NEW_SMS, {**NEW_SMS, "attachments": None}),
        (
            json_gateway.Sms,
            {**NEW_SMS, "body": "\u00e9\U0001f600\n\"'"},
            {**NEW_SMS, "body": "\u00e9\U0001f600\n\"'", "attachments": None},
        ),
        (json_gateway.Sms, {**NEW_SMS, **MMS}, {**NEW_SMS, **MMS}),
        (json_gateway.Email, NEW_EMAIL, {**NEW_EMAIL, "type": "email", "attachments": None}),
        (
            json_gateway.Email,
            {**NEW_EMAIL, **HTML},
            {**NEW_EMAIL, **HTML, "type": "email", "attachments": None},
        ),
    ],
)
def test_sends_the_json_of_the_contract_and_our_id(
    provider: type[json_gateway.JsonGateway], fields: Mapping[str, object], expected: Mapping[str, object]
) -> None:
    headers, body = sent(provider, fields, {"signing_secret": SIGNING_SECRET})
    assert json.loads(body) == {**expected, "timestamp": "2024-11-01T14:00:00Z", "reference": "7"}
    assert headers["content-type"] == "application/json"


@pytest.mark.parametrize("name", NAMES)
def test_names_are_sent_in_fields_of_their_own(name: str) -> None:
    names = {
        "from_name": name,
        "to_name": name,
        "cc": ["a@example.org"],
        "cc_names": {"a@example.org": name},
        "reply_to": "reply@example.com",
        "reply_to_name": name,
    }
    body = json.loads(sent(json_gateway.Email, {**NEW_EMAIL, **names}, {})[1])
    assert {field: body[field] for field in (*names, "from", "to")} == {
        **names,
        "from": NEW_EMAIL["from"],
        "to": NEW_EMAIL["to"],
    }


def test_signs_what_it_sends() -> None:
    headers, body = sent(json_gateway.Sms, {**NEW_SMS, "body": "\u00e9"}, {"signing_secret": SIGNING_SECRET})
    assert Signature(SIGNING_SECRET).verify(body, headers)["body"] == "\u00e9"
    assert headers["webhook-id"] == "msg_7"


def test_signs_with_the_first_of_two_secrets() -> None:
    headers, body = sent(json_gateway.Sms, NEW_SMS, {"signing_secret": [SIGNING_SECRET, OTHER_SECRET]})
    assert Signature(SIGNING_SECRET).verify(body, headers)


def test_without_a_signing_secret_requests_are_not_signed() -> None:
    headers, _ = sent(json_gateway.Sms, NEW_SMS, {})
    assert not [name for name in headers if name.startswith("webhook-")]


@pytest.mark.parametrize(
    ("body", "id"),
    [
        (b'{"messaging_provider_id": "a"}', "a"),
        (b'{"messaging_provider_id": 7, "more": [1]}', "7"),
        (b'{"messaging_provider_id": "' + b"x" * 512 + b'"}', "x" * 512),
        (b'{"messaging_provider_id": ""}', None),
        (b'{"messaging_provider_id": null}', None),
        (b'{"messaging_provider_id": 1.5}', None),
        (b'{"messaging_provider_id": true}', None),
        (b'{"messaging_provider_id": ["a"]}', None),
        (b'{"messaging_provider_id": "a\\u0000"}', None),
        (b'{"messaging_provider_id": "' + b"x" * 513 + b'"}', None),
        (b'{"xillio_id": "a"}', None),
        (b'"messaging_provider_id"', None),
        (b"[" * 100_000, None),
    ],
)
def test_an_answer_has_an_id_or_the_outcome_is_unknown(body: bytes, id: str | None) -> None:
    with serve(answer(200, body)) as address:
        provider = json_gateway.Sms("sms", {"url": f"http://{address}/"})
        if id is not None:
            assert provider.send(outbound(NEW_SMS)) == ProviderResult(id)
            return
        with pytest.raises(OutcomeUnknown) as raised:
            provider.send(outbound(NEW_SMS))
        assert raised.value.code == "unreadable_answer"


@pytest.mark.parametrize("secret", [{}, {"url": ""}, {"url": None}, {"signing_secret": SIGNING_SECRET}])
def test_without_a_url_nothing_is_sent(secret: Mapping[str, Any]) -> None:
    with pytest.raises(TemporaryFailure) as raised:
        json_gateway.Sms("sms", secret).send(outbound(NEW_SMS))
    assert raised.value.code == "not_configured"


def parsed(provider: type[json_gateway.JsonGateway], body: object) -> InboundMessage | DeliveryReport:
    written = body if isinstance(body, bytes) else json.dumps(body).encode()
    [part] = provider("name", {}).parse(Webhook("https://example.com/", "", {}, written))
    return part


@pytest.mark.parametrize(
    ("provider", "fields", "expected"),
    [
        (
            json_gateway.Sms,
            {},
            {"sender": "+18045551234", "recipient": "+12016661234", "body": "in", "type": Channel.SMS},
        ),
        (json_gateway.Sms, {"from": "+1 (804) 555-1234"}, {"sender": "+18045551234"}),
        (json_gateway.Sms, {"from": "12345", "to": "ACME Inc"}, {"sender": "12345", "recipient": "ACME Inc"}),
        (json_gateway.Sms, MMS, {"type": Channel.MMS, "body": "", "attachments": MMS["attachments"]}),
        (json_gateway.Sms, {"body": None, "attachments": None}, {"body": "", "attachments": []}),
        (json_gateway.Sms, {"messaging_provider_id": 42}, {"provider_message_id": "42"}),
        (json_gateway.Sms, {"timestamp": "2024-11-01T15:00:00+01:00"}, {"timestamp": SENT}),
        (json_gateway.Sms, {"timestamp": "2024-11-01T14:00:00"}, {"timestamp": SENT}),
        (json_gateway.Sms, {"status": "received"}, {"extra": {"status": "received"}}),
        (
            json_gateway.Email,
            {},
            {"sender": "contact@example.org", "recipient": "user@example.com", "type": Channel.EMAIL},
        ),
        (json_gateway.Email, {"from": "Contact@Example.org"}, {"sender": "contact@example.org"}),
        (
            json_gateway.Email,
            {"from": '"Contact, A." <contact@example.org>'},
            {"sender": "contact@example.org"},
        ),
        (
            json_gateway.Email,
            {"to": "[user@example.com](mailto:user@example.com)"},
            {"recipient": "user@example.com"},
        ),
        (json_gateway.Email, {"to": "[User](mailto:User@Example.com)"}, USER),
        (
            json_gateway.Email,
            {"subject": "Re: Hi", "html": "<b>x</b>"},
            {"subject": "Re: Hi", "html": "<b>x</b>"},
        ),
        (json_gateway.Email, {"type": "email", "xillio_id": "x"}, {"provider_message_id": "x", "extra": {}}),
    ],
)
def test_reads_a_message(
    provider: type[json_gateway.JsonGateway], fields: Mapping[str, object], expected: Mapping[str, object]
) -> None:
    required_fields = INBOUND_SMS if provider is json_gateway.Sms else INBOUND_EMAIL
    message = parsed(provider, {**required_fields, **fields})
    assert isinstance(message, InboundMessage)
    assert {name: getattr(message, name) for name in expected} == expected


@pytest.mark.parametrize(
    ("fields", "names", "extra"),
    [
        ({"from": "Ann <contact@example.org>"}, {"from_name": "Ann"}, {}),
        ({"to": '"Lee, Ann" <user@example.com>'}, {"to_name": "Lee, Ann"}, {}),
        ({"from": "=?utf-8?q?J=C3=BCrgen?= <contact@example.org>"}, {"from_name": "J\u00fcrgen"}, {}),
        ({"from": "[Ann](mailto:contact@example.org)"}, {"from_name": "Ann"}, {}),
        ({"from": "[contact@example.org](mailto:contact@example.org)"}, {}, {}),
        ({"from_name": "Ann"}, {"from_name": "Ann"}, {}),
        ({"from": "Ann <contact@example.org>", "from_name": None}, {"from_name": "Ann"}, {}),
        ({"from": "Ann <contact@example.org>", "from_name": "Ann"}, {"from_name": "Ann"}, {}),
        (
            {"from": "Ann <contact@example.org>", "from_name": "Bob"},
            {"from_name": "Bob"},
            {"from": "Ann <contact@example.org>"},
        ),
        (
            {"cc": ["Carl <carl@example.org>", "dora@example.org"]},
            {"cc_names": {"carl@example.org": "Carl"}},
            {},
        ),
        ({"reply_to": "Office <office@example.org>"}, {"reply_to_name": "Office"}, {}),
        ({"from_name": ""}, {}, {"from_name": ""}),
        ({"from_name": 5}, {}, {"from_name": 5}),
        ({"to_name": ["Ann"]}, {}, {"to_name": ["Ann"]}),
        ({"cc_names": "Ann"}, {}, {"cc_names": "Ann"}),
        ({"from_name": "Ann\r\nBcc: x"}, {"from_name": "Ann  Bcc: x"}, {"from_name": "Ann\r\nBcc: x"}),
        ({"from_name": "x" * 5000}, {"from_name": "x" * 320}, {"from_name": "x" * 5000}),
        (
            {"from": "x" * 500 + " <contact@example.org>"},
            {"from_name": "x" * 320},
            {"from_name": "x" * 500},
        ),
    ],
)
def test_the_names_of_an_email_are_read(
    fields: Mapping[str, object], names: Mapping[str, object], extra: Mapping[str, object]
) -> None:
    message = parsed(json_gateway.Email, {**INBOUND_EMAIL, **fields})
    assert isinstance(message, InboundMessage)
    assert (message.sender, message.recipient) == ("contact@example.org", "user@example.com")
    assert message.model_dump(include=NAME_FIELDS, exclude_none=True) == names
    assert message.extra == extra


def test_an_sms_can_have_names_too() -> None:
    message = parsed(json_gateway.Sms, {**INBOUND_SMS, "from_name": "Ann", "to_name": 5})
    assert isinstance(message, InboundMessage)
    assert (message.from_name, message.to_name, message.extra) == ("Ann", None, {"to_name": 5})


@pytest.mark.parametrize(
    "extra",
    [
        {"carrier": "x", "segments": 2, "cost": {"amount": 0.5, "to": [None, True, "\u00e9\U0001f600"]}},
        {"": "", "\\u0000": "\\u0000", "n": 10**400},
        {"sender": "x", "recipient": "y", "provider_message_id": "z", "extra": 1, "id": 2, "model_config": 3},
    ],
)
def test_unknown_fields_of_a_message_are_stored_in_extra(extra: dict[str, object]) -> None:
    message, plain = (
        parsed(json_gateway.Sms, INBOUND_SMS | more | {"timestamp": str(SENT)}) for more in (extra, {})
    )
    assert isinstance(message, InboundMessage)
    assert message.extra == extra
    assert message.model_copy(update={"extra": {}}) == plain


def report(**fields: object) -> dict[str, object]:
    return {"timestamp": "2024-11-01T14:00:00Z", **fields}


@pytest.mark.parametrize("provider", [json_gateway.Sms, json_gateway.Email])
@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        (report(messaging_provider_id="m", status="sent"), ("m", None, Status.SENT, None, None)),
        (report(xillio_id="m", status="delivered"), ("m", None, Status.DELIVERED, None, None)),
        (report(messaging_provider_id=9, status="read"), ("9", None, Status.READ, None, None)),
        (report(reference="7", status="delivered"), (None, 7, Status.DELIVERED, None, None)),
        (report(reference=7, status="delivered"), (None, 7, Status.DELIVERED, None, None)),
        (report(reference=str(2**63 - 1), status="sent"), (None, 2**63 - 1, Status.SENT, None, None)),
        (report(xillio_id="m", reference="7", status="sent"), ("m", 7, Status.SENT, None, None)),
        (report(xillio_id="m", reference="theirs", status="sent"), ("m", None, Status.SENT, None, None)),
        (report(xillio_id="m", reference=str(2**63), status="sent"), ("m", None, Status.SENT, None, None)),
        (report(xillio_id="m", reference="-1", status="sent"), ("m", None, Status.SENT, None, None)),
        (report(xillio_id="m", status="queued"), ("m", None, None, "queued", None)),
        (report(xillio_id="m", status="Delivered"), ("m", None, None, "Delivered", None)),
        (report(xillio_id="m", status="failed", error=None), ("m", None, Status.FAILED, None, None)),
        (
            report(xillio_id="m", status="failed", error={"code": 30003, "reason": "Unreachable", "more": 1}),
            ("m", None, Status.FAILED, "30003", "Unreachable"),
        ),
        (report(xillio_id="m", status="bounced", error={"code": "550"}), ("m", None, None, "550", None)),
        (report(xillio_id="m", status="sent", carrier={"x": 1}), ("m", None, Status.SENT, None, None)),
    ],
)
def test_reads_a_report(
    provider: type[json_gateway.JsonGateway], fields: Mapping[str, object], expected: tuple[object, ...]
) -> None:
    delivery_report = parsed(provider, fields)
    assert isinstance(delivery_report, DeliveryReport)
    assert (
        delivery_report.provider_message_id,
        delivery_report.reference,
        delivery_report.status,
        delivery_report.code,
        delivery_report.reason,
    ) == expected
    assert delivery_report.timestamp == SENT


def test_a_report_without_a_timestamp_has_the_time_of_its_arrival() -> None:
    delivery_report = parsed(json_gateway.Sms, {"reference": "7", "status": "sent"})
    assert abs((datetime.now(UTC) - delivery_report.timestamp).total_seconds()) < 5


@pytest.mark.parametrize(
    ("sender", "stored"),
    [
        *((sender, sender) for sender in (*senders.NAMES, "nobody@example.org")),
        *(("18045551234", "+18045551234"), (" ACME ", "ACME"), ("a\0b", "a\u2400b")),
        *(("+5215512345678", "+525512345678"), ("+541123456789", "+5491123456789")),
    ],
)
def test_any_sender_of_a_text_is_stored(sender: str, stored: str) -> None:
    body = json.dumps({**INBOUND_SMS, "from": sender}).encode()
    [message] = json_gateway.Sms("sms", {}).parse(Webhook("https://example.com/", "", {}, body))
    assert isinstance(message, InboundMessage)
    assert message.sender == stored


@pytest.mark.parametrize("length", [65, 400, 100_000])
def test_a_long_sender_does_not_hide_the_message(length: int) -> None:
    body = json.dumps({**INBOUND_SMS, "from": "x" * length}).encode()
    [message] = json_gateway.Sms("sms", {}).parse(Webhook("https://example.com/", "", {}, body))
    assert isinstance(message, InboundMessage)
    assert message.sender.startswith("x" * 65)
    assert len(message.sender) <= 320
