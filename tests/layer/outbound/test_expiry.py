"""What ends a message that no provider takes: MAX_AGE or MAX_ATTEMPTS. And how long a retry can wait."""

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging.models import Status
from messaging.outbound import attempts
from tests.support import messages
from tests.support.api import message
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.delivery import accept, deliver, events, let_pass, make_due, relayed, state, wait

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.slow]

MAX_AGE = 3600
DAY = 86400
QUEUED = "SELECT message_id FROM outbound_queue UNION ALL SELECT message_id FROM leases"


@pytest.fixture(autouse=True)
def _short_lives(configure: Configure) -> None:
    configure(MAX_AGE=str(MAX_AGE))


def test_a_message_that_was_never_tried_expires(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    let_pass(database, MAX_AGE)
    assert relayed(aws) == [1]
    deliver(1)
    expired = message(1)
    assert expired["status"] == "failed"
    assert expired["error"] == {"code": "expired", "reason": "It was too old to be tried again."}
    [event] = expired["events"]
    assert (event["kind"], event["status"], event["code"]) == ("resolved", "failed", "expired")
    assert event["reason"] == expired["error"]["reason"]
    assert database.rows(QUEUED) == []
    assert providers.requests == []


def test_a_message_that_waits_for_a_retry_expires_with_the_last_reason(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    body = {"error": {"code": "30001", "reason": "Queue overflow"}}
    providers.behave(Behaviour(status=503, body=body, retry_after=MAX_AGE))
    deliver(1)
    let_pass(database, MAX_AGE)
    assert relayed(aws) == [1]
    deliver(1)
    expired = message(1)
    assert (expired["status"], expired["error"]["code"]) == ("failed", "expired")
    assert expired["error"]["reason"].endswith("The last failure was: Queue overflow")
    assert events(database) == [["attempt", 1, "queued", "30001"], ["resolved", 1, "failed", "expired"]]
    assert len(providers.requests) == 1


def test_a_message_younger_than_max_age_is_sent(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    let_pass(database, MAX_AGE - 30)
    deliver(1)
    assert state(database) == ("sent", None, 1)


def test_an_expired_message_does_not_block_the_next_one(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    contact = "+18045550009"
    accept(aws, to=contact)
    let_pass(database, MAX_AGE)
    accept(aws, to=contact)
    deliver(1)
    assert state(database)[0] == "failed"
    assert state(database, 2) == ("sent", None, 1)


def test_a_message_that_is_being_sent_does_not_expire(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    [claimed] = messages.claim_all([1])
    let_pass(database, MAX_AGE)
    deliver(1)
    assert state(database) == ("sending", None, 1)
    assert attempts.record(claimed.token, Status.SENT).status is Status.SENT


def test_a_report_still_changes_an_expired_message(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    providers.behave(Behaviour(status=503))
    deliver(1)
    let_pass(database, MAX_AGE)
    deliver(1)
    assert messages.report(Status.DELIVERED, "p-1", 1)[0] == "moved"
    assert (message(1)["status"], message(1)["error"]) == ("delivered", None)


@pytest.mark.parametrize("status", [401, 403])
def test_a_misconfigured_provider_ends_a_message_only_by_its_age(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure, status: int
) -> None:
    configure(MAX_ATTEMPTS="2")
    accept(aws)
    providers.behave(Behaviour(status=status))
    for _ in range(4):
        deliver(1)
        make_due(database)
    assert state(database) == ("queued", str(status), 4)
    let_pass(database, MAX_AGE)
    deliver(1)
    assert state(database) == ("failed", "expired", 4)
    assert len(providers.requests) == 4


def test_attempts_count_again_once_the_configuration_is_fixed(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="2")
    accept(aws)
    providers.behave(Behaviour(status=401))
    for _ in range(3):
        deliver(1)
        make_due(database)
    providers.behave(Behaviour(status=503))
    deliver(1)
    assert state(database) == ("queued", "503", 4)
    make_due(database)
    deliver(1)
    assert state(database) == ("failed", "503", 5)


def test_a_message_that_never_reaches_its_provider_fails_after_its_last_attempt(
    database: Database, aws: Aws, askable: ProviderSimulator, configure: Configure
) -> None:
    configure(MAX_ATTEMPTS="2")
    accept(aws)
    askable.behave(Behaviour(close="before"))
    for _ in range(6):
        deliver(1)
        let_pass(database, 60)
    assert state(database) == ("failed", "no_answer", 2)
    assert events(database)[-1] == ["resolved", 2, "failed", "not_found"]
    assert database.rows(QUEUED) == []
    assert len(askable.requests) == 2


@pytest.mark.parametrize(("seconds", "least", "most"), [(300, 298, 301), (-300, 0, 4), (2 * DAY, DAY, DAY)])
def test_a_retry_after_may_be_a_date(
    database: Database, aws: Aws, providers: ProviderSimulator, seconds: int, least: float, most: float
) -> None:
    accept(aws)
    providers.behave(Behaviour(status=429, retry_at=seconds))
    deliver(1)
    assert least - 0.5 <= wait(database) <= most


def test_the_relay_dispatches_after_a_wait_that_the_queue_cannot_hold(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    accept(aws)
    providers.behave(Behaviour(status=503, retry_after=2000, times=1))
    deliver(1)
    assert wait(database) == pytest.approx(2000, abs=1)
    assert aws.count_delayed() == 0
    let_pass(database, 1990)
    assert relayed(aws) == []
    let_pass(database, 11)
    assert relayed(aws) == [1]
    deliver(1)
    assert state(database) == ("sent", None, 2)
