"""Receiving: a message is stored once, reports move it only forward, a rejected request changes nothing."""

import json
from collections.abc import Mapping
from typing import Any

import pytest

from local.simulators.provider import ProviderSimulator
from messaging.inbound import receive as inbound_receive
from messaging.models import Channel, NewSms
from messaging.outbound import accept, delivery
from messaging.problems import Invalid, NotFound, Problem, SignatureRejected, Unreadable
from messaging.providers.provider import Webhook, WebhookResponse
from messaging.telemetry import flush
from tests.support import api, messages
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, NEW_SMS
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.log_lines import Printed

pytestmark = pytest.mark.usefixtures("providers", "database")


def receive(
    fields: Mapping[str, object], name: str = "sms", channel: Channel = Channel.SMS, *, signed: bool = True
) -> WebhookResponse:
    return receive_body(json.dumps(fields).encode(), name, channel, signed=signed)


def receive_body(
    body: bytes, name: str = "sms", channel: Channel = Channel.SMS, *, signed: bool = True
) -> WebhookResponse:
    headers = api.signed(body) if signed else {}
    return inbound_receive.receive(channel, name, Webhook("https://example.com/", "", headers, body))


def message(answer: WebhookResponse) -> Any:
    assert answer.status == 200
    return json.loads(answer.body)


def row_counts(database: Database) -> list[object]:
    """The number of rows in each table that receiving writes."""
    tables = (
        "messages",
        "conversations",
        "contacts",
        "contact_addresses",
        "message_events",
        "pending_reports",
        "webhook_requests",
    )
    return [database.value(f"SELECT count(*) FROM {table}") for table in tables]


def test_a_message_is_stored_and_returned(database: Database, printed: Printed) -> None:
    stored = message(receive({**INBOUND_SMS, "carrier": "x"}))
    assert stored == api.call("GET", "/api/conversations/1/messages").json["messages"][0]
    assert (stored["direction"], stored["status"], stored["provider"]) == ("inbound", "received", "sms")
    assert (stored["from"], stored["to"]) == (INBOUND_SMS["from"], INBOUND_SMS["to"])
    assert stored["provider_message_id"] == "message-1"
    assert database.value("SELECT extra FROM messages") == {"carrier": "x"}


def test_a_duplicate_has_the_same_answer_as_the_first(database: Database) -> None:
    first = receive(INBOUND_SMS)
    before = row_counts(database)
    for again in (INBOUND_SMS, {**INBOUND_SMS, "timestamp": "2024-11-01T14:00:00Z", "retry": 2}):
        assert receive(again) == first
    assert row_counts(database)[:-1] == before[:-1]
    assert row_counts(database)[-1] == 2, "requests: one is a redelivery"


def test_the_same_id_of_two_providers_is_two_messages(database: Database, configure: Configure) -> None:
    receive(INBOUND_SMS)
    receive({**INBOUND_EMAIL, "xillio_id": "message-1"}, "email", Channel.EMAIL)
    assert database.value("SELECT count(*) FROM messages") == 2


@pytest.mark.parametrize(
    ("first", "changes", "name", "channel"),
    [
        (INBOUND_SMS, {"from": "+1 (804) 555-1234"}, "sms", Channel.SMS),
        (INBOUND_SMS, {"type": "mms", "attachments": ["https://example.com/i.jpg"]}, "sms", Channel.SMS),
        (INBOUND_EMAIL, {"from": "Contact <Contact@Example.org>"}, "email", Channel.EMAIL),
        (INBOUND_EMAIL, {"to": "[user@example.com](mailto:user@example.com)"}, "email", Channel.EMAIL),
    ],
)
def test_differently_written_addresses_share_a_conversation(
    database: Database, first: dict[str, Any], changes: dict[str, Any], name: str, channel: Channel
) -> None:
    receive(first, name, channel)
    receive(
        {**first, **changes, "messaging_provider_id": "message-2", "xillio_id": "message-2"}, name, channel
    )
    assert row_counts(database)[:3] == [2, 1, 1]


def test_outbound_and_inbound_messages_share_a_conversation(database: Database) -> None:
    accept.accept(messages.ACCOUNT, NewSms.model_validate(NEW_SMS))
    assert message(receive(INBOUND_SMS))["conversation_id"] == 1
    assert row_counts(database)[:3] == [2, 1, 1]


@pytest.mark.parametrize(
    ("name", "channel", "problem"),
    [
        ("email", Channel.SMS, NotFound),
        ("sms", Channel.EMAIL, NotFound),
        ("nobody", Channel.SMS, NotFound),
        ("", Channel.SMS, NotFound),
    ],
)
def test_a_provider_receives_only_on_routes_of_its_channels(
    database: Database, name: str, channel: Channel, problem: type[Problem]
) -> None:
    with pytest.raises(problem):
        receive(INBOUND_SMS, name, channel)
    assert not any(row_counts(database))


