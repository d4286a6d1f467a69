"""Mailgun's events about a sent mail, as in its documentation."""

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest

from messaging.models import DeliveryReport, InboundMessage, Status
from messaging.problems import Invalid, Unreadable
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import Webhook
from tests.layer.providers.mailgun import signatures

PAYLOADS = Path(__file__).parent / "payloads"
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


@pytest.mark.parametrize(
    ("message", "variables", "expected"),
    [
        (None, None, (None, None)),
        ({"headers": []}, {"reference": "x"}, (None, None)),
        ({"headers": {"message-id": None}}, {"reference": "7"}, (None, 7)),
        ({"headers": {"message-id": "<>"}}, [], (None, None)),
        ({"headers": {"message-id": 7}}, None, ("7", None)),
        ({"headers": {"message-id": "x" * 513}}, {"reference": 7}, (None, 7)),
    ],
    ids=str,
)
def test_an_event_that_names_no_message_is_a_report(
    message: object, variables: object, expected: tuple[object, ...]
) -> None:
    """Nobody can correct it. It has no effect."""
    read_report = read(changed("delivered", message=message, user_variables=variables))
    assert (read_report.provider_message_id, read_report.reference) == expected


@pytest.mark.parametrize(
    ("client_info", "status"),
    [
        ({"bot": "apple"}, None),
        ({"bot": "gmail", "client-type": "email client"}, None),
        ({"bot": "generic"}, None),
        ({"bot": "unheard-of"}, None),
        ({"bot": True}, None),
        ({"client-type": "robot"}, None),
        ({"bot": ""}, Status.READ),
        ({"bot": None, "client-type": "browser"}, Status.READ),
        ({}, Status.READ),
        ([], Status.READ),
        (None, Status.READ),
    ],
    ids=str,
)
def test_a_mail_that_a_machine_opened_is_not_read(client_info: object, status: Status | None) -> None:
    opened = read(changed("opened", client_info=client_info))
    assert (opened.status, opened.code) == (status, None if status else "machine_open")
    assert read(changed("delivered", client_info=client_info)).status is Status.DELIVERED


@pytest.mark.parametrize("timestamp", [1770146798.4165, "1770146798.4165", "2026-02-03T19:26:38.4165Z"])
def test_the_timestamp_may_be_text(timestamp: object) -> None:
    assert read(changed("delivered", timestamp=timestamp)).timestamp == EVENT_AT


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


@pytest.mark.parametrize("event", [None, "", 7, []])
def test_what_is_not_an_event_is_invalid(event: object) -> None:
    with pytest.raises(Invalid) as raised:
        read(changed("delivered", event=event))
    assert [error["field"] for error in raised.value.errors] == ["event-data.event"]


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


# --- Legacy webhooks ---------------------------------------------------------------------------------

LEGACY = {
    "event": "delivered",
    "domain": "example.com",
    "recipient": "contact@example.org",
    "Message-Id": f"<{SENT}>",
    "message-headers": json.dumps([["Message-Id", f"<{SENT}>"], ["From", "user@example.com"]]),
    "timestamp": "1770146798",
    "reference": "7",
    "X-Mailgun-Sid": "WyIx",
    "token": "a" * 50,
    "signature": "b" * 64,
}
FORMS = pytest.mark.parametrize("kind", ["urlencoded", "multipart"])


def legacy(kind: str = "urlencoded", **fields: str | None) -> list[object]:
    form = LEGACY | {name.replace("_", "-"): value for name, value in fields.items()}
    texts = {name: value for name, value in form.items() if value is not None}
    if kind == "urlencoded":
        body = urlencode(texts).encode()
    else:  # a bounce has the bounced mail as a file
        body = signatures.multipart(texts, {"attachment-1": ("message.mime", "message/rfc822", b"\xff")})
    headers = {"content-type": signatures.MULTIPART if kind == "multipart" else signatures.URLENCODED}
    webhook = Webhook("https://api.example.com/", "", headers, body, RECEIVED_AT)
    return list(Mailgun("mailgun", {}).parse(webhook))


@pytest.mark.parametrize(
    ("fields", "status", "code", "reason"),
    [
        ({"event": "delivered"}, Status.DELIVERED, None, None),
        ({"event": "opened", "client_type": "browser"}, Status.READ, None, None),
        ({"event": "opened", "client_type": "robot"}, None, "machine_open", None),
        ({"event": "opened", "bot": "apple"}, None, "machine_open", None),
        ({"event": "clicked", "url": "https://example.com"}, None, "clicked", None),
        ({"event": "complained"}, None, "complained", None),
        ({"event": "unsubscribed", "tag": "*"}, None, "unsubscribed", None),
        (
            {"event": "bounced", "code": "550", "error": "5.1.1 no user a@b.example", "notification": ""},
            Status.FAILED,
            "550",
            "5.1.1 no user <address>",
        ),
        (
            {"event": "dropped", "reason": "hardfail", "code": "605", "description": "Not delivering"},
            Status.FAILED,
            "605",
            "Not delivering",
        ),
        ({"event": "dropped", "reason": "old"}, Status.FAILED, "old", "old"),
        ({"event": "bounced"}, Status.FAILED, "bounced", None),
        ({"event": "failed", "severity": "permanent"}, Status.FAILED, "failed", None),
        ({"event": "stored"}, None, "stored", None),
        ({"event": "unheard-of"}, None, "unheard-of", None),
    ],
    ids=str,
)
@FORMS
def test_an_event_of_a_legacy_webhook_is_a_report(
    kind: str, fields: dict[str, str], status: Status | None, code: str | None, reason: str | None
) -> None:
    assert legacy(kind, **fields) == [
        DeliveryReport(
            provider_message_id=SENT,
            reference=7,
            status=status,
            code=code,
            reason=reason,
            timestamp=datetime.fromtimestamp(1770146798, UTC),
        )
    ]


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"Message_Id": None, "message_id": SENT}, (SENT, 7)),
        ({"Message_Id": None}, (None, 7)),
        ({"reference": None}, (SENT, None)),
        ({"reference": "x", "Message_Id": ""}, (None, None)),
        ({"message_headers": json.dumps([["X-Mailgun-Variables", '{"reference": "8"}']])}, (SENT, 8)),
        ({"message_headers": "[["}, (SENT, 7)),
        ({"timestamp": "soon", "domain": None, "token": None}, (SENT, 7)),
    ],
    ids=str,
)
@FORMS
def test_a_legacy_event_names_its_message(
    kind: str, fields: dict[str, str | None], expected: tuple[object, ...]
) -> None:
    [report] = legacy(kind, **fields)
    assert isinstance(report, DeliveryReport)
    assert (report.provider_message_id, report.reference) == expected


def test_a_legacy_event_of_a_cc_copy_has_no_status() -> None:
    variables = json.dumps({"reference": "7", "recipient": "other@example.org"})
    [report] = legacy(message_headers=json.dumps([["X-Mailgun-Variables", variables]]))
    assert isinstance(report, DeliveryReport)
    assert (report.status, report.code) == (None, "copy_delivered")


@pytest.mark.parametrize(
    "mail", [{"body_plain": "Hi"}, {"body_plain": "", "from": "a@example.org"}, {"sender": "a@example.org"}]
)
@FORMS
def test_a_mail_with_a_header_named_event_is_not_a_report(kind: str, mail: dict[str, str]) -> None:
    """Mailgun posts each header of a mail as a field, and its sender chooses the headers."""
    fields = {"from": "a@example.org", "recipient": "user@example.com", **mail}
    [message] = legacy(kind, **fields)
    assert isinstance(message, InboundMessage)
