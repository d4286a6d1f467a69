"""How Telnyx's requests are read, as in its documentation, and which are verified."""

import json
from base64 import b64encode
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import Channel, DeliveryReport, InboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.provider import Verified, Webhook
from messaging.providers.telnyx import Telnyx
from tests.layer.providers.telnyx import signatures

PAYLOADS = Path(__file__).parent / "payloads"
RECEIVED = "7ee4241c-f127-47e5-9c34-3aac291f8058"
SENT = "40385f64-5717-4562-b3fc-2c963f66afa6"
OURS, OURS_TOO, CONTACT = "+18445550001", "+18445550002", "+18665550001"
IMAGE, CARD = "https://media.telnyx.com/a.png", "https://media.telnyx.com/b.vcf"
RECEIVED_AT = datetime(2026, 1, 1, tzinfo=UTC)


def payload(name: str) -> bytes:
    return (PAYLOADS / f"{name}.json").read_bytes()


def webhook(body: bytes, query: str = "", **headers: str) -> Webhook:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return Webhook("https://api.example.com/api/webhooks/sms/telnyx", query, named, body, RECEIVED_AT)


def read(body: bytes, query: str = "") -> list[InboundMessage | DeliveryReport | Invalid]:
    return list(Telnyx("telnyx", {}).parse(webhook(body, query)))


def changed(name: str, **fields: object) -> bytes:
    """The payload with other fields in its message; None takes one out."""
    event = json.loads(payload(name))
    of_message = {**event["data"]["payload"], **fields}
    event["data"]["payload"] = {name: value for name, value in of_message.items() if value is not None}
    return json.dumps(event).encode()


@pytest.mark.parametrize(
    ("name", "channel", "body", "attachments"),
    [
        ("received_sms", Channel.SMS, "Hello, World!", []),
        ("received_unicode", Channel.SMS, "Grüße aus Köln 👋 你好", []),
        ("received_mms", Channel.MMS, "Look", [IMAGE, CARD]),
        ("received_media_only", Channel.MMS, "", [IMAGE]),
        ("received_stop", Channel.SMS, "STOP", []),
    ],
)
def test_a_received_message_is_read(name: str, channel: Channel, body: str, attachments: list[str]) -> None:
    [message] = read(payload(name))
    assert isinstance(message, InboundMessage)
    assert (message.type, message.sender, message.recipient) == (channel, CONTACT, OURS)
    assert (message.body, message.attachments) == (body, attachments)
    assert message.provider_message_id == RECEIVED
    assert message.timestamp == datetime(2019, 1, 23, 18, 10, 2, 574000, tzinfo=UTC)
    assert message.subject == ("A picture" if name == "received_mms" else None)


def test_characters_that_cannot_be_stored_are_removed_from_a_text() -> None:
    [message] = read(changed("received_sms", text="a\0b"))
    assert isinstance(message, InboundMessage)
    assert message.body == "ab"


def test_the_other_fields_of_a_message_are_in_extra() -> None:
    [stop] = read(payload("received_stop"))
    [mms] = read(payload("received_mms"))
    assert isinstance(stop, InboundMessage)
    assert isinstance(mms, InboundMessage)
    assert stop.extra["autoresponse_type"] == "STOP"
    assert mms.extra["media"][0]["content_type"] == "image/png"
    assert "text" not in mms.extra


def test_a_group_message_is_read_for_each_of_our_numbers() -> None:
    parts = read(payload("received_group"))
    assert [
        (part.recipient, part.provider_message_id) for part in parts if isinstance(part, InboundMessage)
    ] == [
        (OURS, f"{RECEIVED}/{OURS}"),
        (OURS_TOO, f"{RECEIVED}/{OURS_TOO}"),
    ]
    assert all(isinstance(part, InboundMessage) and part.extra["cc"] for part in parts)


