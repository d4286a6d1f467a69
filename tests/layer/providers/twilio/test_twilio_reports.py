"""How Twilio's status callbacks are read."""

import time

import pytest

from messaging.models import Status
from messaging.providers.twilio import Twilio
from tests.layer.providers.twilio.webhooks import RECEIVED_AT, changed, payload, report

SENT = "SM20" + "5a" * 15
WORDS = {
    "accepted": Status.SENT,
    "scheduled": Status.SENT,
    "queued": Status.SENT,
    "sending": Status.SENT,
    "sent": Status.SENT,
    "delivered": Status.DELIVERED,
    "read": Status.READ,
    "failed": Status.FAILED,
    "undelivered": Status.FAILED,
    "canceled": Status.FAILED,
    "partially_delivered": None,
    "receiving": None,
    "received": None,
    "Delivered": None,
}


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("sent", (Status.SENT, None, None)),
        ("delivered", (Status.DELIVERED, None, None)),
        ("undelivered", (Status.FAILED, "30003", None)),
        ("failed", (Status.FAILED, "21610", "Attempt to send to unsubscribed recipient")),
        ("canceled", (Status.FAILED, "canceled", None)),
        ("whatsapp_read", (Status.READ, None, None)),
        ("rcs_read", (Status.READ, None, None)),
        ("whatsapp_failed", (Status.FAILED, "63024", None)),
    ],
)
def test_reads_a_report(name: str, expected: tuple[object, ...]) -> None:
    delivery_report = report(payload(name), "reference=7")
    assert (delivery_report.status, delivery_report.code, delivery_report.reason) == expected
    assert (delivery_report.provider_message_id, delivery_report.reference) == (SENT, 7)


@pytest.mark.parametrize(("word", "status"), WORDS.items())
def test_reads_each_status(word: str, status: Status | None) -> None:
    delivery_report = report(changed("sent", MessageStatus=word))
    assert delivery_report.status is status
    assert delivery_report.code == (word if status in (None, Status.FAILED) else None)


def test_a_report_has_the_time_of_its_arrival() -> None:
    """The carrier's time has no time zone, so it may be hours too early or too late."""
    assert report(payload("delivered")).timestamp == RECEIVED_AT


@pytest.mark.parametrize(
    ("query", "reference"),
    [
        ("reference=7", 7),
        ("reference=9223372036854775807", 2**63 - 1),
        ("reference=9223372036854775808", None),
        ("reference=" + "9" * 400, None),
        ("reference=-7", None),
        ("reference=\u0667", None),
        ("reference=", None),
        ("other=7", None),
        ("", None),
    ],
)
def test_our_id_is_read_from_the_query_of_a_report(query: str, reference: int | None) -> None:
    delivery_report = report(payload("sent"), query)
    assert (delivery_report.reference, delivery_report.provider_message_id) == (reference, SENT)


def test_the_reason_of_a_report_is_bounded_and_holds_no_phone_number() -> None:
    text = "Sent to +1 (804) 555-1234 from +12016661234, see https://example.com/a?b=c . " + "x" * 5000
    reason = report(changed("failed", ErrorMessage=text)).reason
    assert reason is not None
    assert reason.startswith("Sent to … from …, see … . xxx")
    assert len(reason) == 1000


@pytest.mark.parametrize("text", ["x", "1", "1 ", "https://", "h", "+"])
def test_a_long_reason_is_redacted_quickly(text: str) -> None:
    began = time.monotonic()
    report(changed("failed", ErrorMessage=text * 100_000))
    assert time.monotonic() - began < 1


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"MessageSid": None}, (SENT, Status.FAILED, "21610")),  # it also has an SmsSid
        ({"MessageSid": None, "SmsSid": None}, (None, Status.FAILED, "21610")),
        ({"MessageSid": "x" * 513}, (None, Status.FAILED, "21610")),
        ({"MessageStatus": "", "ErrorCode": None}, (SENT, None, None)),
        ({"MessageStatus": "x" * 65, "ErrorCode": None}, (SENT, None, "x" * 64)),
        (
            {"MessageStatus": None, "SmsStatus": "delivered", "ErrorCode": None},
            (SENT, Status.DELIVERED, None),
        ),
        ({"MessageStatus": None, "SmsStatus": "failed"}, (SENT, Status.FAILED, "21610")),
        ({"ErrorCode": "x" * 65}, (SENT, Status.FAILED, "x" * 64)),
        ({"ErrorCode": "", "ErrorMessage": None}, (SENT, Status.FAILED, "failed")),
        ({"AccountSid": None, "More": "x", "": ""}, (SENT, Status.FAILED, "21610")),
    ],
)
def test_a_report_is_read_as_far_as_possible(
    fields: dict[str, str | None], expected: tuple[object, ...]
) -> None:
    """Nobody can correct a report. One that names no message of ours has no effect."""
    delivery_report = report(changed("failed", **fields))
    assert (delivery_report.provider_message_id, delivery_report.status, delivery_report.code) == expected


def test_the_response_is_an_empty_twiml_document() -> None:
    assert Twilio("twilio", {}).respond([None]) == ("<Response/>", "text/xml", 200)
