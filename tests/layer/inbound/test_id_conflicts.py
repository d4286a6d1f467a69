"""A provider's id of two messages: the first stays, and the request with the second is unread."""

import json
from concurrent.futures import ProcessPoolExecutor
from typing import Any

import pytest

from messaging.accounts import store as accounts
from messaging.inbound import receive as inbound_receive
from messaging.inbound import replay as inbound_replay
from messaging.inbound import store
from messaging.inbound.store import PartOutcome, Selector
from messaging.models import Channel, File, InboundMessage
from messaging.providers.provider import Webhook, WebhookResponse
from messaging.telemetry import flush
from tests.support import api, messages
from tests.support.admin import make_account, operate
from tests.support.api import INBOUND_SMS
from tests.support.database import Database
from tests.support.log_lines import Printed
from tests.support.race import Race

FAULTS = "SELECT fault_kind, fault FROM webhook_requests ORDER BY id"
CONFLICT = ["id_conflict", "part 1 has the id of message 1 and other content"]
BODIES = "SELECT body FROM messages ORDER BY id"

FILES = [File(name="a.txt", content_type="text/plain", content=b"a")]
MAIL: dict[str, Any] = {
    "type": "email",
    "from": "contact@example.org",
    "to": "user@example.com",
    "subject": "Hi",
    "body": "text",
    "html": "<p>text</p>",
    "attachments": ["https://example.com/a.jpg?signature=1", "https://example.com/b.jpg"],
    "files": FILES,
}


def outcome(part: InboundMessage, body: bytes | None = None) -> PartOutcome:
    [stored] = store.store_request(messages.request(body), [part])
    return stored.outcome


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({"from": "other@example.org"}, id="another sender"),
        pytest.param({"to": "sales@example.com"}, id="another recipient"),
        pytest.param({"subject": "Hello"}, id="another subject"),
        pytest.param({"subject": None}, id="no subject"),
        pytest.param({"body": "text "}, id="another body"),
        pytest.param({"html": "<p>other</p>"}, id="another html"),
        pytest.param({"html": None}, id="no html"),
        pytest.param({"attachments": ["https://example.com/c.jpg"]}, id="another url"),
        pytest.param({"attachments": []}, id="no urls"),
        pytest.param({"files": []}, id="no files"),
        pytest.param({"files": [FILES[0].model_copy(update={"content": b"b"})]}, id="another file"),
        pytest.param({"files": FILES * 2}, id="one more file"),
    ],
)
def test_other_content_under_a_stored_id_is_a_conflict(changes: dict[str, Any]) -> None:
    assert outcome(messages.inbound("id", **MAIL)) is PartOutcome.CREATED
    assert outcome(messages.inbound("id", **MAIL | changes)) is PartOutcome.CONFLICT


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "changes",
    [
        pytest.param({}, id="nothing"),
        pytest.param({"timestamp": "2024-11-01T14:00:00Z"}, id="another time"),
        pytest.param({"extra": {"retry": 2}}, id="other fields of the provider"),
        pytest.param({"type": "mms"}, id="another type"),
        pytest.param({"cc": ["c@example.com"], "reply_to": "r@example.com"}, id="other copies"),
        pytest.param({"headers": {"X-Retry": "1"}}, id="other headers"),
        pytest.param({"attachments": MAIL["attachments"][::-1]}, id="another order"),
        pytest.param(
            {"attachments": ["https://example.com/a.jpg?signature=2", "https://example.com/b.jpg#f"]},
            id="urls that are signed again",
        ),
        pytest.param({"files": [FILES[0].model_copy(update={"name": "b.txt"})]}, id="another file name"),
    ],
)
def test_a_redelivery_with_other_circumstances_is_a_duplicate(changes: dict[str, Any]) -> None:
    assert outcome(messages.inbound("id", **MAIL)) is PartOutcome.CREATED
    assert outcome(messages.inbound("id", **MAIL | changes)) is PartOutcome.DUPLICATE


def test_a_request_that_a_new_parser_reads_differently_is_a_duplicate(database: Database) -> None:
    assert outcome(messages.inbound("id", body="b\ufffd"), b"request") is PartOutcome.CREATED
    assert outcome(messages.inbound("id", body="bä"), b"request") is PartOutcome.DUPLICATE
    assert database.rows(FAULTS) == [[None, None]]


