"""Status lookups: when they are made, and what a failed, a repeated and a late lookup does."""

from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise

import pytest

from local import Behaviour
from local.simulators.provider import ProviderSimulator
from messaging import providers as registry
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts
from messaging.outbound.attempts import UnknownOutcome
from messaging.providers import json_gateway
from messaging.providers.provider import ProviderResult
from tests.support import messages
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database
from tests.support.delivery import accept, deliver, events, let_pass, relayed, state

pytestmark = [pytest.mark.usefixtures("aws"), pytest.mark.slow]

FIRST_LOOKUP, NOT_FOUND_AFTER, UNKNOWN_AFTER = 15, 60, 600
LOST = ["attempt", 1, "unknown", "no_answer"]
NEXT_LOOKUP = """
    SELECT extract(epoch FROM q.next_attempt_at - a.ended_at)::float, q.dispatch_at = q.next_attempt_at
      FROM outbound_queue q JOIN attempts a ON a.message_id = q.message_id"""


def lose_answer(aws: Aws, provider: ProviderSimulator, policy: str | None = None) -> None:
    """Make message 1 unknown: the provider takes it, and its answer is lost."""
    accept(aws, delivery_policy=policy)
    provider.behave(Behaviour(close="after"))
    deliver(1)
    provider.behave()


def claim_lookup() -> UnknownOutcome:
    [unknown] = attempts.claim([1], messages.LEASE).unknown
    return unknown


def lookup_count(id: int) -> int:
    return len(attempts.claim([id], messages.LEASE).unknown)


