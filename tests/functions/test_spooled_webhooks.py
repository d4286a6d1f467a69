"""The queue of a webhook function: spooled requests are stored once, or postponed. Also replays."""

import json
from typing import Any

import pytest

from messaging.postgres import database as product
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, call, invoke, signed
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.tcp_server import serve
from tests.support.waiting import eventually

UNREACHABLE = "postgresql://nobody:nothing@127.0.0.1:9/nowhere?sslmode=disable"
IDS = "SELECT id_at_provider(m) AS id FROM messages m ORDER BY id"

pytestmark = pytest.mark.usefixtures("providers")


@pytest.fixture
def spool_webhooks(database: Database, configure: Configure, aws: Aws) -> Any:
    """Post webhooks while the database is unavailable. Returns their records."""

    def spool_webhooks(route: str, *bodies: dict[str, object]) -> list[dict[str, Any]]:
        product.disconnect()
        configure(DATABASE_URL=UNREACHABLE)
        for fields in bodies:
            assert call("POST", route, fields, signed(fields)).status == 202
        configure(DATABASE_URL=database.url)
        records = aws.receive_spooled(seconds=60)
        assert len(records) == len(bodies)
        return records

    return spool_webhooks


def sms(n: int, **fields: object) -> dict[str, object]:
    return {**INBOUND_SMS, "messaging_provider_id": f"message-{n}", **fields}


def handle_records(function: str, records: list[dict[str, Any]], seconds: float = 20) -> list[str]:
    """The records that stay in the queue."""
    failures = invoke(function, {"Records": records}, seconds)["batchItemFailures"]
    return [failure["itemIdentifier"] for failure in failures]


@pytest.mark.parametrize(
    ("function", "route", "fields"),
    [
        ("sms_webhook", "/api/webhooks/sms", INBOUND_SMS),
        ("sms_webhook", "/api/webhooks/sms/sms", INBOUND_SMS),
        ("email_webhook", "/api/webhooks/email", INBOUND_EMAIL),
        ("sms_webhook", "/api/webhooks/sms", {**INBOUND_SMS, "body": "x" * 300_000}),
    ],
)
def test_a_spooled_webhook_is_stored_once(
    database: Database, aws: Aws, spool_webhooks: Any, function: str, route: str, fields: dict[str, object]
) -> None:
    [record] = spool_webhooks(route, fields)
    for _ in range(2):
        assert handle_records(function, [record]) == []
    assert database.value("SELECT count(*) FROM messages") == 1
    assert call("POST", route, fields, signed(fields)).json["id"] == 1
    assert aws.list_keys() == []


@pytest.mark.slow
def test_records_that_cannot_be_stored_yet_are_postponed(
    database: Database, configure: Configure, aws: Aws, spool_webhooks: Any
) -> None:
    records = spool_webhooks("/api/webhooks/sms", *(sms(n) for n in range(3)))
    configure(DATABASE_URL=UNREACHABLE)
    product.disconnect()
    assert handle_records("sms_webhook", records) == [record["messageId"] for record in records]
    assert aws.receive_spooled() == []
    configure(DATABASE_URL=database.url)
    again = eventually(lambda: aws.receive_spooled(seconds=60))  # and not only after the visibility timeout
    assert {record["attributes"]["ApproximateReceiveCount"] for record in again} == {"2"}
    assert handle_records("sms_webhook", again) == []


def test_a_batch_stops_at_the_first_record_that_finds_the_database_unavailable(
    database: Database, configure: Configure, spool_webhooks: Any
) -> None:
    """If the database hangs, ten records that wait for it in turn would use up the function's time."""
    records = spool_webhooks("/api/webhooks/sms", *(sms(n) for n in range(5)))
    connections: list[object] = []
    with serve(connections.append) as address:
        configure(DATABASE_URL=f"postgresql://nobody:nothing@{address}/nowhere?sslmode=disable")
        product.disconnect()
        assert len(handle_records("sms_webhook", records)) == 5
    assert len(connections) == 2, "one attempt, and one more on a new connection"