def test_a_rejected_request_stores_nothing(database: Database, configure: Configure) -> None:
    with pytest.raises(SignatureRejected):
        receive(INBOUND_SMS, signed=False)
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")
    with pytest.raises(Invalid):
        receive({**INBOUND_SMS, "from": " "}, signed=False)
    with pytest.raises(Invalid):
        receive({**INBOUND_SMS, "type": "fax"}, signed=False)
    with pytest.raises(Unreadable):
        receive_body(b"{", signed=False)
    assert not any(row_counts(database))


# --- Reports -----------------------------------------------------------------------------------------


@pytest.fixture
def sent(providers: ProviderSimulator) -> str:
    """The provider's id of message 1, which it accepted."""
    accept.accept(messages.ACCOUNT, NewSms.model_validate(NEW_SMS))
    delivery.deliver([1], lambda: 30)
    [request] = providers.requests
    assert request.id
    return request.id


def report(status: str, **fields: object) -> WebhookResponse:
    return receive({"status": status, "timestamp": "2024-11-01T14:00:00Z", **fields})


def events() -> list[tuple[str, str | None, str | None]]:
    return [(event["kind"], event["status"], event["code"]) for event in api.message(1)["events"]]


@pytest.mark.parametrize("by", ["their id", "our id", "both"])
def test_a_report_moves_the_message_that_it_names(sent: str, by: str) -> None:
    names = {"their id": {"messaging_provider_id": sent}, "our id": {"reference": "1"}}
    reference = names.get(by, names["their id"] | names["our id"])
    assert message(report("delivered", **reference))["status"] == "delivered"
    assert api.message(1)["status"] == "delivered"


def test_reports_move_a_message_only_forward(sent: str) -> None:
    for hour, (status, then) in enumerate(
        (
            ("delivered", "delivered"),
            ("sent", "delivered"),
            ("delivered", "delivered"),
            ("failed", "failed"),
            ("delivered", "failed"),
            ("read", "read"),
            ("failed", "read"),
        )
    ):
        answer = report(status, messaging_provider_id=sent, timestamp=f"2024-11-01T{hour:02}:00:00Z")
        assert message(answer)["status"] == then
    assert len(events()) == 8  # each report is an event, after the attempt's own


def test_a_repeated_report_is_one_event(sent: str) -> None:
    fields = {"messaging_provider_id": sent, "status": "failed", "error": {"code": "30003"}}
    for report_fields in (fields, {**fields, "timestamp": "2024-11-01T14:00:00Z"}):
        first = receive(report_fields)
        assert receive(report_fields) == first
        assert (
            receive({**report_fields, "reference": "1"}) == first
        )  # a provider may name the message differently the second time
    # The first has no time of its own: with other names it is another request, with another time.
    assert [code for _, _, code in events()] == [None, "30003", "30003", "30003"]


def test_an_error_has_the_provider_s_code_and_reason(sent: str) -> None:
    error = {"code": "30003", "reason": "Unreachable"}
    failed = message(report("failed", messaging_provider_id=sent, error=error))
    assert (failed["status"], failed["error"]) == ("failed", error)
    assert events()[-1] == ("report", "failed", "30003")


def test_an_unknown_status_is_an_event_and_moves_nothing(sent: str) -> None:
    assert message(report("enroute", messaging_provider_id=sent))["status"] == "sent"
    assert events()[-1] == ("report", None, "enroute")


@pytest.mark.parametrize("names", [{"messaging_provider_id": "unheard-of"}, {"reference": "999"}])
def test_a_report_of_an_unknown_message_is_answered_202(
    database: Database, sent: str, names: dict[str, object]
) -> None:
    answer = report("delivered", **names)
    assert answer.status == 202
    assert api.message(1)["status"] == "sent"


def test_a_report_does_not_change_another_provider_s_message(sent: str) -> None:
    fields = {"status": "delivered", "xillio_id": sent, "reference": "1"}
    assert receive(fields, "email", Channel.EMAIL).status == 202
    assert api.message(1)["status"] == "sent"


def test_each_metric_counts_once(printed: Printed, sent: str) -> None:
    flush()
    assert {name: len(values) for name, values in printed.metrics.items()} == {
        "Accepted": 1,
        "Sent": 1,
        "DeliveryLatency": 1,
    }
    for fields in (INBOUND_SMS, INBOUND_SMS, {**INBOUND_SMS, "messaging_provider_id": "message-2"}):
        receive(fields)
    for status in ("sent", "delivered", "delivered", "enroute", "failed", "failed", "read"):
        report(status, messaging_provider_id=sent)
    flush()
    counted = {name: sum(values) for name, values in printed.metrics.items() if name != "DeliveryLatency"}
    assert counted == {
        "Accepted": 1,
        "Sent": 1,
        "Inbound": 2,
        "InboundDuplicates": 1,
        "Delivered": 1,
        "Failed": 1,
    }


def test_a_spooled_request_with_a_used_replay_token_is_rejected(database: Database) -> None:
    for body in (b"{}", json.dumps(INBOUND_SMS).encode()):
        inbound_receive.store_spooled(messages.request(body, replay_token="token"))
    assert database.value("SELECT count(*) FROM webhook_requests") == 1
    assert database.value("SELECT count(*) FROM messages") == 0