def test_lookups_are_spaced_out_until_the_outcome_is_resolved(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    lose_answer(aws, providers)
    times = [0.0]
    while len(events(database)) == 1:
        [[after, dispatched]] = database.rows(NEXT_LOOKUP)
        assert isinstance(after, float)
        assert len(times) == 1 or dispatched
        let_pass(database, after - times[-1])
        deliver(1)
        times.append(after)
    waits = [later - earlier for earlier, later in pairwise(times)]
    assert times[1] == pytest.approx(FIRST_LOOKUP, abs=1)
    assert waits[1:-1] == sorted(waits[1:-1])
    assert 4 <= len(waits) <= 8
    assert UNKNOWN_AFTER <= times[-1] <= UNKNOWN_AFTER + 2


@pytest.mark.slow
def test_fifty_claims_at_once_make_one_lookup(
    database: Database, aws: Aws, providers: ProviderSimulator, environments: ProcessPoolExecutor
) -> None:
    ids = accept(aws, 3)
    providers.behave(Behaviour(close="after"))
    deliver(*ids)
    # Not at the end, where lookups are a second apart: fifty claims may take longer.
    let_pass(database, UNKNOWN_AFTER / 2)
    assert [sum(environments.map(lookup_count, [id] * 50)) for id in ids] == [1, 1, 1]


def test_a_lookup_knows_when_the_attempt_began(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    lose_answer(aws, providers)
    let_pass(database, UNKNOWN_AFTER)
    assert claim_lookup().message.attempted_at == database.value("SELECT started_at FROM attempts")


class FindsAnother(json_gateway.Sms):
    """Finds another message: it compares messages by their text."""

    def fetch_status(self, message: OutboundMessage) -> ProviderResult:
        return ProviderResult("p-1")


def test_the_id_of_another_message_is_not_evidence(
    database: Database, aws: Aws, providers: ProviderSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answer(aws, providers)
    messages.record_sent(messages.claim_new(), "p-1")
    monkeypatch.setitem(registry.REGISTRY, "sms", FindsAnother)
    let_pass(database, FIRST_LOOKUP)
    deliver(1)
    assert state(database, 1) == ("unknown", "no_answer", 1)
    let_pass(database, UNKNOWN_AFTER)
    deliver(1)
    assert events(database) == [LOST, ["resolved", 1, "unknown", "no_evidence"]]


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN, Status.SENT])
def test_a_late_lookup_does_not_resolve_the_next_attempt(
    database: Database, aws: Aws, askable: ProviderSimulator, status: Status
) -> None:
    lose_answer(aws, askable)
    let_pass(database, FIRST_LOOKUP)
    late = claim_lookup()
    assert attempts.resolve(late.message.token, Status.QUEUED, "not_found", "") == (1, 1)
    again = messages.claim(1)
    attempts.record(again.token, Status.UNKNOWN, failure="unknown", wait=messages.LEASE)
    if status is Status.SENT:
        attempts.record(late.message.token, Status.SENT, provider_message_id="p-1")
    else:
        assert attempts.resolve(late.message.token, status, "late", "") is None
    assert (state(database)[0], state(database)[2]) == ("unknown", 2)
    assert database.value("SELECT provider_message_id FROM messages") is None
    assert "late" not in [code for *_, code in events(database)]
    let_pass(database, messages.LEASE.total_seconds())
    assert claim_lookup().message.token == again.token, "lookups of the next attempt go on"


@pytest.mark.parametrize("status", [Status.QUEUED, Status.UNKNOWN])
def test_resolving_an_attempt_twice_changes_nothing(
    database: Database, aws: Aws, providers: ProviderSimulator, status: Status
) -> None:
    lose_answer(aws, providers)
    let_pass(database, UNKNOWN_AFTER)
    token = claim_lookup().message.token
    assert attempts.resolve(token, status, "first", "") == (1, 1)
    before = messages.read(1)
    for other in (Status.QUEUED, Status.UNKNOWN):
        assert attempts.resolve(token, other, "second", "") is None
    assert messages.read(1) == before


@pytest.mark.parametrize(
    "behaviour",
    [
        *(Behaviour(status=status) for status in (302, 400, 401, 429, 500, 503)),
        Behaviour(close="before"),
        Behaviour(answer="garbage"),
        Behaviour(answer="half"),
        Behaviour(body="<html>"),
        Behaviour(body={"messaging_provider_id": None}),
    ],
)
def test_a_failed_lookup_is_not_evidence_and_is_repeated(
    database: Database, aws: Aws, askable: ProviderSimulator, behaviour: Behaviour
) -> None:
    lose_answer(aws, askable)
    askable.behave(behaviour, at="sms/lookup")
    let_pass(database, NOT_FOUND_AFTER)
    deliver(1)
    assert state(database) == ("unknown", "no_answer", 1)
    assert len(events(database)) == len(askable.lookups) == 1
    askable.behave()
    let_pass(database, 2 * NOT_FOUND_AFTER)
    assert relayed(aws) == [1]
    deliver(1)
    assert state(database) == ("sent", None, 1)
    assert len(askable.requests) == 1


def test_the_policy_decides_if_every_lookup_fails(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable, "at_least_once")
    askable.behave(Behaviour(status=500), at="sms/lookup")
    let_pass(database, UNKNOWN_AFTER)
    for _ in range(2):
        deliver(1)
    assert state(database) == ("sent", None, 2)
    assert len(askable.lookups) == 1


class BuggyProvider(json_gateway.Sms):
    def fetch_status(self, message: OutboundMessage) -> ProviderResult | None:
        raise KeyError(message.body)


def test_a_bug_in_a_lookup_does_not_affect_other_messages(
    database: Database, aws: Aws, askable: ProviderSimulator, monkeypatch: pytest.MonkeyPatch
) -> None:
    lose_answer(aws, askable)
    monkeypatch.setitem(registry.REGISTRY, "sms", BuggyProvider)
    [other] = accept(aws)
    let_pass(database, UNKNOWN_AFTER)
    deliver(1, other)
    assert state(database, other)[0] == "sent"
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]


def test_a_lookup_whose_worker_died_is_repeated(
    database: Database, aws: Aws, askable: ProviderSimulator
) -> None:
    lose_answer(aws, askable)
    let_pass(database, FIRST_LOOKUP)
    claim_lookup()
    assert relayed(aws) == []
    let_pass(database, 2 * FIRST_LOOKUP)
    assert relayed(aws) == [1]
    deliver(1)
    assert state(database) == ("sent", None, 1)


def test_the_last_lookup_is_repeated_too_if_its_worker_died(
    database: Database, aws: Aws, providers: ProviderSimulator
) -> None:
    lose_answer(aws, providers)
    let_pass(database, UNKNOWN_AFTER)
    claim_lookup()
    let_pass(database, 1)
    assert relayed(aws) == [1]
    deliver(1)
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]


def test_a_provider_that_was_removed_cannot_be_asked(
    database: Database, aws: Aws, askable: ProviderSimulator, configure: Configure
) -> None:
    lose_answer(aws, askable)
    configure(PROVIDERS="email")
    let_pass(database, UNKNOWN_AFTER)
    deliver(1)
    assert events(database)[1:] == [["resolved", 1, "unknown", "no_evidence"]]
    assert askable.lookups == []
