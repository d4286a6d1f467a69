"""How events that the Event Webhook posts are read."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import DeliveryReport, Status
from messaging.problems import Invalid, Unreadable
from messaging.providers.provider import Webhook
from messaging.providers.sendgrid import SendGrid, recipient_mark
from tests.layer.providers.sendgrid.test_contract import EVENT

PAYLOADS = Path(__file__).parent / "payloads"
RECEIVED = datetime(2024, 11, 1, 15, tzinfo=UTC)


def read(body: bytes) -> list[Any]:
    webhook = Webhook("https://example.com/hook", "", {"content-type": "application/json"}, body, RECEIVED)
    return list(SendGrid("sendgrid", {}).parse(webhook))


def report(**fields: object) -> Any:
    """The report that is read from an event with these fields. None removes a field."""
    event = {name: value for name, value in {**EVENT, **fields}.items() if value is not None}
    [part] = read(json.dumps([event]).encode())
    return part


def test_reads_every_type_of_event() -> None:
    reports = read((PAYLOADS / "events_every_type.json").read_bytes())
    assert [(report.status, report.code, report.reason) for report in reports] == [
        (Status.SENT, None, None),
        (None, "deferred", "451 4.7.1 Greylisted, try again later <<address>>"),
        (Status.DELIVERED, None, None),
        (Status.READ, None, None),
        (None, "machine_open", None),
        (None, "click", None),
        (Status.FAILED, "5.1.1", "550 5.1.1 The email account <address> does not exist. Smärt 🤷"),
        (Status.FAILED, "blocked", "550 5.7.1 blocked by policy"),
        (Status.FAILED, "dropped", "Bounced Address"),
        (None, "spamreport", None),
        (None, "unsubscribe", None),
        (None, "group_unsubscribe", None),
        (None, "group_resubscribe", None),
    ]
    assert {(report.provider_message_id, report.reference) for report in reports} == {
        ("14c5d75ce93dfd64b469AB", 7)
    }
    assert [report.timestamp.timestamp() - 1730469600 for report in reports] == list(range(13))


def test_readable_events_of_a_batch_are_read() -> None:
    first, bad, worse, last = read((PAYLOADS / "events_bad_among_good.json").read_bytes())
    assert [first.status, last.status] == [Status.SENT, Status.DELIVERED]
    assert isinstance(bad, Invalid)
    assert [error["field"] for error in bad.errors] == ["timestamp"]
    assert isinstance(worse, Invalid)


def test_the_published_sample_is_read() -> None:
    [dropped] = read((PAYLOADS / "events_vector.json").read_bytes())
    assert dropped == DeliveryReport(
        provider_message_id="LRzXl_NHStOGhQ4kofSm_A",
        reference=None,
        status=Status.FAILED,
        code="dropped",
        reason="Bounced Address",
        timestamp=datetime(2020, 9, 14, 19, 41, 32, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("id", "expected"),
    [
        (
            "LRzXl_NHStOGhQ4kofSm_A.filterdrecv-p3mdw1-756b745b58-kmzbl-18-5F5FC76C-9.0",
            "LRzXl_NHStOGhQ4kofSm_A",
        ),
        ("LRzXl_NHStOGhQ4kofSm_A.recvd-6d4bb8c9c4-7xw9n-1-6724D9A0-1A.0", "LRzXl_NHStOGhQ4kofSm_A"),
        ("LRzXl_NHStOGhQ4kofSm_A", "LRzXl_NHStOGhQ4kofSm_A"),
        (".filter0001", None),
        ("", None),
        ("\0", None),
        ("x" * 513, None),
        (None, None),
    ],
)
def test_an_event_has_the_id_of_the_send(id: str | None, expected: str | None) -> None:
    assert report(sg_message_id=id).provider_message_id == expected


@pytest.mark.parametrize(
    ("reference", "expected"),
    [("7", 7), (7, 7), ("9223372036854775807", 2**63 - 1), ("9223372036854775808", None), ("7a", None)]
    + [(other, None) for other in ("", " 7", "-7", "\u0667", [7], {"7": 7}, True, 1.5)],
)
def test_our_id_is_read_from_the_event(reference: object, expected: int | None) -> None:
    assert report(reference=reference).reference == expected


@pytest.mark.parametrize(
    ("timestamp", "expected"),
    [
        (1730469600, datetime(2024, 11, 1, 14, tzinfo=UTC)),
        ("1730469600", datetime(2024, 11, 1, 14, tzinfo=UTC)),
        (0, datetime(1970, 1, 1, tzinfo=UTC)),
        (253402300799, datetime(9999, 12, 31, 23, 59, 59, tzinfo=UTC)),
        (None, RECEIVED),
    ],
)
def test_the_timestamp_of_an_event_is_read(timestamp: object, expected: datetime) -> None:
    assert report(timestamp=timestamp).timestamp == expected


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event": None}, "event"),
        ({"event": ""}, "event"),
        ({"event": 7}, "event"),
        ({"event": "x" * 65}, "event"),
        ({"event": "\0"}, "event"),
        ({"timestamp": -1}, "timestamp"),
        ({"timestamp": 253402300800}, "timestamp"),
        ({"timestamp": "2024-11-01T14:00:00Z"}, "timestamp"),
        ({"timestamp": 1.5}, "timestamp"),
        ({"sg_message_id": 7}, "sg_message_id"),
        ({"sg_message_id": None, "reference": None}, "sg_message_id"),
        ({"sg_machine_open": "perhaps"}, "sg_machine_open"),
        ({"email": []}, "email"),
    ],
)
def test_the_error_names_the_invalid_field_of_an_event(fields: dict[str, object], field: str) -> None:
    invalid = report(**fields)
    assert isinstance(invalid, Invalid)
    assert [error["field"] for error in invalid.errors] == [field]


@pytest.mark.parametrize("body", [b"", b"{}", b"null", b'"[]"', b"7", b"\xff", b"[", b"[[" * 500])
def test_a_body_that_is_not_a_batch_is_refused(body: bytes) -> None:
    with pytest.raises((Unreadable, Invalid)):
        read(body)


def test_an_empty_batch_has_no_parts() -> None:
    assert read(b"[]") == []


@pytest.mark.parametrize("instance", ["sendgrid-eu", "", 7])
def test_events_about_messages_of_another_instance_are_ignored(instance: object) -> None:
    """Deployments that share an account receive each other's events."""
    assert read(json.dumps([{**EVENT, "instance": instance}]).encode()) == []


