"""An account's limits: messages per second and per day."""

import pytest

from tests.support.admin import operate
from tests.support.api import NEW_SMS, SMS, Answer, call
from tests.support.aws import Aws
from tests.support.database import Database

DAY = 86_400


@pytest.fixture(autouse=True)
def _queues(aws: Aws, database: Database) -> None:
    """The outbound queue."""


def limit(**limits: int | None) -> None:
    assert operate("PATCH /api/admin/accounts/1", limits).status == 200


def send(key: str | None = None) -> Answer:
    return call("POST", SMS, NEW_SMS, {"Idempotency-Key": key} if key else {})


def retry_after(answer: Answer) -> int:
    """The seconds after which the request may be repeated."""
    assert answer.status == 429, answer.body
    assert answer.headers["content-type"] == "application/problem+json"
    return int(answer.headers["retry-after"])


def test_a_limit_per_second_ends_with_the_second(database: Database) -> None:
    limit(sends_per_second=2)
    # The second must not end during the test.
    stop_the_clock = "UPDATE account_sends SET second = second + interval '1 hour'"
    assert send().status == 202
    database.rows(stop_the_clock)
    assert send().status == 202
    assert retry_after(send()) == 1
    database.rows("UPDATE account_sends SET second = second - interval '2 hours'")
    assert send().status == 202
    assert database.value("SELECT count(*) FROM messages") == 3


def test_a_limit_per_day_ends_at_midnight_utc(database: Database) -> None:
    limit(sends_per_day=2)
    assert [send().status for _ in range(2)] == [202, 202]
    left = "SELECT extract(epoch FROM (date_trunc('day', now(), 'UTC') + interval '1 day') - now())::integer"
    assert abs(retry_after(send()) - int(str(database.value(left)))) <= 5
    database.rows("UPDATE account_sends SET day = day - 1")
    assert send().status == 202


def test_a_rejected_message_stores_nothing_and_its_key_can_be_used_again(database: Database) -> None:
    limit(sends_per_day=1)
    assert send("first").status == 202
    for _ in range(2):
        retry_after(send("second"))
    assert database.rows("SELECT key FROM idempotency_keys") == [["first"]]
    limit(sends_per_day=2)
    assert send("second").status == 202


def test_a_replay_is_not_counted(database: Database) -> None:
    limit(sends_per_day=1)
    first = send("key")
    for _ in range(3):
        again = send("key")
        assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert database.value("SELECT in_day FROM account_sends") == 1


def test_a_changed_limit_applies_at_once_and_nothing_is_counted_without_one(database: Database) -> None:
    assert send().status == 202
    assert database.value("SELECT count(*) FROM account_sends") == 0
    limit(sends_per_second=1000, sends_per_day=2)
    assert [send().status for _ in range(3)] == [202, 202, 429]
    limit(sends_per_day=None)
    assert send().status == 202
    limit(sends_per_second=None)
    assert send().status == 202


def test_a_limit_applies_to_its_account_only(database: Database) -> None:
    limit(sends_per_day=1)
    assert operate("POST /api/admin/accounts", {"name": "Shop"}).status == 201
    assert operate("POST /api/admin/addresses", {"address": NEW_SMS["from"], "account_id": 2}).status == 201
    other = {"account": "2", "scopes": "send", "key": "1"}
    assert [call("POST", SMS, NEW_SMS, caller=other).status for _ in range(3)] == [202] * 3


def test_a_replay_succeeds_after_its_address_was_removed(database: Database) -> None:
    """It returns the stored message. A new message from the address is rejected."""
    first = send("first")
    assert operate("DELETE /api/admin/addresses/*").status == 204
    again = send("first")
    assert (again.status, again.json["id"]) == (202, first.json["id"])
    assert send("second").status == 403
    assert database.rows("SELECT key FROM idempotency_keys") == [["first"]]
