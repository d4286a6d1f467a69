"""functions/sms_webhook: its event becomes a stored message, and the response."""

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import INBOUND_SMS, NEW_SMS, SMS, answer, call, deliver, invoke, message, signed
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

ROUTE = "/api/webhooks/sms"


@pytest.fixture
def allow_unsigned(providers: ProviderSimulator, configure: Configure) -> None:
    """The local service also accepts unsigned requests."""
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")


@pytest.mark.usefixtures("allow_unsigned")
def test_the_message_of_the_sample_event_is_stored_once(database: Database) -> None:
    first = answer(invoke("sms_webhook", event("sms_webhook")))
    again = answer(invoke("sms_webhook", event("sms_webhook")))
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    message_fields = first.json
    assert (message_fields["id"], message_fields["direction"], message_fields["status"]) == (
        1,
        "inbound",
        "received",
    )
    assert (message_fields["from"], message_fields["to"], message_fields["body"]) == (
        "+18045551234",
        "+12016661234",
        "text message",
    )
    assert database.value("SELECT count(*) FROM messages") == 1


@pytest.mark.usefixtures("allow_unsigned")
def test_an_mms_has_its_attachments(database: Database) -> None:
    picture = ["https://example.com/received-image.jpg"]
    message_fields = call("POST", ROUTE, {**INBOUND_SMS, "type": "mms", "attachments": picture}).json
    assert (message_fields["type"], message_fields["attachments"]) == ("mms", picture)


@pytest.mark.usefixtures("allow_unsigned", "database")
def test_the_default_route_is_the_route_of_the_built_in_provider() -> None:
    first = call("POST", ROUTE, INBOUND_SMS)
    assert call("POST", f"{ROUTE}/sms", INBOUND_SMS).body == first.body


def test_only_a_signed_request_is_accepted(database: Database, providers: ProviderSimulator) -> None:
    assert call("POST", ROUTE, INBOUND_SMS).status == 403
    assert call("POST", ROUTE, INBOUND_SMS, signed({**INBOUND_SMS, "body": "x"})).status == 403
    assert database.value("SELECT count(*) FROM messages") == 0
    assert call("POST", ROUTE, INBOUND_SMS, signed(INBOUND_SMS)).status == 200


def test_a_signed_report_changes_the_status_of_its_message(
    database: Database, providers: ProviderSimulator
) -> None:
    call("POST", SMS, NEW_SMS)
    deliver(1)
    for status in ("sent", "delivered"):
        report = {"messaging_provider_id": providers.requests[0].id, "reference": "1", "status": status}
        assert call("POST", ROUTE, report, signed(report)).json["status"] == status
    assert [event_fields["kind"] for event_fields in message(1)["events"]] == ["attempt", "report", "report"]