# --- Copies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("event", ["processed", "delivered", "bounce", "dropped", "open"])
def test_an_event_of_a_cc_copy_has_no_status(event: str) -> None:
    copy = report(event=event, email="copy@example.org", recipient=recipient_mark(7, "contact@example.org"))
    assert (copy.status, copy.code, copy.reference) == (None, f"copy_{event}", 7)


@pytest.mark.parametrize("email", ["contact@example.org", "Contact@Example.ORG", " contact@example.org"])
def test_an_event_of_the_main_recipient_has_a_status_if_there_are_copies(email: str) -> None:
    main = report(event="bounce", email=email, recipient=recipient_mark(7, "contact@example.org"))
    assert main.status is Status.FAILED


def test_addresses_are_compared_in_their_normal_form() -> None:
    main = report(email="contact@xn--exmple-cua.org", recipient=recipient_mark(7, "contact@exämple.org"))
    assert main.status is Status.DELIVERED


def test_without_copies_every_event_is_about_the_message() -> None:
    assert report(email="forwarded@example.net").status is Status.DELIVERED


@pytest.mark.parametrize("event", ["delivered", "bounce"])
def test_marks_of_different_messages_differ(event: str) -> None:
    assert report(event=event, recipient=recipient_mark(8, "contact@example.org")).status is None
