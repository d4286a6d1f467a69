"""A round of the relay: what it dispatches, expires and deletes, and when it stops."""

from datetime import timedelta

import pytest

from local.simulators.provider import ProviderSimulator
from messaging import relay
from messaging.models import NewSms, Status
from messaging.outbound import accept, attempts, delivery
from tests.support.api import NEW_SMS
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.messages import ACCOUNT, key

pytestmark = pytest.mark.usefixtures("providers")


def sms() -> NewSms:
    return NewSms.model_validate(NEW_SMS)


def run_relay(seconds: float = 55) -> dict[str, int]:
    return relay.relay(lambda: seconds)


def test_only_messages_that_are_due_are_dispatched(database: Database, aws: Aws) -> None:
    for _ in range(3):
        accept.accept(ACCOUNT, sms())
    aws.receive_queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp() WHERE message_id > 1")
    assert run_relay() == {"leases_expired": 0, "reports_applied": 0, "dispatched": 2, "deleted": 0}
    assert sorted(dispatch["Body"] for dispatch in aws.receive_queued()) == ["2", "3"]
    assert run_relay() == {"leases_expired": 0, "reports_applied": 0, "dispatched": 0, "deleted": 0}


def test_a_backlog_longer_than_a_batch_is_dispatched(
    database: Database, aws: Aws, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(relay, "BATCH_SIZE", 7)
    for _ in range(20):
        accept.accept(ACCOUNT, sms())
    aws.receive_queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    assert run_relay()["dispatched"] == 20
    assert len(aws.receive_queued()) == 20


def test_no_batch_begins_without_time_for_it(database: Database, aws: Aws) -> None:
    accept.accept(ACCOUNT, sms())
    aws.receive_queued()
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    assert run_relay(seconds=4)["dispatched"] == 0
    assert aws.receive_queued() == []


def test_messages_that_the_queue_does_not_take_are_due_in_the_next_round(
    database: Database, aws: Aws
) -> None:
    accept.accept(ACCOUNT, sms())
    database.rows("UPDATE outbound_queue SET dispatch_at = clock_timestamp()")
    aws.delete_queues()
    assert run_relay()["dispatched"] == 0
    assert database.value("SELECT dispatch_at <= clock_timestamp() FROM outbound_queue")


def test_an_expired_lease_is_an_unknown_outcome_and_a_late_record_still_counts(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept.accept(ACCOUNT, sms())
    [claimed] = attempts.claim([1], timedelta(seconds=30)).messages
    assert run_relay()["leases_expired"] == 0
    database.rows("UPDATE leases SET expires_at = clock_timestamp()")
    assert run_relay()["leases_expired"] == 1
    [[status, code]] = database.rows("SELECT status, error_code FROM messages")
    assert (status, code) == ("unknown", "lease_expired")
    delivery.deliver([1], lambda: 30)
    assert providers.requests == []
    # The worker was only slow: its record counts.
    assert attempts.record(claimed.token, Status.SENT, provider_message_id="late").status == "sent"


def test_idempotency_keys_are_deleted_after_a_day(database: Database) -> None:
    accept.accept(ACCOUNT, sms(), key("old"))
    accept.accept(ACCOUNT, sms(), key("new"))
    old = "UPDATE idempotency_keys SET created_at = clock_timestamp() - interval '24 hours' WHERE key = 'old'"
    database.rows(old)
    assert run_relay()["deleted"] == 1
    assert database.rows("SELECT key FROM idempotency_keys") == [["new"]]
    assert accept.accept(ACCOUNT, sms(), key("new")).replayed
    assert not accept.accept(ACCOUNT, sms(), key("old")).replayed