@pytest.mark.parametrize(
    ("name", "status", "code", "reason"),
    [
        ("sent", Status.SENT, None, None),
        ("sent_queued", Status.SENT, None, None),
        ("delivered", Status.DELIVERED, None, None),
        ("delivery_failed", Status.FAILED, "40008", "The recipient carrier did not accept the message."),
        ("sending_failed", Status.FAILED, "40014", "The message was not sent in time."),
        ("delivery_unconfirmed", Status.SENT, "delivery_unconfirmed", None),
    ],
)
def test_each_report_is_read(name: str, status: Status, code: str | None, reason: str | None) -> None:
    [report] = read(payload(name))
    assert report == DeliveryReport(
        provider_message_id=SENT,
        reference=7,
        status=status,
        code=code,
        reason=reason,
        timestamp=datetime(2019, 12, 9, 21, 32, 14, 148000, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("status", "expected"), [("expired", Status.FAILED), ("queued", None), ("sending", None), ("", None)]
)
def test_the_code_of_a_status_without_an_error_is_the_status(status: str, expected: Status | None) -> None:
    [report] = read(changed("delivered", to=[{"status": status}]))
    assert isinstance(report, DeliveryReport)
    assert (report.status, report.code) == (expected, status or "message.finalized")


@pytest.mark.parametrize(
    ("error", "code", "reason"),
    [
        ({"code": 40001, "title": "Not routable"}, "40001", "Not routable"),
        ({"code": "40001", "title": "Not routable", "detail": ""}, "40001", "Not routable"),
        ({"code": "40001", "title": 7, "detail": []}, "40001", None),
        ({"code": "40001", "detail": "x" * 5000}, "40001", "x" * 500),
    ],
)
def test_the_reason_is_the_detail_or_the_title_of_the_error(
    error: dict[str, Any], code: str, reason: str | None
) -> None:
    [report] = read(changed("delivery_failed", errors=[error]))
    assert isinstance(report, DeliveryReport)
    assert (report.code, report.reason) == (code, reason)


@pytest.mark.parametrize(
    ("url", "reference"),
    [
        ("https://api.example.com/api/webhooks/sms/telnyx?reference=8", 8),
        ("https://api.example.com/?a=b&reference=8", 8),
        ("https://api.example.com/?preference=8", None),
        ("https://api.example.com/api/webhooks/sms/telnyx", None),
        (f"https://api.example.com/?reference={2**63}", None),
        (None, None),
    ],
)
def test_our_id_is_only_read_from_the_signed_body(url: str | None, reference: int | None) -> None:
    [report] = read(changed("delivered", webhook_url=url), query="reference=9")
    assert isinstance(report, DeliveryReport)
    assert report.reference == reference


def test_a_part_without_a_timestamp_has_the_time_of_its_arrival() -> None:
    for name in ("received_sms", "delivered"):
        event = json.loads(payload(name))
        del event["data"]["occurred_at"]
        [part] = read(json.dumps(event).encode())
        assert not isinstance(part, Invalid)
        assert part.timestamp == RECEIVED_AT


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"from": None}, "from"),
        ({"from": {"phone_number": ""}}, "from.phone_number"),
        ({"from": {"phone_number": None}}, "from.phone_number"),
        ({"to": []}, "to"),
        ({"to": [{}] * 101}, "to"),
        ({"type": "RCS"}, "type"),
        ({"id": ""}, "id"),
        ({"id": "x" * 441}, "id"),
        ({"text": 7}, "text"),
        ({"to": None}, "to"),
    ],
)
def test_a_message_without_a_required_field_is_invalid(fields: dict[str, Any], field: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("received_sms", **fields))
    assert [error["field"] for error in raised.value.errors] == [field]


@pytest.mark.parametrize("to", [[{}], [{"phone_number": " "}], [7], [None], [[]], {"status": "x"}])
def test_an_unreadable_part_is_reported(to: object) -> None:
    [part] = read(changed("received_mms", to=to))
    assert isinstance(part, Invalid)


def message(name: str, **fields: object) -> InboundMessage:
    """The message that is read from the payload with other fields, which may be null."""
    event = json.loads(payload(name))
    event["data"]["payload"] |= {name.rstrip("_"): value for name, value in fields.items()}
    [part] = read(json.dumps(event).encode())
    assert isinstance(part, InboundMessage)
    return part


@pytest.mark.parametrize(
    "fields",
    [
        {"media": None},
        {"text": None, "subject": None, "cc": None},
        {"type": None, "carrier": None, "errors": None},
        {"type": "sms", "media": {}},
        {"to": OURS},
        {"to": [OURS]},
        {"to": {"phone_number": OURS}},
        {"from_": CONTACT},
        {"from_": {"phone_number": CONTACT, "carrier": None, "line_type": None}},
        {
            "from_": CONTACT.removeprefix("+"),
            "to": [{"phone_number": OURS.removeprefix("+"), "status": None}],
        },
    ],
    ids=str,
)
def test_null_or_a_single_value_instead_of_a_list_or_an_object_is_read(fields: dict[str, Any]) -> None:
    read_message = message("received_sms", **fields)
    assert (read_message.sender, read_message.recipient, read_message.attachments) == (CONTACT, OURS, [])
    assert read_message.type is Channel.SMS


@pytest.mark.parametrize(
    ("media", "urls", "is_complete"),
    [
        ([{"url": IMAGE}, {"url": None}], [IMAGE], False),
        ([{"url": IMAGE}, {}], [IMAGE], False),
        ([{"url": "nowhere"}], [], False),
        ([7, None, IMAGE], [IMAGE], False),
        ({"url": IMAGE}, [IMAGE], True),
        ([{"url": IMAGE}] * 101, [IMAGE] * 100, False),
    ],
    ids=["null", "none", "not a URL", "other types", "one object", "too many"],
)
@pytest.mark.parametrize("type_", ["MMS", None])
def test_media_without_a_url_do_not_hide_the_message(
    type_: str | None, media: object, urls: list[str], is_complete: bool
) -> None:
    read_message = message("received_mms", media=media, type=type_)
    assert (read_message.type, read_message.attachments) == (Channel.MMS, urls)
    assert read_message.extra["media"] == media
    assert read_message.extra.get("defects") == (None if is_complete else ["media_missing"])


