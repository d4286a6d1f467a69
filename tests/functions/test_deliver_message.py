"""functions/deliver_message: from its event to the provider, and which records go back to the queue."""

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging.postgres import database as product
from tests.support.api import EMAIL, NEW_EMAIL, NEW_SMS, SMS, call, deliver, invoke, message
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.template.test_events import event

pytestmark = pytest.mark.usefixtures("database")


def test_the_message_of_the_sample_event_is_sent(providers: ProviderSimulator) -> None:
    call("POST", SMS, NEW_SMS)
    assert invoke("deliver_message", event("deliver_message")) == {"batchItemFailures": []}
    [request] = providers.requests
    assert request.status == 200  # the simulator verifies the signature
    sent = message(1)
    assert (sent["status"], sent["provider_message_id"]) == ("sent", request.id)
    [attempt] = sent["events"]
    assert (attempt["kind"], attempt["attempt"], attempt["status"]) == ("attempt", 1, "sent")


def test_each_channel_has_its_own_provider_url(providers: ProviderSimulator) -> None:
    call("POST", SMS, NEW_SMS)
    call("POST", EMAIL, NEW_EMAIL)
    assert deliver(1, 2) == []
    assert sorted(request.path for request in providers.requests) == ["/email", "/sms"]


def test_a_message_that_is_queued_twice_is_sent_once(providers: ProviderSimulator) -> None:
    call("POST", SMS, NEW_SMS)
    assert deliver(1, 1) == []
    assert deliver(1) == []
    assert len(providers.requests) == 1


def test_a_failed_attempt_does_not_keep_the_record_in_the_queue(
    providers: ProviderSimulator, aws: Aws
) -> None:
    """The message is tried again because of its row, not because of the record in the queue."""
    call("POST", SMS, NEW_SMS)
    providers.behave(Behaviour(status=503))
    assert deliver(1) == []
    assert message(1)["status"] == "queued"


def test_only_records_that_are_not_ids_go_to_the_dead_letters(providers: ProviderSimulator) -> None:
    call("POST", SMS, NEW_SMS)
    assert deliver(1, "one", 2**63) == ["record-one", f"record-{2**63}"]
    assert message(1)["status"] == "sent"


def test_all_records_go_back_to_the_queue_if_the_time_is_too_short(providers: ProviderSimulator) -> None:
    for _ in range(2):
        call("POST", SMS, NEW_SMS)
    assert deliver(1, 2, seconds=10) == ["record-1", "record-2"]
    assert providers.requests == []
    assert message(1)["status"] == "queued"


def test_all_records_go_back_to_the_queue_while_postgres_is_unavailable(
    providers: ProviderSimulator, database: Database, configure: Configure
) -> None:
    for to in ("+18045550001", "+18045550002"):
        call("POST", SMS, NEW_SMS | {"to": to})
    product.disconnect()
    configure(DATABASE_URL="postgresql://nobody:x@127.0.0.1:9/none?sslmode=disable")
    assert deliver(1, 2) == ["record-1", "record-2"]
    configure(DATABASE_URL=database.url)
    assert deliver(1, 2) == []
    assert len(providers.requests) == 2
