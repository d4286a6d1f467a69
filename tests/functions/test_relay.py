"""functions/relay: from its event to what it dispatches, expires and deletes."""

from datetime import timedelta

import pytest

from local.simulators.provider import ProviderSimulator
from messaging.models import Status
from tests.support import messages
from tests.support.api import NEW_SMS, SMS, call, deliver, invoke, message
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

DUE = "UPDATE outbound_queue SET dispatch_at = clock_timestamp()"


def test_lost_dispatches_are_sent_again(database: Database, aws: Aws, providers: ProviderSimulator) -> None:
    for _ in range(12):
        call("POST", SMS, NEW_SMS)
    aws.receive_queued()  # every dispatch is lost
    database.rows(DUE)
    assert invoke("relay", event("relay")) == {
        "leases_expired": 0,
        "reports_applied": 0,
        "dispatched": 12,
        "deleted": 0,
    }
    dispatches = sorted((dispatch["Body"] for dispatch in aws.receive_queued()), key=int)
    assert dispatches == [str(id) for id in range(1, 13)]
    assert deliver(*dispatches[:10]) == []
    assert message(int(dispatches[0]))["status"] == "sent"


def test_a_delivery_that_died_becomes_unknown(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    call("POST", SMS, NEW_SMS)
    messages.claim_all([1], timedelta(0))
    assert invoke("relay", event("relay"))["leases_expired"] == 1
    assert message(1)["status"] == "unknown"


def test_an_empty_service_has_no_work(database: Database, aws: Aws) -> None:
    assert invoke("relay", event("relay")) == {
        "leases_expired": 0,
        "reports_applied": 0,
        "dispatched": 0,
        "deleted": 0,
    }
    assert aws.receive_queued() == []


def test_pending_reports_are_applied_when_their_attempt_is_known(database: Database, aws: Aws) -> None:
    claimed = messages.claim_new()
    messages.report(Status.DELIVERED, "p-1")
    database.rows("UPDATE attempts SET provider_message_id = 'p-1'")
    database.rows("INSERT INTO provider_message_ids VALUES (1, 'sms', 'p-1', :id, 1)", id=claimed.id)
    assert invoke("relay", event("relay"))["reports_applied"] == 1
    assert message(claimed.id)["status"] == "delivered"


@pytest.mark.parametrize(("days", "left"), [("", 1), ("2", 1), ("1", 0)])
def test_expired_rows_are_deleted(
    database: Database, aws: Aws, configure: Configure, days: str, left: int
) -> None:
    """RAW_RETENTION_DAYS says when webhook requests expire."""
    configure(RAW_RETENTION_DAYS=days)
    messages.report(Status.DELIVERED, "p-1")
    database.rows("UPDATE pending_reports SET created_at = now() - interval '8 days'")
    database.rows("UPDATE webhook_requests SET received_at = now() - interval '25 hours'")
    assert invoke("relay", event("relay"))["deleted"] == 2 - left
    assert database.value("SELECT count(*) FROM pending_reports") == 0
    assert database.value("SELECT count(*) FROM webhook_requests") == left


def test_a_backlog_of_expired_rows_is_deleted(database: Database, aws: Aws) -> None:
    for n in range(3):
        messages.report(Status.DELIVERED, f"p-{n}")
    database.rows(
        "INSERT INTO webhook_requests"
        " (route, provider, received_at, verified_at, url, query, headers, body, digest)"
        " SELECT 'sms', 'sms', '2024-11-01', '2024-11-01', '', '', '{}', '', sha256(n::text::bytea)"
        " FROM generate_series(1, 1200) n"
    )
    assert invoke("relay", event("relay"))["deleted"] == 1200
