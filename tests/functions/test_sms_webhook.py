"""functions/sms_webhook: from its event to what is kept and answered."""

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import INBOUND_SMS, NEW_SMS, SMS, answer, call, deliver, invoke, message, signed
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

ROUTE = "/api/webhooks/sms"


@pytest.fixture
def unsigned(providers: ProviderSimulator, configure: Configure) -> None:
    """As the local runner has it."""
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")


@pytest.mark.usefixtures("unsigned")
def test_keeps_its_event_s_message_once(database: Database) -> None:
    first = answer(invoke("sms_webhook", event("sms_webhook")))
    again = answer(invoke("sms_webhook", event("sms_webhook")))
    assert (first.status, again.status) == (200, 200)
    assert first.body == again.body
    kept = first.json
    assert (kept["id"], kept["direction"], kept["status"]) == (1, "inbound", "received")
    assert (kept["from"], kept["to"], kept["body"]) == ("+18045551234", "+12016661234", "text message")
    assert database.value("SELECT count(*) FROM messages") == 1


@pytest.mark.usefixtures("unsigned")
def test_an_mms_keeps_its_attachments(database: Database) -> None:
    picture = ["https://example.com/received-image.jpg"]
    kept = call("POST", ROUTE, {**INBOUND_SMS, "type": "mms", "attachments": picture}).json
    assert (kept["type"], kept["attachments"]) == ("mms", picture)


@pytest.mark.usefixtures("unsigned", "database")
def test_the_named_route_of_a_provider_is_the_same_provider() -> None:
    first = call("POST", ROUTE, INBOUND_SMS)
    assert call("POST", f"{ROUTE}/sms", INBOUND_SMS).body == first.body


def test_lets_in_only_what_is_signed(database: Database, providers: ProviderSimulator) -> None:
    assert call("POST", ROUTE, INBOUND_SMS).status == 403
    assert call("POST", ROUTE, INBOUND_SMS, signed({**INBOUND_SMS, "body": "x"})).status == 403
    assert database.value("SELECT count(*) FROM messages") == 0
    assert call("POST", ROUTE, INBOUND_SMS, signed(INBOUND_SMS)).status == 200


def test_a_signed_report_moves_the_message_that_was_sent(
    database: Database, providers: ProviderSimulator
) -> None:
    call("POST", SMS, NEW_SMS)
    deliver(1)
    for status in ("sent", "delivered"):
        report = {"messaging_provider_id": providers.requests[0].id, "reference": "1", "status": status}
        assert call("POST", ROUTE, report, signed(report)).json["status"] == status
    assert [one["kind"] for one in message(1)["events"]] == ["attempt", "report", "report"]
