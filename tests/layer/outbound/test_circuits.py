"""Circuits: when a provider is skipped, which message tries it again, and what closes the circuit."""

from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest

from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts, circuits, store
from messaging.outbound.attempts import Recorded
from tests.support import messages
from tests.support.api import call
from tests.support.aws import Aws
from tests.support.database import Database
from tests.support.delivery import let_pass, relayed

pytestmark = pytest.mark.slow

PROVIDER_FAILURES = ["temporary", "misconfigured", "unknown"]
REFUSALS = ["permanent", "opted_out"]
NOT_ALLOWED = "sender_not_allowed"
NOT_SENT = ["unready", "unsendable"]
RETRY_WAIT = timedelta(hours=1)
CIRCUIT = "SELECT changed_at, open_until, openings FROM circuits"
OPEN_FOR = "SELECT round(extract(epoch FROM open_until - changed_at))::int FROM circuits"


def record(claimed: OutboundMessage, failure: str | None) -> Recorded:
    """Record what delivery records after a failure of this kind, or after a success (None)."""
    if failure is None:
        return attempts.record(claimed.token, Status.SENT)
    if failure in (*REFUSALS, "unsendable"):
        return attempts.record(claimed.token, Status.FAILED, failure=failure)
    status = Status.UNKNOWN if failure == "unknown" else Status.QUEUED
    return attempts.record(claimed.token, status, failure=failure, wait=RETRY_WAIT)


def attempt(*failures: str | None) -> list[bool]:
    """Make attempts with a message each. Returns for each whether it opened the circuit."""
    return [record(messages.claim_new(), failure).circuit_opened for failure in failures]


def accept() -> int:
    return messages.accept(messages.sms_to_new_contact())[1].id


def open_circuit() -> None:
    assert attempt(*["temporary"] * 10)[-1]


def claim(ids: Sequence[int]) -> list[OutboundMessage]:
    return attempts.claim(ids, messages.LEASE).messages


def claim_count(id: int) -> int:
    return len(claim([id]))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("failure", PROVIDER_FAILURES)
def test_a_circuit_opens_when_half_of_ten_attempts_failed_through_the_provider(failure: str) -> None:
    assert circuits.list_open() == []
    assert attempt(*[None] * 5, *[failure] * 5) == [False] * 9 + [True]
    assert circuits.list_open() == ["sms"]
    assert claim([accept()]) == []


@pytest.mark.usefixtures("database")
def test_timeouts_that_end_after_a_burst_of_successes_open_nothing() -> None:
    slow, quick = ([messages.claim_new() for _ in range(count)] for count in (10, 30))
    assert not any(record(message, None).circuit_opened for message in quick)
    assert not any(record(message, "unknown").circuit_opened for message in slow)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "failures",
    [
        ["temporary"] * 9,
        [None] * 6 + ["temporary"] * 5,
        ["throttled"] * 20,
        [NOT_ALLOWED] * 20,
        *([answer] * 20 for answer in REFUSALS),
        *([failure] * 20 + ["temporary"] * 9 for failure in NOT_SENT),
        [None] * 20 + ["temporary"] * 9,
    ],
    ids=["nine", "five of eleven", "throttled", NOT_ALLOWED, *REFUSALS, *NOT_SENT, "nine of the last twenty"],
)
def test_fewer_failures_leave_the_circuit_closed(failures: list[str | None]) -> None:
    assert not any(attempt(*failures))
    assert claim_count(accept()) == 1


@pytest.mark.usefixtures("database")
def test_only_the_last_twenty_attempts_count() -> None:
    assert attempt(*[None] * 20, *["temporary"] * 10)[-1]


def test_only_the_attempts_of_the_last_minute_count(database: Database) -> None:
    attempt(*["temporary"] * 9)
    let_pass(database, 61)
    assert not any(attempt(*["temporary"] * 9))
    assert attempt("temporary") == [True]


@pytest.mark.usefixtures("database")
def test_each_provider_has_its_own_circuit() -> None:
    open_circuit()
    _, email, _ = store.accept_message(messages.ACCOUNT, messages.email(), ["email"])
    assert email is not None
    assert claim_count(email.id) == 1


def test_a_postponed_message_is_dispatched_when_the_circuit_is_half_open(
    database: Database, aws: Aws
) -> None:
    open_circuit()
    id = accept()
    assert claim_count(id) == 0
    postponed = """
        SELECT status, attempt_count, dispatch_at = open_until
          FROM messages JOIN outbound_queue ON message_id = id, circuits WHERE id = :id"""
    assert database.rows(postponed, id=id) == [["queued", 0, True]]
    assert relayed(aws) == []
    let_pass(database, 30)
    assert relayed(aws) == [id]
    assert claim_count(id) == 1


