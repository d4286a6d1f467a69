"""Mailgun's events about a sent mail, as in its documentation."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import DeliveryReport, Status
from messaging.problems import Invalid, Unreadable
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import Webhook

PAYLOADS = Path(__file__).parent / "payloads"
ID = "event-data.message.headers.message-id"
SENT = "20260203192638.000be97f99f8cea1@sample.mailgun.com"
EVENT_AT = datetime.fromtimestamp(1770146798.4165, UTC)
RECEIVED_AT = datetime(2026, 3, 1, tzinfo=UTC)


def read(body: bytes) -> DeliveryReport:
    headers = {"content-type": "application/json; charset=utf-8"}
    webhook = Webhook("https://api.example.com/", "", headers, body, RECEIVED_AT)
    [report] = Mailgun("mailgun", {}).parse(webhook)
    assert isinstance(report, DeliveryReport)
    return report


def changed(name: str, **fields: object) -> bytes:
    """The payload with other fields in its event; None takes one out."""
    event = json.loads((PAYLOADS / f"{name}.json").read_bytes())["event-data"]
    event |= {name.replace("_", "-"): value for name, value in fields.items()}
    return json.dumps(
        {"event-data": {name: value for name, value in event.items() if value is not None}}
    ).encode()


@pytest.mark.parametrize(
    ("name", "status", "code", "reason"),
    [
        ("accepted", Status.SENT, None, None),
        ("delivered", Status.DELIVERED, None, None),
        ("delivered_with_copies", Status.DELIVERED, None, None),
        ("opened", Status.READ, None, None),
        (
            "failed_permanent",
            Status.FAILED,
            "550",
            "5.1.1 The email account that you tried to reach does not exist.",
        ),
        ("failed_suppressed", Status.FAILED, "606", "suppress-unsubscribe"),
        ("rejected", Status.FAILED, "rejected", "Sandbox subdomains are for test purposes only."),
        ("failed_temporary", None, "450", "4.2.0 Recipient address rejected: Greylisted"),
        ("clicked", None, "clicked", None),
        ("unsubscribed", None, "unsubscribed", None),
        ("complained", None, "complained", None),
        ("copy_delivered", None, "copy_delivered", "OK"),
        ("copy_failed", None, "copy_failed", "5.1.1 No such user <address>"),
    ],
)
def test_each_event_of_a_mail_is_read(
    name: str, status: Status | None, code: str | None, reason: str | None
) -> None:
    assert read((PAYLOADS / f"{name}.json").read_bytes()) == DeliveryReport(
        provider_message_id=SENT, reference=7, status=status, code=code, reason=reason, timestamp=EVENT_AT
    )


@pytest.mark.parametrize(
    ("recipient", "main", "status"),
    [
        ("Contact@Example.org", "contact@example.org", Status.DELIVERED),
        ("contact@xn--exmple-cua.org", "contact@exämple.org", Status.DELIVERED),
        ("copy@example.org", "contact@example.org", None),
        ("nobody", "contact@example.org", None),
        ("nobody", "NOBODY", Status.DELIVERED),
        ("contact@example.org", None, Status.DELIVERED),
        (None, "contact@example.org", Status.DELIVERED),
    ],
)
def test_events_of_cc_copies_do_not_change_the_status(
    recipient: str | None, main: str | None, status: Status | None
) -> None:
    variables = {"reference": "7", **({"recipient": main} if main else {})}
    assert read(changed("delivered", recipient=recipient, user_variables=variables)).status is status


@pytest.mark.parametrize(
    ("variables", "reference"),
    [
        ({"reference": "8"}, 8),
        ({"reference": 8}, 8),
        ({"reference": "8 "}, None),
        ({"reference": str(2**63)}, None),
        ({"reference": None}, None),
        ({}, None),
        ([], None),
        (None, None),
    ],
)
def test_our_id_is_read_from_the_variables(variables: object, reference: int | None) -> None:
    assert read(changed("delivered", user_variables=variables)).reference == reference


@pytest.mark.parametrize("id", [f"<{SENT}>", SENT])
def test_the_id_has_no_angle_brackets(id: str) -> None:
    assert read(changed("delivered", message={"headers": {"message-id": id}})).provider_message_id == SENT


@pytest.mark.parametrize("timestamp", [None, "yesterday", -1, 10**12, 10**400, []])
def test_a_part_without_a_timestamp_has_the_time_of_its_arrival(timestamp: object) -> None:
    assert read(changed("delivered", timestamp=timestamp)).timestamp == RECEIVED_AT


@pytest.mark.parametrize(
    ("fields", "code"),
    [({"delivery_status": None}, "bounce"), ({"delivery_status": None, "reason": None}, "failed")],
)
def test_the_code_of_a_failure_without_an_smtp_code_is_mailguns_reason(
    fields: dict[str, Any], code: str
) -> None:
    report = read(changed("failed_permanent", **fields))
    assert (report.status, report.code) == (Status.FAILED, code)


def test_a_failure_without_a_severity_is_final() -> None:
    assert read(changed("failed_permanent", severity=None)).status is Status.FAILED


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        *(({"event": event}, "event-data.event") for event in (None, "", 7)),
        ({"message": None, "user_variables": None}, ID),
        ({"message": {"headers": []}, "user_variables": {"reference": "x"}}, ID),
    ],
)
def test_an_event_that_is_not_about_a_mail_is_invalid(fields: dict[str, Any], named: str) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("delivered", **fields))
    assert [error["field"] for error in raised.value.errors] == [named]


def test_an_event_about_a_received_mail_is_ignored() -> None:
    headers = {"content-type": "application/json"}
    body = changed("failed_permanent", flags={"is-routed": True})
    assert Mailgun("mailgun", {}).parse(Webhook("https://api.example.com/", "", headers, body)) == []
    assert read(changed("failed_permanent", flags={"is-routed": False})).status is Status.FAILED


@pytest.mark.parametrize("body", [b"{}", b'{"event-data": []}', b'{"event-data": null}'])
def test_a_request_without_an_event_is_invalid(body: bytes) -> None:
    with pytest.raises(Invalid):
        read(body)


@pytest.mark.parametrize("body", [b"", b"[]", b"null", b"\xff", b"{"])
def test_a_body_that_is_not_a_json_object_is_refused(body: bytes) -> None:
    with pytest.raises((Unreadable, Invalid)):
        read(body)
