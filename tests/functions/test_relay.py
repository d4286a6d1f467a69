"""functions/relay: from its event to what is queued again."""

from local.provider import Provider
from tests.aws import Aws
from tests.calls import NEW_SMS, SMS, call, deliver, invoke, message
from tests.conftest import Database
from tests.test_events import event

DUE = "UPDATE messages SET next_nudge_at = clock_timestamp()"


def test_queues_again_what_was_left_behind(database: Database, aws: Aws, providers: Provider) -> None:
    for _ in range(12):
        call("POST", SMS, NEW_SMS)
    aws.queued()  # lost, all of them
    database.rows(DUE)
    assert invoke("relay", event("relay")) == {"nudged": 12, "expired": 0, "applied": 0, "forgotten": 0}
    nudges = [nudge["Body"] for nudge in aws.queued()]
    assert sorted(nudges, key=int) == [str(id) for id in range(1, 13)]
    assert deliver(*nudges[:10]) == []
    assert message(int(nudges[0]))["status"] == "sent"


def test_makes_a_delivery_that_died_visible(database: Database, aws: Aws, providers: Provider) -> None:
    call("POST", SMS, NEW_SMS)
    database.rows("UPDATE messages SET status = 'sending', lease_expires_at = clock_timestamp()")
    assert invoke("relay", event("relay"))["expired"] == 1
    assert message(1)["status"] == "unknown"


def test_has_nothing_to_do_in_an_empty_service(database: Database, aws: Aws) -> None:
    assert invoke("relay", event("relay")) == {"nudged": 0, "expired": 0, "applied": 0, "forgotten": 0}
    assert aws.queued() == []
