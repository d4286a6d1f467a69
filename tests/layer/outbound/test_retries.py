"""The retry schedule and what each kind of result means, without a provider or a database."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from messaging import failures
from messaging.models import Channel, OutboundMessage, Status
from messaging.outbound.retries import MAX_RETRY_AFTER, Result, backoff, decide
from messaging.providers.provider import ProviderResult
from tests.support.configuration import Configure

MAX_ATTEMPTS = 3


def shortest(low: float, high: float) -> float:
    return low


def longest(low: float, high: float) -> float:
    return high


@pytest.fixture(autouse=True)
def _settings(configure: Configure) -> None:
    configure(MAX_ATTEMPTS=str(MAX_ATTEMPTS))


def message(tries: int = 1) -> OutboundMessage:
    return OutboundMessage.model_validate(
        {
            "id": 1,
            "type": Channel.SMS,
            "from": "+12016661234",
            "to": "+18045551234",
            "provider": "sms",
            "token": uuid4(),
            "attempt": tries,
            "tries": tries,
            "timestamp": datetime.now(UTC),
        }
    )


@pytest.mark.parametrize(
    ("attempt", "seconds"), [(1, 4), (2, 8), (3, 16), (10, 2048), (11, 3600), (20, 3600), (5000, 3600)]
)
def test_the_longest_wait_doubles_with_every_attempt_up_to_an_hour(attempt: int, seconds: int) -> None:
    assert backoff(attempt, jitter=longest) == timedelta(seconds=seconds)
    assert backoff(attempt, jitter=shortest) == timedelta()


@pytest.mark.parametrize("attempt", [1, 3, 20, 500])
def test_waits_are_spread_over_the_whole_window(attempt: int) -> None:
    """So that messages which failed together do not all come back together."""
    window = backoff(attempt, jitter=longest)
    waits = [backoff(attempt) for _ in range(100)]
    assert max(waits) <= window
    assert min(waits) < window / 2 < max(waits)


@pytest.mark.parametrize(
    ("retry_after", "wait"),
    [
        (timedelta(), timedelta()),
        (timedelta(minutes=2), timedelta(minutes=2)),
        (timedelta(days=30), MAX_RETRY_AFTER),
    ],
)
def test_a_wait_is_at_least_as_long_as_the_provider_asks_up_to_a_day(
    retry_after: timedelta, wait: timedelta
) -> None:
    assert backoff(1, retry_after, jitter=shortest) == wait


def test_a_longer_backoff_counts_more_than_what_the_provider_asks() -> None:
    assert backoff(3, timedelta(seconds=1), jitter=longest) == timedelta(seconds=16)


@pytest.mark.parametrize(
    ("result", "status"),
    [
        (ProviderResult("p-1"), Status.SENT),
        (failures.TemporaryFailure("503", ""), Status.QUEUED),
        (failures.Throttled("429", ""), Status.QUEUED),
        (failures.Unready("no_media", ""), Status.QUEUED),
        (failures.Misconfigured("401", ""), Status.QUEUED),
        (failures.PermanentFailure("400", ""), Status.FAILED),
        (failures.OptedOut("21610", ""), Status.FAILED),
        (failures.OutcomeUnknown("no_answer", ""), Status.UNKNOWN),
        (KeyError("a bug in a provider"), Status.UNKNOWN),
        (None, Status.UNKNOWN),
    ],
    ids=lambda value: type(value).__name__,
)
def test_each_result_has_its_status(result: Result, status: Status) -> None:
    decision = decide(message(), result)
    assert decision.status is status
    assert (decision.wait is None) == (status in (Status.SENT, Status.FAILED))


@pytest.mark.parametrize(
    ("tries", "status"), [(MAX_ATTEMPTS - 1, Status.QUEUED), (MAX_ATTEMPTS, Status.FAILED)]
)
def test_a_temporary_failure_is_final_after_the_last_attempt(tries: int, status: Status) -> None:
    assert decide(message(tries), failures.TemporaryFailure("503", "")).status is status


def test_a_misconfigured_provider_never_ends_a_message() -> None:
    assert decide(message(10 * MAX_ATTEMPTS), failures.Misconfigured("401", "")).status is Status.QUEUED


def test_the_first_lookup_comes_after_15_seconds() -> None:
    assert decide(message(), failures.OutcomeUnknown("no_answer", "")).wait == timedelta(seconds=15)
