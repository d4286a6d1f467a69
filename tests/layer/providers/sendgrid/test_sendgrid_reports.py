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
    first, odd, bad, last = read((PAYLOADS / "events_bad_among_good.json").read_bytes())
    assert [first.status, last.status] == [Status.SENT, Status.DELIVERED]
    assert odd.timestamp == RECEIVED
    assert isinstance(bad, Invalid)


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
        (1730469600.25, datetime(2024, 11, 1, 14, 0, 0, 250000, UTC)),
        ("1730469600.25", datetime(2024, 11, 1, 14, 0, 0, 250000, UTC)),
        ("2024-11-01T14:00:00Z", datetime(2024, 11, 1, 14, tzinfo=UTC)),
    ],
)
def test_the_timestamp_of_an_event_is_read(timestamp: object, expected: datetime) -> None:
    assert report(timestamp=timestamp).timestamp == expected


@pytest.mark.parametrize("event", [{"event": None}, {"event": ""}, {"event": 7}, {"event": "\0"}])
def test_what_is_not_an_event_is_invalid(event: dict[str, object]) -> None:
    invalid = report(**event)
    assert isinstance(invalid, Invalid)
    assert [error["field"] for error in invalid.errors] == ["event"]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"sg_message_id": "", "reference": None}, (None, None, Status.FAILED)),
        ({"sg_message_id": None, "reference": None}, (None, None, Status.FAILED)),
        ({"sg_message_id": None}, (None, 7, Status.FAILED)),
        ({"sg_message_id": 7}, ("7", 7, Status.FAILED)),
        ({"sg_message_id": []}, (None, 7, Status.FAILED)),
        ({"sg_message_id": "x" * 513}, (None, 7, Status.FAILED)),
        ({"reference": None, "event": "spamreport"}, ("message-9", None, None)),
        ({"reference": None, "event": "group_unsubscribe", "asm_group_id": 7}, ("message-9", None, None)),
        ({"sg_message_id": "", "reference": "", "event": "unsubscribe"}, (None, None, None)),
        ({"event": "unheard-of " + "x" * 90}, ("message-9", 7, None)),
        ({"email": [], "status": 5, "type": {}, "reason": None}, ("message-9", 7, Status.FAILED)),
        ({"more": {"deep": [None]}, "email": "x" * 5000}, ("message-9", 7, Status.FAILED)),
        ({"event": "open", "sg_machine_open": "perhaps"}, ("message-9", 7, Status.READ)),
        ({"event": "open", "sg_machine_open": "true"}, ("message-9", 7, None)),
        ({"event": "open", "sg_machine_open": 1}, ("message-9", 7, None)),
    ],
    ids=str,
)
def test_an_event_is_read_as_far_as_possible(fields: dict[str, object], expected: tuple[object, ...]) -> None:
    """Nobody can correct it. One that names no message of ours, such as a late bounce, has no effect."""
    read_report = report(**{"event": "bounce", **fields})
    assert (read_report.provider_message_id, read_report.reference, read_report.status) == expected


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


@pytest.mark.parametrize("text", ["", "soon", "-1", "nan", "inf", "9" * 400, "2024-99-01T14:00:00Z"])
@pytest.mark.parametrize("other", [None, -1, 253402300800, 10**400, True, [], {}])
def test_an_event_without_a_timestamp_has_that_of_its_arrival(text: str, other: object) -> None:
    assert report(timestamp=text).timestamp == report(timestamp=other).timestamp == RECEIVED


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
