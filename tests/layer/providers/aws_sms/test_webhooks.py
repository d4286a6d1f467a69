"""Notifications of AWS End User Messaging SMS: received texts, and events of sent texts."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import DeliveryReport, InboundMessage, Status
from messaging.problems import Invalid
from messaging.providers.aws_sms import AwsSms
from tests.support.providers.sns import envelope, signed, webhook

PAYLOADS = Path(__file__).parent / "payloads"
NOTIFIED_AT = "2024-11-01T14:00:00.000Z"


def payload(name: str, **fields: object) -> dict[str, Any]:
    return {**json.loads((PAYLOADS / f"{name}.json").read_text()), **fields}


def parse(document: object) -> Any:
    [part] = AwsSms("x", {}).parse(webhook(signed(envelope(document, Timestamp=NOTIFIED_AT))))
    return part


def report(**fields: object) -> DeliveryReport:
    read = parse(payload("delivered", **fields))
    assert isinstance(read, DeliveryReport)
    return read


def test_characters_that_cannot_be_stored_are_removed_from_a_text() -> None:
    assert parse(payload("inbound", messageBody="a\0b")).body == "ab"


def test_reads_a_text() -> None:
    event = payload("inbound")
    message = parse(event)
    assert isinstance(message, InboundMessage)
    assert (message.type, message.body, message.provider_message_id) == (
        "sms",
        "EXAMPLE",
        "cae173d2-66b9-564c-8309-21f858e9fb84",
    )
    assert (message.sender, message.recipient) == ("+14255550182", "+12125550101")
    assert message.timestamp == datetime(2024, 11, 1, 14, tzinfo=UTC)
    assert message.extra == {
        "messageKeyword": "JOIN",
        "previousPublishedMessageId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY",
    }


def test_reads_a_text_in_any_language_and_to_a_short_code() -> None:
    message = parse(payload("inbound_emoji"))
    assert message.body == "Ça va? 👋🏽 日本語\nzweite Zeile"
    assert message.recipient == "38008"


@pytest.mark.parametrize(
    ("sender", "stored"),
    [
        *(("McDonald's",) * 2, ("Müller",) * 2, ("E*TRADE",) * 2, ("🍕 Pizza",) * 2, ("38008",) * 2),
        *(("14255550182", "+14255550182"), ("+5215512345678", "+525512345678"), ("a\0b", "a\u2400b")),
    ],
)
def test_any_sender_is_stored(sender: str, stored: str) -> None:
    message = parse(payload("inbound", originationNumber=sender, destinationNumber="12125550101"))
    assert (message.sender, message.recipient) == (stored, "+12125550101")
    assert message.extra["destinationNumber"] == "12125550101"
    assert ("originationNumber" in message.extra) == (sender != stored)


def test_an_empty_text_is_read() -> None:
    assert parse(payload("inbound_empty")).body == ""


@pytest.mark.parametrize(
    ("kind", "status"),
    [
        ("TEXT_SENT", Status.SENT),
        ("TEXT_SUCCESSFUL", Status.SENT),
        ("TEXT_DELIVERED", Status.DELIVERED),
        *((f"TEXT_{word}", Status.FAILED) for word in ("BLOCKED", "CARRIER_BLOCKED", "CARRIER_UNREACHABLE")),
        *((f"TEXT_{word}", Status.FAILED) for word in ("INVALID", "INVALID_MESSAGE", "PROTECT_BLOCKED")),
        *((f"TEXT_{word}", Status.FAILED) for word in ("SPAM", "TTL_EXPIRED", "UNREACHABLE")),
        *((f"TEXT_{word}", None) for word in ("QUEUED", "PENDING", "UNKNOWN", "NEW")),
        *(("MEDIA_DELIVERED", None), ("VOICE_COMPLETED", None), ("REGISTRATION", None)),
    ],
)
def test_each_event_has_the_right_status(kind: str, status: Status | None) -> None:
    delivery_report = report(eventType=kind)
    assert delivery_report.status is status
    assert delivery_report.reference == 7
    assert delivery_report.provider_message_id == "9539975a-e71f-45f3-b496-8d98dc098a77"
    assert delivery_report.timestamp == datetime(2024, 10, 16, 17, 21, 39, 998000, UTC)
    silent = status in (Status.SENT, Status.DELIVERED)
    assert delivery_report.code == (None if silent else kind)
    assert delivery_report.reason == (None if silent else "Message has been accepted by phone")


def test_a_failure_that_is_not_final_has_no_status() -> None:
    delivery_report = report(eventType="TEXT_CARRIER_UNREACHABLE", isFinal=False)
    assert (delivery_report.status, delivery_report.code) == (None, "TEXT_CARRIER_UNREACHABLE")


@pytest.mark.parametrize("context", [{}, {"account": "bar"}, {"reference": "x"}, {"reference": None}])
def test_a_report_without_our_id_has_the_vendors_id(context: dict[str, object]) -> None:
    assert report(context=context).reference is None


def test_reads_the_vendor_s_own_sample() -> None:
    delivery_report = parse(payload("successful"))
    assert (delivery_report.status, delivery_report.reference) == (Status.SENT, None)
    assert delivery_report.provider_message_id == "862a8790-60c0-4430-9b2b-658bdexample"


@pytest.mark.parametrize(
    "document",
    [
        *({}, {"a": 1}, {"inboundMessageId": "x"}),
        payload("inbound", originationNumber=" "),
        payload("inbound", inboundMessageId=""),
        payload("delivered", eventType=None),
    ],
)
def test_the_error_names_the_field_that_cannot_be_read(document: object) -> None:
    with pytest.raises(Invalid):
        parse(document)


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"messageId": None}, (None, 7, 998000)),
        ({"messageId": 7}, ("7", 7, 998000)),
        ({"messageId": "x" * 513}, (None, 7, 998000)),
        ({"eventTimestamp": "1729099299998"}, ("9539975a-e71f-45f3-b496-8d98dc098a77", 7, 998000)),
        ({"eventTimestamp": "soon"}, ("9539975a-e71f-45f3-b496-8d98dc098a77", 7, 0)),
        ({"eventTimestamp": 10**30}, ("9539975a-e71f-45f3-b496-8d98dc098a77", 7, 0)),
        ({"eventTimestamp": None}, ("9539975a-e71f-45f3-b496-8d98dc098a77", 7, 0)),
        ({"context": None}, ("9539975a-e71f-45f3-b496-8d98dc098a77", None, 998000)),
        ({"context": [], "isFinal": None}, ("9539975a-e71f-45f3-b496-8d98dc098a77", None, 998000)),
        ({"messageStatusDescription": 7, "more": {}}, ("9539975a-e71f-45f3-b496-8d98dc098a77", 7, 998000)),
    ],
    ids=str,
)
def test_a_report_is_read_as_far_as_possible(fields: dict[str, Any], expected: tuple[object, ...]) -> None:
    read = report(**fields)
    assert (read.provider_message_id, read.reference, read.timestamp.microsecond) == expected
    assert read.status is Status.DELIVERED


def test_notices_about_the_subscription_are_not_messages() -> None:
    gone = {"Type": "UnsubscribeConfirmation", "Token": "x", "SubscribeURL": "x"}
    assert AwsSms("x", {}).parse(webhook(signed(envelope("x", **gone)))) == []
