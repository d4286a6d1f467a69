"""Circuits: when a provider is let alone, who tries it again, and what that changes."""

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

FAULTS = ["temporary", "misconfigured", "unknown"]
ANSWERS = ["permanent", "opted_out"]
UNASKED = ["unready", "unsendable"]
LATER = timedelta(hours=1)
CIRCUIT = "SELECT changed_at, open_until, openings FROM circuits"
OPEN_FOR = "SELECT round(extract(epoch FROM open_until - changed_at))::int FROM circuits"


def end(claimed: OutboundMessage, failure: str | None) -> Recorded:
    """Records as delivery does after a failure of this kind, or after a success."""
    if failure is None:
        return attempts.record(claimed.token, Status.SENT)
    if failure in (*ANSWERS, "unsendable"):
        return attempts.record(claimed.token, Status.FAILED, failure=failure)
    status = Status.UNKNOWN if failure == "unknown" else Status.QUEUED
    return attempts.record(claimed.token, status, failure=failure, wait=LATER)


def attempt(*failures: str | None) -> list[bool]:
    """One attempt after the other, of a message each: whether it opened the circuit."""
    return [end(messages.claimed(), failure).circuit_opened for failure in failures]


def accept() -> int:
    return messages.accept(messages.apart())[1].id


def open_circuit() -> None:
    assert attempt(*["temporary"] * 10)[-1]


def tried(ids: Sequence[int]) -> list[OutboundMessage]:
    return attempts.claim(ids, messages.LEASE).messages


def trials(id: int) -> int:
    return len(tried([id]))


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize("failure", FAULTS)
def test_a_circuit_opens_when_half_of_ten_attempts_failed_through_the_provider(failure: str) -> None:
    assert circuits.list_open() == []
    assert attempt(*[None] * 5, *[failure] * 5) == [False] * 9 + [True]
    assert circuits.list_open() == ["sms"]
    assert tried([accept()]) == []


@pytest.mark.usefixtures("database")
def test_timeouts_that_end_after_a_burst_of_successes_open_nothing() -> None:
    slow, quick = ([messages.claimed() for _ in range(count)] for count in (10, 30))
    assert not any(end(one, None).circuit_opened for one in quick)
    assert not any(end(one, "unknown").circuit_opened for one in slow)


@pytest.mark.usefixtures("database")
@pytest.mark.parametrize(
    "failures",
    [
        ["temporary"] * 9,
        [None] * 6 + ["temporary"] * 5,
        ["throttled"] * 20,
        *([answer] * 20 for answer in ANSWERS),
        *([unasked] * 20 + ["temporary"] * 9 for unasked in UNASKED),
        [None] * 20 + ["temporary"] * 9,
    ],
    ids=["nine", "five of eleven", "throttled", *ANSWERS, *UNASKED, "nine of the last twenty"],
)
def test_fewer_failures_leave_the_circuit_closed(failures: list[str | None]) -> None:
    assert not any(attempt(*failures))
    assert trials(accept()) == 1


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
    assert trials(email.id) == 1


def test_a_postponed_message_is_dispatched_when_the_circuit_is_half_open(
    database: Database, aws: Aws
) -> None:
    open_circuit()
    id = accept()
    assert trials(id) == 0
    postpone = """
        SELECT status, attempt_count, dispatch_at = open_until
          FROM messages JOIN outbound_queue ON message_id = id, circuits WHERE id = :id"""
    assert database.rows(postpone, id=id) == [["queued", 0, True]]
    assert relayed(aws) == []
    let_pass(database, 30)
    assert relayed(aws) == [id]
    assert trials(id) == 1


def test_only_one_of_eight_workers_tries_a_half_open_provider(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    open_circuit()
    for _ in range(3):
        ids = [accept() for _ in range(8)]
        let_pass(database, 31)
        assert sum(environments.map(trials, ids)) == 1


def test_a_success_closes_the_circuit(database: Database) -> None:
    open_circuit()
    let_pass(database, 30)
    assert attempt(None) == [False]
    assert circuits.list_open() == []
    assert len(tried([accept() for _ in range(5)])) == 5


@pytest.mark.parametrize("answer", ANSWERS)
def test_a_refused_message_closes_the_circuit_too(database: Database, answer: str) -> None:
    open_circuit()
    let_pass(database, 30)
    attempt(answer)
    assert circuits.list_open() == []


@pytest.mark.parametrize("failure", UNASKED)
def test_an_attempt_that_did_not_reach_the_provider_does_not_count(database: Database, failure: str) -> None:
    attempt(*["temporary"] * 9, *[failure] * 20)
    assert attempt("temporary") == [True], "they are not among the last twenty"
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
    assert [trials(accept()), trials(accept())] == [1, 1]


def test_a_postponed_message_stays_first_in_its_conversation(database: Database) -> None:
    open_circuit()
    first, second = (messages.accept()[1].id for _ in range(2))
    assert tried([first, second]) == []
    let_pass(database, 31)
    attempt(None)
    assert [one.id for one in tried([second])] == [first]


def test_a_trial_whose_worker_died_is_followed_by_another(database: Database) -> None:
    open_circuit()
    let_pass(database, 31)
    assert [trials(accept()), trials(accept())] == [1, 0]
    let_pass(database, 31)
    assert [trials(accept()), trials(accept())] == [1, 0]


@pytest.mark.parametrize("failure", [None, "permanent", *FAULTS])
def test_attempts_that_began_before_the_circuit_changed_do_not_change_it(
    database: Database, failure: str | None
) -> None:
    late = [messages.claimed() for _ in range(4)]
    open_circuit()
    before = database.rows(CIRCUIT)
    assert not end(late[0], failure).circuit_opened
    assert database.rows(CIRCUIT) == before, "while it is open"
    let_pass(database, 31)
    before = database.rows(CIRCUIT)
    assert not end(late[1], failure).circuit_opened
    assert database.rows(CIRCUIT) == before, "once its time is up"
    attempt(None)
    before = database.rows(CIRCUIT)
    assert [end(one, failure).circuit_opened for one in late[2:]] == [False, False]
    assert database.rows(CIRCUIT) == before, "once it is closed"


def test_failures_before_the_circuit_closed_do_not_open_it_again(database: Database) -> None:
    open_circuit()
    let_pass(database, 30)
    attempt(None)
    assert not any(attempt(*["temporary"] * 9))
    assert attempt("temporary") == [True]


def test_health_shows_circuits_in_detail(database: Database) -> None:
    def told() -> list[tuple[str, str, bool]]:
        answer = call("GET", "/healthz?detail=true")
        assert answer.status == 200
        assert answer.json["status"] == "ok"
        shown = answer.json["providers"]
        return [(one["name"], one["circuit"], one["open_until"] is None) for one in shown]

    well = ("email", "closed", True)
    assert told() == [("sms", "closed", True), well]
    open_circuit()
    assert told() == [("sms", "open", False), well]
    let_pass(database, 30)
    assert told() == [("sms", "half_open", False), well]
    attempt(None)
    assert told() == [("sms", "closed", True), well]
    assert call("GET", "/healthz").json == {"status": "ok"}
