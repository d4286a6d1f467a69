"""Unknown outcomes: resolved by the provider's answer to a lookup, by a report, or by the delivery policy."""

from datetime import timedelta

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
from tests.support.delivery import accept, deliver, events, let_pass, relayed, state

pytestmark = pytest.mark.usefixtures("aws")

FIRST_LOOKUP, NOT_FOUND_AFTER, UNKNOWN_AFTER = 15, 60, 600
LOST = ["attempt", 1, "unknown", "no_answer"]
WAITING = "SELECT message_id FROM outbound_queue"


def lose_answer(aws: Aws, provider: ProviderSimulator, *, accepted: bool, policy: str | None = None) -> None:
    """Make message 1 unknown: its answer is lost, and the provider has `accepted` it or not."""
    accept(aws, delivery_policy=policy)
    provider.behave(Behaviour(close="after" if accepted else "before"))
    deliver(1)
    provider.behave()


def test_a_message_that_the_provider_has_is_sent_with_the_provider_s_id(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable, accepted=True)
    let_pass(database, FIRST_LOOKUP)
    deliver(1)
    assert state(database) == ("sent", None, 1)
    [request] = askable.requests
    assert message(1)["provider_message_id"] == request.id is not None
    assert events(database) == [LOST, ["attempt", 1, "sent", None]]
    assert database.rows(WAITING) == []
    assert [lookup.body["reference"] for lookup in askable.lookups] == ["1"]


def test_a_message_that_the_provider_does_not_have_is_sent_again(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable, accepted=False)
    let_pass(database, NOT_FOUND_AFTER)
    aws.receive_queued()
    deliver(1)
    assert state(database) == ("queued", "no_answer", 1)
    assert [dispatch["Body"] for dispatch in aws.receive_queued()] == ["1"]
    for _ in range(2):
        deliver(1)
    assert state(database) == ("sent", None, 2)
    assert [request.id is not None for request in askable.requests] == [False, True]
    assert events(database) == [LOST, ["resolved", 1, "queued", "not_found"], ["attempt", 2, "sent", None]]


def test_not_found_is_not_believed_in_the_first_minute(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable, accepted=True)
    askable.behave(Behaviour(status=404), at="sms/lookup")
    let_pass(database, FIRST_LOOKUP)
    deliver(1)
    assert events(database) == [LOST]
    askable.behave()
    let_pass(database, NOT_FOUND_AFTER)
    deliver(1)
    assert state(database) == ("sent", None, 1)
    assert len(askable.requests) == 1


def test_not_found_is_believed_at_the_end_of_the_shortest_unknown_after(
    database: Database, aws: Aws, askable: ProviderSimulator, configure: Configure
) -> None:
    configure(UNKNOWN_AFTER="60")
    lose_answer(aws, askable, accepted=False)
    let_pass(database, 60)
    deliver(1)
    assert events(database)[1:] == [["resolved", 1, "queued", "not_found"]]


def test_no_lookup_is_made_before_its_time(database: Database, aws: Aws, askable: ProviderSimulator) -> None:
    lose_answer(aws, askable, accepted=True)
    let_pass(database, FIRST_LOOKUP - 10)
    deliver(1)
    assert askable.lookups == []
    assert state(database) == ("unknown", "no_answer", 1)


def test_without_a_lookup_the_outcome_is_resolved_after_unknown_after(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    lose_answer(aws, providers, accepted=False)
    let_pass(database, UNKNOWN_AFTER - 30)
    assert relayed(aws) == [1]
    deliver(1)
    assert events(database) == [LOST]
    assert database.rows(WAITING) == [[1]]
    let_pass(database, 31)
    assert relayed(aws) == [1]
    deliver(1)
    assert database.rows(WAITING) == []
    let_pass(database, 10 * UNKNOWN_AFTER)
    assert relayed(aws) == []
    deliver(1)
    resolved = message(1)
    assert (resolved["status"], resolved["error"]["code"]) == ("unknown", "no_answer")
    assert [(event["kind"], event["status"], event["code"]) for event in resolved["events"]] == [
        ("attempt", "unknown", "no_answer"),
        ("resolved", "unknown", "no_evidence"),
    ]
    assert len(providers.requests) == 1


def test_unknown_after_is_a_setting(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure
) -> None:
    configure(UNKNOWN_AFTER="90")
    lose_answer(aws, providers, accepted=False)
    let_pass(database, 80)
    deliver(1)
    assert events(database) == [LOST]
    let_pass(database, 10)
    deliver(1)
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]


