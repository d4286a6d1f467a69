"""What the result of an attempt means: the message's status, and when it is due again.

This is the only place that decides what a failure means, and it holds the retry schedule.
"""

import random
from collections.abc import Callable
from datetime import timedelta
from typing import NamedTuple

from messaging.failures import Misconfigured, PermanentFailure, TemporaryFailure
from messaging.models import OutboundMessage, Status
from messaging.providers.provider import ProviderResult
from messaging.settings import settings

RETRY_BASE_SECONDS = 2.0
"""Doubled with every attempt."""
MAX_RETRY_SECONDS = 3600.0
MAX_RETRY_AFTER = timedelta(days=1)
"""The longest wait that a provider can ask for."""
FIRST_LOOKUP_SECONDS = 15.0
"""After an attempt without an answer, its provider is asked about it. The database spaces later lookups."""

Result = ProviderResult | Exception | None
"""How a call to a provider ended. Calls run in threads and only the main thread speaks to the database, so an
exception is returned as a value. None means that a lookup did not find the message."""


class Decision(NamedTuple):
    status: Status
    wait: timedelta | None
    """Until the next attempt with QUEUED, and until the first status lookup with UNKNOWN."""


def decide(message: OutboundMessage, result: Result) -> Decision:
    """Return what happens to a message after an attempt to send it."""
    if isinstance(result, ProviderResult):
        return Decision(Status.SENT, None)
    if isinstance(result, Misconfigured):
        # The credentials are wrong, not the message. Only its age ends it.
        return Decision(Status.QUEUED, backoff(message.attempt, result.retry_after))
    if isinstance(result, TemporaryFailure):
        if message.tries < settings().max_attempts:
            return Decision(Status.QUEUED, backoff(message.attempt, result.retry_after))
        return Decision(Status.FAILED, None)
    if isinstance(result, PermanentFailure):
        return Decision(Status.FAILED, None)
    return Decision(Status.UNKNOWN, timedelta(seconds=FIRST_LOOKUP_SECONDS))


def backoff(
    attempt: int,
    retry_after: timedelta | None = None,
    jitter: Callable[[float, float], float] = random.uniform,
) -> timedelta:
    """Return how long to wait after an attempt, the first being 1: exponential backoff with full jitter.

    The wait is at least the provider's `retry_after`, up to MAX_RETRY_AFTER.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    # The exponent is capped because a float ends at 2**1024.
    window = min(MAX_RETRY_SECONDS, RETRY_BASE_SECONDS * 2 ** min(attempt, 20))
    wait = timedelta(seconds=jitter(0, window))
    if retry_after is None:
        return wait
    return max(wait, min(retry_after, MAX_RETRY_AFTER))