@pytest.mark.parametrize(
    ("sender", "stored"),
    [
        *(("McDonald's",) * 2, ("Müller",) * 2, ("楽天",) * 2, ("24273",) * 2),
        *(("18665550001", CONTACT), ("+5215512345678", "+525512345678"), ("a\x07b", "a\u2407b")),
    ],
)
def test_any_sender_is_stored(sender: str, stored: str) -> None:
    read_message = message("received_sms", from_={"phone_number": sender})
    assert read_message.sender == stored
    assert ("from" in read_message.extra) == (sender != stored)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"to": None}, (SENT, None, "message.finalized")),
        ({"to": []}, (SENT, None, "message.finalized")),
        ({"to": "+18665550001"}, (SENT, None, "message.finalized")),
        ({"to": {"status": "delivered"}}, (SENT, Status.DELIVERED, None)),
        ({"to": [{"status": 7}]}, (SENT, None, "message.finalized")),
        ({"to": [{"status": None}]}, (SENT, None, "message.finalized")),
        ({"errors": None}, (SENT, Status.DELIVERED, None)),
        ({"errors": {"code": 40001}}, (SENT, Status.DELIVERED, "40001")),
        ({"errors": ["40001"]}, (SENT, Status.DELIVERED, None)),
        ({"id": None}, (None, Status.DELIVERED, None)),
        ({"id": 7}, ("7", Status.DELIVERED, None)),
        ({"id": "x" * 513}, (None, Status.DELIVERED, None)),
        ({"webhook_url": 7}, (SENT, Status.DELIVERED, None)),
    ],
    ids=str,
)
def test_a_report_is_read_as_far_as_possible(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    event = json.loads(payload("delivered"))
    event["data"]["payload"] |= fields
    event["data"]["occurred_at"] = "soon"
    [report] = read(json.dumps(event).encode())
    assert isinstance(report, DeliveryReport)
    assert (report.provider_message_id, report.status, report.code) == expected
    assert report.timestamp == RECEIVED_AT


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"{", b"\xff"])
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises(Unreadable):
        read(body)


# --- Verification ------------------------------------------------------------------------------------


def verify(body: bytes, headers: dict[str, str], keys: object = signatures.PUBLIC_KEY) -> Verified:
    request = Webhook("https://api.example.com/", "", headers, body, RECEIVED_AT)
    return Telnyx("telnyx", {"public_key": keys}).verify(request)


def test_any_bytes_that_telnyx_signed_are_verified() -> None:
    for body in (payload("received_unicode"), b"", b"\xff\r\n"):
        assert verify(body, signatures.headers(body, RECEIVED_AT)) == Verified()


@pytest.mark.parametrize("time", ["", "soon", "-1", "1e9", "1767225600.0", " 1767225600", "9" * 13, "١٢"])
def test_a_malformed_timestamp_is_refused(time: str) -> None:
    signed = signatures.headers(b"{}", RECEIVED_AT)
    with pytest.raises(SignatureRejected):
        verify(b"{}", {**signed, "telnyx-timestamp": time})


@pytest.mark.parametrize("signature", ["", "=", "AAAA", b64encode(bytes(64)).decode(), "é", "x" * 5000])
def test_a_signature_that_is_not_from_telnyx_is_refused(signature: str) -> None:
    with pytest.raises(SignatureRejected):
        verify(b"{}", {**signatures.headers(b"{}", RECEIVED_AT), "telnyx-signature-ed25519": signature})


@pytest.mark.parametrize("keys", ["", None, [], "not base64", "AAAA", b64encode(bytes(32)).decode()])
def test_a_malformed_key_verifies_nothing(keys: object) -> None:
    with pytest.raises(SignatureRejected):
        verify(b"{}", signatures.headers(b"{}", RECEIVED_AT), keys)


def test_a_malformed_key_does_not_disable_the_other() -> None:
    assert (
        verify(b"{}", signatures.headers(b"{}", RECEIVED_AT), ["not base64", signatures.PUBLIC_KEY])
        == Verified()
    )


@pytest.mark.parametrize("large", [{"text": "x" * 250_000}, {"more": "x" * 250_000}])
def test_a_group_message_that_would_take_too_much_space_is_not_read(large: dict[str, object]) -> None:
    few, many = ([{"phone_number": f"+1844555{n:04}"} for n in range(number)] for number in (10, 100))
    assert len(read(changed("received_sms", to=few, **large))) == 10
    with pytest.raises(Invalid) as refused:
        read(changed("received_sms", to=many, **large))
    assert [error["field"] for error in refused.value.errors] == ["to"]