@pytest.mark.slow
def test_only_one_of_eight_workers_tries_a_half_open_provider(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    open_circuit()
    for _ in range(3):
        ids = [accept() for _ in range(8)]
        let_pass(database, 31)
        assert sum(environments.map(claim_count, ids)) == 1


def test_a_success_closes_the_circuit(database: Database) -> None:
    open_circuit()
    let_pass(database, 30)
    assert attempt(None) == [False]
    assert circuits.list_open() == []
    assert len(claim([accept() for _ in range(5)])) == 5


@pytest.mark.parametrize("answer", REFUSALS)
def test_a_refused_message_closes_the_circuit_too(database: Database, answer: str) -> None:
    open_circuit()
    let_pass(database, 30)
    attempt(answer)
    assert circuits.list_open() == []


@pytest.mark.parametrize("failure", NOT_SENT)
def test_an_attempt_that_did_not_reach_the_provider_does_not_count(database: Database, failure: str) -> None:
    attempt(*["temporary"] * 9, *[failure] * 20)
    assert attempt("temporary") == [True], (
        "attempts that did not reach the provider are not among the last twenty"
    )
    let_pass(database, 31)
    before = database.rows("SELECT changed_at, openings FROM circuits")
    assert attempt(failure) == [False]
    assert database.rows("SELECT changed_at, openings FROM circuits") == before
    assert circuits.list_open() == ["sms"]
    let_pass(database, 31)
    attempt(None)
    assert circuits.list_open() == []


def test_each_failed_trial_doubles_the_open_time_up_to_five_minutes(database: Database) -> None:
    open_circuit()
    seconds = [database.value(OPEN_FOR)]
    for _ in range(6):
        assert isinstance(seconds[-1], int)
        let_pass(database, seconds[-1] + 1)
        assert attempt("unknown") == [True]
        seconds.append(database.value(OPEN_FOR))
    assert seconds == [30, 60, 120, 240, 300, 300, 300]
    let_pass(database, 301)
    attempt(None)
    open_circuit()
    assert database.value(OPEN_FOR) == 30


def test_a_throttled_trial_closes_the_circuit(database: Database) -> None:
    open_circuit()
    let_pass(database, 31)
    attempt("throttled")
    assert [claim_count(accept()), claim_count(accept())] == [1, 1]


def test_a_postponed_message_stays_first_in_its_conversation(database: Database) -> None:
    open_circuit()
    first, second = (messages.accept()[1].id for _ in range(2))
    assert claim([first, second]) == []
    let_pass(database, 31)
    attempt(None)
    assert [message.id for message in claim([second])] == [first]


def test_a_trial_whose_worker_died_is_followed_by_another(database: Database) -> None:
    open_circuit()
    let_pass(database, 31)
    assert [claim_count(accept()), claim_count(accept())] == [1, 0]
    let_pass(database, 31)
    assert [claim_count(accept()), claim_count(accept())] == [1, 0]


@pytest.mark.parametrize("failure", [None, "permanent", *PROVIDER_FAILURES])
def test_attempts_that_began_before_the_circuit_changed_do_not_change_it(
    database: Database, failure: str | None
) -> None:
    late = [messages.claim_new() for _ in range(4)]
    open_circuit()
    before = database.rows(CIRCUIT)
    assert not record(late[0], failure).circuit_opened
    assert database.rows(CIRCUIT) == before, "while the circuit is open"
    let_pass(database, 31)
    before = database.rows(CIRCUIT)
    assert not record(late[1], failure).circuit_opened
    assert database.rows(CIRCUIT) == before, "while it is half-open"
    attempt(None)
    before = database.rows(CIRCUIT)
    assert [record(message, failure).circuit_opened for message in late[2:]] == [False, False]
    assert database.rows(CIRCUIT) == before, "after it closed"


def test_failures_before_the_circuit_closed_do_not_open_it_again(database: Database) -> None:
    open_circuit()
    let_pass(database, 30)
    attempt(None)
    assert not any(attempt(*["temporary"] * 9))
    assert attempt("temporary") == [True]


def test_health_shows_circuits_in_detail(database: Database) -> None:
    def health() -> list[tuple[str, str, bool]]:
        answer = call("GET", "/healthz?detail=true")
        assert answer.status == 200
        assert answer.json["status"] == "ok"
        providers = answer.json["providers"]
        return [(entry["name"], entry["circuit"], entry["open_until"] is None) for entry in providers]

    email_closed = ("email", "closed", True)
    assert health() == [("sms", "closed", True), email_closed]
    open_circuit()
    assert health() == [("sms", "open", False), email_closed]
    let_pass(database, 30)
    assert health() == [("sms", "half_open", False), email_closed]
    attempt(None)
    assert health() == [("sms", "closed", True), email_closed]
    assert call("GET", "/healthz").json == {"status": "ok"}