def test_a_record_of_a_removed_provider_does_not_stop_the_others(
    database: Database, configure: Configure, aws: Aws, spool_webhooks: Any
) -> None:
    records = spool_webhooks("/api/webhooks/sms", *(sms(n) for n in range(3)))
    gone = json.loads(records[1]["body"]) | {"provider": "gone"}
    records[1]["body"] = json.dumps(gone)
    assert handle_records("sms_webhook", records) == [records[1]["messageId"]]
    assert database.rows(IDS) == [["message-0"], ["message-2"]]


def test_a_record_whose_object_is_missing_does_not_stop_the_others(
    database: Database, aws: Aws, spool_webhooks: Any
) -> None:
    records = spool_webhooks("/api/webhooks/sms", sms(0), sms(1, body="x" * 300_000), sms(2))
    [pointer] = [record for record in records if '"key"' in record["body"]]
    pointer["body"] = json.dumps(json.loads(pointer["body"]) | {"key": "gone"})
    assert handle_records("sms_webhook", records) == [pointer["messageId"]]
    assert database.rows(IDS) == [["message-0"], ["message-2"]]


def test_a_record_that_is_not_a_request_is_not_postponed(
    database: Database, aws: Aws, spool_webhooks: Any
) -> None:
    records = spool_webhooks("/api/webhooks/sms", sms(0), sms(1))
    records[0]["body"] = "{}"
    del records[0]["attributes"]  # from which the delay is computed
    assert handle_records("sms_webhook", records) == [records[0]["messageId"]]


def test_a_record_is_not_started_if_the_time_is_too_short(
    database: Database, aws: Aws, spool_webhooks: Any
) -> None:
    records = spool_webhooks("/api/webhooks/sms", sms(0))
    assert handle_records("sms_webhook", records, seconds=11) == [records[0]["messageId"]]
    assert database.rows(IDS) == []


# --- Replays -----------------------------------------------------------------------------------------


def test_an_order_replays_the_requests_that_it_selects(database: Database) -> None:
    for n in range(3):
        call("POST", "/api/webhooks/sms", sms(n), signed(sms(n)))
    database.rows("DELETE FROM messages WHERE id = 2")
    for filters, replayed in (
        ({"unparsed": True}, 0),
        ({"ids": [1]}, 1),
        ({"since": "2024-01-01T00:00:00Z", "until": "2024-01-02T00:00:00Z"}, 0),
        ({"since": "2024-01-01T00:00:00Z", "provider": "sms", "after": 1}, 2),
    ):
        result = invoke("sms_webhook", {"replay": filters})
        assert result == {"replayed": replayed, "failed": 0, "not_configured": 0, "after": None}
        assert invoke("email_webhook", {"replay": filters})["replayed"] == 0
    assert database.rows(IDS) == [["message-0"], ["message-1"], ["message-2"]]


@pytest.mark.parametrize(
    ("order", "problem"),
    [
        ({}, "replay: must set at least one of unparsed, since, until, provider or ids"),
        ({"unparsed": False, "after": 7}, "replay: must set at least one"),
        (True, "replay: must be an object"),
        (None, "replay: must be an object"),
        ({"since": "yesterday"}, r"replay\.since: must be an RFC 3339 time"),
        ({"ids": ["x"]}, r"replay\.ids\.0: must be a whole number"),
        ({"ids": [2**63]}, r"replay\.ids\.0: must be at most"),
        ({"provider": "nobody"}, "replay: must name a provider of this deployment"),
        ({"unparsed": True, "all": True}, r"replay\.all: is not a field"),
    ],
)
def test_an_invalid_order_is_an_error_that_names_its_field(
    database: Database, order: Any, problem: str
) -> None:
    with pytest.raises(ValueError, match=problem):
        invoke("sms_webhook", {"replay": order})
