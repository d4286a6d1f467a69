"""How each of SES's events is read, for each recipient of a mail."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from messaging.models import DeliveryReport, Status
from messaging.problems import Invalid
from messaging.providers.ses import Ses
from tests.support.providers.sns import envelope, signed, webhook

PAYLOADS = Path(__file__).parent / "payloads"
ID = "010001937c1d3a2b-0a1b2c3d-4e5f-6789-abcd-ef0123456789-000000"
TO, COPY = "contact@example.org", "copy@example.net"


def payload(name: str) -> dict[str, Any]:
    event: dict[str, Any] = json.loads((PAYLOADS / f"{name}.json").read_text())
    return event


def report(event: object) -> DeliveryReport:
    [read] = Ses("x", {}).parse(webhook(signed(envelope(event))))
    assert isinstance(read, DeliveryReport)
    return read


def with_copy(name: str, *recipients: str, header: str | None = TO) -> dict[str, Any]:
    """The event about these recipients, of a mail with a copy."""
    event = payload(name)
    event["mail"]["destination"] = [COPY, TO]
    event["mail"]["commonHeaders"] = {"to": [header], "cc": [COPY]} if header else {}
    for detail in (event.get("bounce", {}), event.get("complaint", {}), event.get("deliveryDelay", {})):
        for field in ("bouncedRecipients", "complainedRecipients", "delayedRecipients"):
            if field in detail:
                detail[field] = [{**detail[field][0], "emailAddress": recipient} for recipient in recipients]
    if "delivery" in event:
        event["delivery"]["recipients"] = list(recipients)
    return event


@pytest.mark.parametrize(
    ("name", "status", "code", "reason"),
    [
        ("send", Status.SENT, None, None),
        ("delivery", Status.DELIVERED, None, None),
        ("bounce", Status.FAILED, "Bounce.Permanent.General", "smtp; 550 5.1.1 user unknown"),
        ("bounce_transient", Status.FAILED, "Bounce.Transient.MailboxFull", "smtp; 452 4.2.2 over quota"),
        ("bounce_absence", None, "Bounce.Transient.General", None),
        ("complaint", None, "Complaint.abuse", None),
        ("reject", Status.FAILED, "Reject", "Bad content"),
        (
            *("rendering_failure", Status.FAILED, "Rendering Failure"),
            "Attribute 'attributeName' is not present in the rendering data.",
        ),
        (
            *("delivery_delay", None, "DeliveryDelay.TransientCommunicationFailure"),
            "smtp; 421 4.4.1 Unable to connect to remote host",
        ),
        ("open", Status.READ, None, None),
        ("click", None, "Click", None),
        ("subscription", None, "Subscription", None),
    ],
)
def test_each_event_has_the_right_status(
    name: str, status: Status | None, code: str | None, reason: str | None
) -> None:
    delivery_report = report(payload(name))
    assert (delivery_report.status, delivery_report.code, delivery_report.reason) == (status, code, reason)
    assert (delivery_report.provider_message_id, delivery_report.reference) == (ID, 7)


@pytest.mark.parametrize(("name", "status"), [("delivery", Status.DELIVERED), ("bounce", Status.FAILED)])
def test_the_feedback_of_an_identity_is_read_without_our_id(name: str, status: Status) -> None:
    delivery_report = report(payload(f"feedback_{name}"))
    assert (delivery_report.status, delivery_report.provider_message_id, delivery_report.reference) == (
        status,
        ID,
        None,
    )


def test_an_event_has_its_own_timestamp_or_that_of_the_mail() -> None:
    assert report(payload("delivery")).timestamp == datetime(2024, 11, 1, 14, 0, 2, 211000, UTC)
    assert report(payload("send")).timestamp == datetime(2024, 11, 1, 14, tzinfo=UTC)


# --- Copies ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", ["bounce", "bounce_transient", "delivery", "delivery_delay", "complaint"])
def test_an_event_of_a_cc_copy_has_no_status(name: str) -> None:
    delivery_report = report(with_copy(name, COPY))
    assert delivery_report.status is None
    assert (delivery_report.code or "").startswith("copy_")


@pytest.mark.parametrize("recipients", [(TO,), (COPY, TO), ("Contact <CONTACT@Example.org>",)])
@pytest.mark.parametrize(("name", "status"), [("bounce", Status.FAILED), ("delivery", Status.DELIVERED)])
def test_an_event_of_the_main_recipient_has_a_status(
    name: str, status: Status, recipients: tuple[str, ...]
) -> None:
    assert report(with_copy(name, *recipients)).status is status
    assert report(with_copy(name, *recipients, header=f"Contact <{TO}>")).status is status


@pytest.mark.parametrize("name", ["bounce", "delivery"])
def test_an_event_has_no_status_if_the_main_recipient_is_unknown(name: str) -> None:
    assert report(with_copy(name, TO, header=None)).status is None


def test_an_open_event_of_a_mail_with_copies_has_no_status() -> None:
    assert report(with_copy("open")).status is None


# --- Odd events --------------------------------------------------------------------------------------


@pytest.mark.parametrize("changed", [{"eventType": None}, {"eventType": 7}, {"eventType": "x" * 101}])
def test_what_is_not_an_event_is_invalid(changed: dict[str, object]) -> None:
    with pytest.raises(Invalid):
        report({**payload("bounce"), **changed})


MAIL = payload("bounce")["mail"]
BOUNCE = payload("bounce")["bounce"]


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        ({"mail": None}, (None, None, None)),
        ({"mail": {"messageId": "x"}}, ("x", None, None)),
        ({"mail": {**MAIL, "messageId": 7}}, ("7", 7, Status.FAILED)),
        ({"mail": {**MAIL, "messageId": None}}, (None, 7, Status.FAILED)),
        ({"mail": {**MAIL, "messageId": "\0"}}, (None, 7, Status.FAILED)),
        ({"mail": {**MAIL, "tags": None}}, (ID, None, Status.FAILED)),
        ({"mail": {**MAIL, "tags": {"reference": "7"}}}, (ID, 7, Status.FAILED)),
        ({"mail": {**MAIL, "tags": {"reference": [7], "more": None}}}, (ID, 7, Status.FAILED)),
        ({"mail": {**MAIL, "timestamp": None, "commonHeaders": None}}, (ID, 7, Status.FAILED)),
        ({"bounce": None}, (ID, 7, None)),
        ({"bounce": "x"}, (ID, 7, None)),
        ({"bounce": {**BOUNCE, "bouncedRecipients": None}}, (ID, 7, Status.FAILED)),
        ({"bounce": {**BOUNCE, "bouncedRecipients": [{}]}}, (ID, 7, Status.FAILED)),
        ({"bounce": {**BOUNCE, "bouncedRecipients": ["x" * 1001]}}, (ID, 7, Status.FAILED)),
        ({"bounce": {**BOUNCE, "bounceSubType": None, "timestamp": 7}}, (ID, 7, Status.FAILED)),
        ({"more": [None], "configurationSet": {}}, (ID, 7, Status.FAILED)),
    ],
    ids=str,
)
def test_an_event_is_read_as_far_as_possible(
    changed: dict[str, object], expected: tuple[object, ...]
) -> None:
    """Nobody can correct it. Mails of other senders have the same topic."""
    read = report({**payload("bounce"), **changed})
    assert (read.provider_message_id, read.reference, read.status) == expected


@pytest.mark.parametrize("tags", [{}, {"reference": []}, {"reference": ["x"]}, {"reference": ["7", "8x"]}])
def test_a_tag_that_is_not_our_id_is_ignored(tags: dict[str, list[str]]) -> None:
    event = payload("delivery")
    event["mail"]["tags"] = tags
    assert report(event).reference is None
