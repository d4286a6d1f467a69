"""What a function's queue hands it: each request kept once, the others put off, what is none given up."""

import json
from typing import Any

import pytest

from messaging.postgres import database as product
from tests.support.api import INBOUND_EMAIL, INBOUND_SMS, call, invoke, signed
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.tcp_server import playing
from tests.support.waiting import eventually

AWAY = "postgresql://nobody:nothing@127.0.0.1:9/nowhere?sslmode=disable"
KEPT = "SELECT provider_message_id FROM messages ORDER BY provider_message_id"

pytestmark = pytest.mark.usefixtures("providers")


@pytest.fixture
def hold(database: Database, configure: Configure, aws: Aws) -> Any:
    """Has webhooks come while the database is away; gives their records."""

    def hold(route: str, *told: dict[str, object]) -> list[dict[str, Any]]:
        product.disconnect()
        configure(DATABASE_URL=AWAY)
        for fields in told:
            assert call("POST", route, fields, signed(fields)).status == 202
        configure(DATABASE_URL=database.url)
        records = aws.held(seconds=60)
        assert len(records) == len(told)
        return records

    return hold


def sms(n: int, **fields: object) -> dict[str, object]:
    return {**INBOUND_SMS, "messaging_provider_id": f"message-{n}", **fields}


def take(function: str, records: list[dict[str, Any]], seconds: float = 20) -> list[str]:
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
def test_keeps_what_was_held_once(
    database: Database, aws: Aws, hold: Any, function: str, route: str, fields: dict[str, object]
) -> None:
    [record] = hold(route, fields)
    for _ in range(2):
        assert take(function, [record]) == []
    assert database.value("SELECT count(*) FROM messages") == 1
    assert call("POST", route, fields, signed(fields)).json["id"] == 1
    assert aws.objects() == []


@pytest.mark.slow
def test_what_cannot_be_kept_yet_comes_again_later_and_waits_for_nobody(
    database: Database, configure: Configure, aws: Aws, hold: Any
) -> None:
    records = hold("/api/webhooks/sms", *(sms(n) for n in range(3)))
    configure(DATABASE_URL=AWAY)
    product.disconnect()
    assert take("sms_webhook", records) == [record["messageId"] for record in records]
    assert aws.held() == []
    configure(DATABASE_URL=database.url)
    again = eventually(lambda: aws.held(seconds=60))  # and not only when its visibility ends
    assert {record["attributes"]["ApproximateReceiveCount"] for record in again} == {"2"}
    assert take("sms_webhook", again) == []


def test_who_finds_the_database_away_speaks_for_the_rest_of_the_batch(
    database: Database, configure: Configure, hold: Any
) -> None:
    """Where it hangs, each of ten would wait for it until the function's time is over."""
    records = hold("/api/webhooks/sms", *(sms(n) for n in range(5)))
    asked: list[object] = []
    with playing(asked.append) as address:
        configure(DATABASE_URL=f"postgresql://nobody:nothing@{address}/nowhere?sslmode=disable")
        product.disconnect()
        assert len(take("sms_webhook", records)) == 5
    assert len(asked) == 2, "once, and once more over a new connection"


def test_one_that_cannot_be_kept_does_not_keep_the_others(
    database: Database, configure: Configure, aws: Aws, hold: Any
) -> None:
    records = hold("/api/webhooks/sms", *(sms(n) for n in range(3)))
    gone = json.loads(records[1]["body"]) | {"provider": "gone"}
    records[1]["body"] = json.dumps(gone)
    assert take("sms_webhook", records) == [records[1]["messageId"]]
    assert database.rows(KEPT) == [["message-0"], ["message-2"]]


def test_an_object_that_is_gone_does_not_keep_the_others(database: Database, aws: Aws, hold: Any) -> None:
    records = hold("/api/webhooks/sms", sms(0), sms(1, body="x" * 300_000), sms(2))
    [pointer] = [record for record in records if '"key"' in record["body"]]
    pointer["body"] = json.dumps(json.loads(pointer["body"]) | {"key": "gone"})
    assert take("sms_webhook", records) == [pointer["messageId"]]
    assert database.rows(KEPT) == [["message-0"], ["message-2"]]


def test_what_is_no_request_ends_among_the_dead_letters_and_not_in_ten_days(
    database: Database, aws: Aws, hold: Any
) -> None:
    records = hold("/api/webhooks/sms", sms(0), sms(1))
    records[0]["body"] = "{}"
    del records[0]["attributes"]  # which say how long to put it off
    assert take("sms_webhook", records) == [records[0]["messageId"]]


def test_begins_nothing_that_it_cannot_end(database: Database, aws: Aws, hold: Any) -> None:
    records = hold("/api/webhooks/sms", sms(0))
    assert take("sms_webhook", records, seconds=11) == [records[0]["messageId"]]
    assert database.rows(KEPT) == []


# --- Replays -----------------------------------------------------------------------------------------


def test_reads_again_what_it_is_told_to(database: Database) -> None:
    for n in range(3):
        call("POST", "/api/webhooks/sms", sms(n), signed(sms(n)))
    database.rows("DELETE FROM messages WHERE id = 2")
    for chosen, replayed in (
        ({"unparsed": True}, 0),
        ({"ids": [1]}, 1),
        ({"since": "2024-01-01T00:00:00Z", "until": "2024-01-02T00:00:00Z"}, 0),
        ({"since": "2024-01-01T00:00:00Z", "provider": "sms", "after": 1}, 2),
    ):
        done = invoke("sms_webhook", {"replay": chosen})
        assert done == {"replayed": replayed, "failed": 0, "not_configured": 0, "after": None}
        assert invoke("email_webhook", {"replay": chosen})["replayed"] == 0
    assert database.rows(KEPT) == [["message-0"], ["message-1"], ["message-2"]]


@pytest.mark.parametrize(
    ("order", "words"),
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
def test_an_order_that_cannot_be_followed_is_told_so(database: Database, order: Any, words: str) -> None:
    with pytest.raises(ValueError, match=words):
        invoke("sms_webhook", {"replay": order})