def test_two_messages_of_one_request_with_one_id_are_a_conflict(database: Database) -> None:
    request = messages.request()
    parts = [messages.inbound("id", body="first"), messages.inbound("id", body="second")]
    outcomes = [part.outcome for part in store.store_request(request, parts)]
    assert outcomes == [PartOutcome.CREATED, PartOutcome.CONFLICT]
    assert database.rows(FAULTS) == [["id_conflict", "part 2 has the id of message 1 and other content"]]


def test_a_request_that_is_read_later_is_compared_too(database: Database) -> None:
    """Its parser had a bug when it arrived, so none of its messages is stored yet."""
    store.store_request(messages.request(b"unread"), [])
    assert outcome(messages.inbound("id", body="first")) is PartOutcome.CREATED
    assert outcome(messages.inbound("id", body="second"), b"unread") is PartOutcome.CONFLICT


def test_a_message_that_left_the_quarantine_is_compared_too(database: Database) -> None:
    operate("DELETE /api/admin/addresses/*")
    assert outcome(messages.inbound("id", body="first")) is PartOutcome.QUARANTINED
    accounts.add_address("operator", make_account("Shop"), messages.CUSTOMER)
    assert outcome(messages.inbound("id", body="first")) is PartOutcome.DUPLICATE
    assert outcome(messages.inbound("id", body="second")) is PartOutcome.CONFLICT


# --- Through a webhook -------------------------------------------------------------------------------


def receive(**changes: object) -> WebhookResponse:
    body = json.dumps(INBOUND_SMS | changes).encode()
    webhook = Webhook("https://example.com/", "", api.signed(body), body)
    return inbound_receive.receive(Channel.SMS, "sms", webhook)


@pytest.mark.usefixtures("providers")
def test_a_conflict_has_the_answer_of_the_first_message_and_its_request_is_unread(
    database: Database, printed: Printed
) -> None:
    first = receive(body="first")
    flush()
    assert receive(body="second") == first
    assert first.status == 200
    assert database.rows(BODIES) == [["first"]]
    assert database.rows(FAULTS) == [[None, None], CONFLICT]
    assert database.value("SELECT body FROM webhook_requests WHERE id = 2") is not None
    flush()
    assert {name: sum(values) for name, values in printed.metrics.items()} == {
        "Inbound": 1,
        "InboundConflicts": 1,
    }
    [line] = [line for line in printed.logs if line["level"] == "ERROR"]
    assert (line["message"], line["message_id"], line["provider"]) == ("Message id conflict", 1, "sms")
    assert "second" not in json.dumps(printed.logs)


@pytest.mark.usefixtures("providers")
def test_a_redelivered_or_replayed_conflict_stays_a_conflict(database: Database) -> None:
    receive(body="first")
    for _ in range(2):
        receive(body="second")
    assert database.rows(FAULTS) == [[None, None], CONFLICT]
    everything = Selector(Channel.SMS, provider="sms")
    assert inbound_replay.replay(everything, 0, lambda: 20) == (1, 1, 0, None)
    assert database.rows(FAULTS) == [[None, None], CONFLICT]
    assert database.rows(BODIES) == [["first"]]


# --- Races -------------------------------------------------------------------------------------------


def store_body(number: int) -> str:
    return outcome(messages.inbound("id", body=f"body {number % 2}"))


@pytest.mark.slow
def test_of_two_contents_at_once_one_is_stored_and_the_other_is_a_conflict(
    database: Database, race: Race
) -> None:
    outcomes = race("messages", store_body, range(8))
    assert sorted(outcomes) == ["conflict"] * 4 + ["created"] + ["duplicate"] * 3
    assert database.value("SELECT count(*) FROM messages") == 1
    assert database.value("SELECT count(*) FROM webhook_requests WHERE fault_kind = 'id_conflict'") == 4


def store_request_again(_: int) -> str:
    return outcome(messages.inbound("id"), b"request")


@pytest.mark.slow
def test_the_same_request_at_once_is_never_a_conflict(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    outcomes = sorted(environments.map(store_request_again, range(40)))
    assert outcomes == ["created"] + ["duplicate"] * 39
    assert database.rows(FAULTS) == [[None, None]]