@pytest.mark.parametrize(
    ("requested", "default", "is_sent_again"),
    [
        (None, "", False),
        (None, "at_most_once", False),
        (None, "at_least_once", True),
        ("at_least_once", "at_most_once", True),
        ("at_most_once", "at_least_once", False),
    ],
)
def test_the_policy_decides_and_the_request_s_overrides_the_deployment_s(
    database: Database,
    aws: Aws,
    providers: ProviderSimulator,
    configure: Configure,
    requested: str | None,
    default: str,
    is_sent_again: bool,
) -> None:
    configure(DELIVERY_POLICY=default)
    lose_answer(aws, providers, accepted=True, policy=requested)
    let_pass(database, UNKNOWN_AFTER)
    for _ in range(2):
        deliver(1)
    if is_sent_again:
        assert state(database) == ("sent", None, 2)
        assert events(database)[1:] == [
            ["resolved", 1, "queued", "no_evidence"],
            ["attempt", 2, "sent", None],
        ]
    else:
        assert state(database) == ("unknown", "no_answer", 1)
        assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]
    assert len(providers.requests) == 1 + is_sent_again


@pytest.mark.parametrize("used_up", [{"MAX_ATTEMPTS": "1"}, {"MAX_AGE": str(UNKNOWN_AFTER // 2)}])
def test_a_message_without_attempts_or_time_left_is_not_sent_again(
    database: Database, aws: Aws, providers: ProviderSimulator, configure: Configure, used_up: dict[str, str]
) -> None:
    configure(**used_up)
    lose_answer(aws, providers, accepted=False, policy="at_least_once")
    let_pass(database, UNKNOWN_AFTER)
    for _ in range(2):
        deliver(1)
    assert state(database) == ("unknown", "no_answer", 1)
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]
    assert database.rows(WAITING) == []
    assert len(providers.requests) == 1


@pytest.mark.parametrize("seconds", [0, UNKNOWN_AFTER])
@pytest.mark.parametrize("status", [Status.SENT, Status.DELIVERED, Status.FAILED])
def test_a_report_by_our_id_resolves_the_outcome_even_after_its_end(
    database: Database, aws: Aws, providers: ProviderSimulator, seconds: int, status: Status
) -> None:
    lose_answer(aws, providers, accepted=True)
    let_pass(database, seconds)
    deliver(1)
    assert messages.report(status, "p-1", 1)[0] == "moved"
    assert state(database)[0] == status
    assert database.rows(WAITING) == []
    before = events(database)
    let_pass(database, UNKNOWN_AFTER)
    deliver(1)
    assert (state(database)[0], events(database)) == (status, before)


def test_a_report_without_a_status_resolves_nothing(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable, accepted=True)
    assert messages.report(None, None, 1)[0] == "noted"
    let_pass(database, FIRST_LOOKUP)
    deliver(1)
    assert state(database)[0] == "sent"


def expire_lease(database: Database, aws: Aws) -> None:
    """Make message 1 unknown: its worker died before the call, and the relay expired the lease."""
    accept(aws)
    attempts.claim([1], timedelta(seconds=1))
    let_pass(database, 2)
    assert relayed(aws) == [1]
    assert state(database) == ("unknown", "lease_expired", 1)


def test_an_expired_lease_is_looked_up_at_once(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    expire_lease(database, aws)
    deliver(1)
    assert state(database) == ("unknown", "lease_expired", 1)
    let_pass(database, NOT_FOUND_AFTER)
    assert relayed(aws) == [1]
    for _ in range(2):
        deliver(1)
    assert state(database) == ("sent", None, 2)
    assert events(database)[1] == ["resolved", 1, "queued", "not_found"]
    assert (len(askable.lookups), len(askable.requests)) == (2, 1)


def test_an_expired_lease_is_resolved_like_any_unknown_outcome(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    expire_lease(database, aws)
    deliver(1)
    assert database.rows(WAITING) == [[1]]
    let_pass(database, UNKNOWN_AFTER)
    assert relayed(aws) == [1]
    deliver(1)
    assert state(database) == ("unknown", "lease_expired", 1)
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]
    assert database.rows(WAITING) == []
    assert providers.requests == []
