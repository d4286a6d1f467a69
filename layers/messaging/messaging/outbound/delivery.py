"""What goes out to the providers: each message once, or as often as its policy says, and how that ended."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import NamedTuple

from messaging import providers
from messaging.failures import (
    Failure,
    Misconfigured,
    OptedOut,
    OutcomeUnknown,
    PermanentFailure,
    TemporaryFailure,
)
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts, dispatch
from messaging.outbound.attempts import Dispatch, Recorded, Unknown
from messaging.problems import Unavailable
from messaging.providers.provider import SEND_TIME, Provider, ProviderResult, SupportsStatusLookup
from messaging.settings import settings
from messaging.telemetry import count, duration, log_fault, logger

FIRST_RETRY = 2.0  # seconds; doubled with every attempt
LONGEST_RETRY = 3600.0  # seconds
LONGEST_WAIT = timedelta(days=1)
FIRST_LOOK = 15.0  # seconds after which a message of unknown outcome is asked about; then ever later
NOT_THERE_AFTER = 60.0  # seconds until "I do not have it" is believed: a slow provider may be at work on it
BEHIND_ANOTHER = 1.0  # seconds until a conversation's next in line is looked at again
RECORD_TIME = 5.0  # seconds kept after the last call for writing down how it ended
LEASE_MARGIN = 15.0  # seconds that a claim outlives its invocation by: a worker that is gone records no more

Result = ProviderResult | Exception | None
"""Of a call: a failure is a value here, to be recorded by the one who speaks to the database. None where a
provider that was asked has nothing."""


class Due(NamedTuple):
    """What is to be looked at again, and in how many seconds."""

    nudge: Dispatch
    seconds: float


def deliver(ids: Sequence[int], seconds_left: Callable[[], float]) -> None:
    """Hands the messages that are queued and due to their providers, all at once, and records how that ended.

    Of one conversation it is one at a time. Those of unknown outcome that are due are asked about, or
    settled. Others are left alone: they are someone else's, or done. Raises Unavailable where nothing could
    be claimed, and TimeoutError where the time left is too short to call anybody.
    """
    instances = {name: _provider(name) for name in settings().providers}
    if seconds_left() < SEND_TIME + RECORD_TIME:
        raise TimeoutError
    claimed = attempts.claim(ids, timedelta(seconds=seconds_left() + LEASE_MARGIN))
    away = dispatch.dispatch(claimed.waiting, BEHIND_ANOTHER)
    for id in claimed.expired:
        logger.warning("Expired", extra={"message_id": id})
    count("Failed", len(claimed.expired))
    if not claimed.messages and not claimed.unknown:
        return
    faults: list[Exception] = []
    # Calls run in threads; the database and AWS are spoken to by this one alone.
    with ThreadPoolExecutor(len(claimed.messages) + len(claimed.unknown)) as pool:
        calls: dict[Future[Result], OutboundMessage | Unknown] = {
            **{pool.submit(_send, instances.get(one.provider), one): one for one in claimed.messages},
            **{
                pool.submit(_look_up, instances.get(one.message.provider), one.message): one
                for one in claimed.unknown
            },
        }
        for call in as_completed(calls):
            one, result = calls[call], call.result()
            try:
                due = _settle(one, result) if isinstance(one, Unknown) else _record(one, result, seconds_left)
            except Exception as error:  # noqa: BLE001  # raised below, after the others had their record
                faults.append(error)
                continue
            for nudge, seconds in due:
                away = away or dispatch.dispatch([nudge], seconds)  # or else the relay will
    if faults:
        raise faults[0]


def _provider(name: str) -> Provider | None:
    try:
        return providers.named(name)
    except Unavailable:
        raise  # its secret is away: nothing is claimed, and the nudge comes again
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one, the others can send
        log_fault("A provider cannot be used", error, provider=name)
        return None


# --- One attempt -------------------------------------------------------------------------------------


def _send(provider: Provider | None, message: OutboundMessage) -> Result:
    if message.provider not in settings().providers:
        return Misconfigured("not_configured", f"PROVIDERS does not name {message.provider} (any more).")
    if provider is None:
        return Misconfigured("not_configured", f"The provider {message.provider} cannot be used.")
    try:
        return provider.send(message)
    except Exception as failure:  # noqa: BLE001  # a fault of ours after the request was written must be recorded too
        return failure


def _record(message: OutboundMessage, result: Result, seconds_left: Callable[[], float]) -> list[Due]:
    """Writes down how an attempt ended; gives what is to be looked at next."""
    status, wait = _decide(message, result)
    code = reason = failure = None
    if isinstance(result, Failure):
        code, reason, failure = result.code, result.reason, result.kind
    elif isinstance(result, Exception):
        code, reason, failure = "internal_error", "The attempt ended in a fault of this service.", "unknown"
        log_fault("A provider's send raised what it must not", result, message_id=message.id)
    while True:
        try:
            recorded = attempts.record(
                message.token,
                status,
                provider_message_id=result.provider_message_id
                if isinstance(result, ProviderResult)
                else None,
                failure=failure,
                code=code,
                reason=reason,
                wait=wait,
            )
            break
        except Unavailable:
            # Only we know that the provider has answered: while there is time, it is worth waiting for.
            if seconds_left() < 1:
                raise
            time.sleep(0.5)
    _tell(message, status, recorded, code)
    if isinstance(result, Misconfigured):
        count("Misconfigured")
        ours = code == "not_configured"  # then the reason is ours as well, and holds nothing of the answer's
        logger.error(
            "A provider is not configured"
            if ours
            else "A provider refuses our credentials, or is not at its URL",
            extra={"provider": message.provider, "code": code, "reason": reason if ours else None},
        )
    elif isinstance(result, OptedOut):
        count("OptedOut")
    return _due(message.id, recorded)


def _decide(message: OutboundMessage, result: Result) -> tuple[Status, timedelta | None]:
    """The one place that says what a failure means: the message's status, and when it is looked at again."""
    if isinstance(result, ProviderResult):
        return Status.SENT, None
    # What is wrong with us is not the message's fault: its age alone ends it.
    if isinstance(result, Misconfigured) or (
        isinstance(result, TemporaryFailure) and message.tries < settings().max_attempts
    ):
        return Status.QUEUED, _back_off(message.attempt, result.retry_after)
    if isinstance(result, (TemporaryFailure, PermanentFailure)):
        return Status.FAILED, None
    return Status.UNKNOWN, timedelta(seconds=min(FIRST_LOOK, settings().unknown_after))


def _back_off(attempt: int, at_least: timedelta | None) -> timedelta:
    """Full jitter over a window that doubles; what the provider asks for is heeded up to a day.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    window = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempt, 20))
    return max(min(at_least or timedelta(), LONGEST_WAIT), timedelta(seconds=random.uniform(0, window)))


# --- An attempt whose answer never came --------------------------------------------------------------


def _look_up(provider: Provider | None, message: OutboundMessage) -> Result:
    if not isinstance(provider, SupportsStatusLookup):
        return OutcomeUnknown("not_asked", f"The provider {message.provider} cannot be asked.")
    try:
        return provider.fetch_status(message)
    except Exception as failure:  # noqa: BLE001  # as long as nobody can tell, its policy decides
        return failure


def _settle(unknown: Unknown, result: Result) -> list[Due]:
    """Heeds what was found out, or after UNKNOWN_AFTER without any the message's policy."""
    message = unknown.message
    if isinstance(result, ProviderResult):
        recorded = attempts.record(message.token, Status.SENT, provider_message_id=result.provider_message_id)
        if recorded.status is not Status.UNKNOWN:
            _tell(message, Status.SENT, recorded, None)
            return _due(message.id, recorded)
        # else another message has this id: the provider cannot tell them apart, and nothing was found
    if result is None and unknown.seconds >= min(NOT_THERE_AFTER, settings().unknown_after):
        again = message.tries < settings().max_attempts
        ended = Status.QUEUED if again else Status.FAILED, "not_found", "The provider does not have it."
    elif unknown.seconds < settings().unknown_after:
        return []
    elif unknown.resend and message.tries < settings().max_attempts:
        ended = Status.QUEUED, "no_evidence", "Nobody can tell whether the provider has it: it is sent again."
    else:
        ended = Status.UNKNOWN, "no_evidence", "Nobody can tell whether the provider has it."
    nudge = attempts.settle(message.token, *ended)
    if nudge is None:
        return []
    logger.info("Settled", extra={"message_id": message.id, "status": ended[0], "code": ended[1]})
    count({Status.QUEUED: "Resent", Status.FAILED: "Failed"}.get(ended[0], "Unknown"))
    return [Due(nudge, 0)] if ended[0] is Status.QUEUED else []


def _tell(message: OutboundMessage, status: Status, recorded: Recorded, code: str | None) -> None:
    told = {"message_id": message.id, "attempt": message.attempt, "status": recorded.status, "code": code}
    logger.info("Attempted", extra=told)
    if status is Status.SENT:
        count("Sent")
        duration("DeliveryLatency", recorded.seconds)
    elif status is Status.FAILED:
        count("Failed")
    if recorded.opened:
        count("CircuitOpened")
        logger.error(
            "A provider is let alone for a while: it keeps failing", extra={"provider": message.provider}
        )


def _due(id: int, recorded: Recorded) -> list[Due]:
    """The message itself where it is not done, and the next of its conversation where that can go.

    A wait that is longer than the queue can hold a nudge for is the relay's.
    """
    due: list[Due] = []
    if recorded.wait is not None and recorded.wait <= attempts.MAX_DELAY:
        due.append(Due(Dispatch(id, recorded.account_id), max(recorded.wait, 0)))
    if recorded.next_id not in (None, id):
        due.append(Due(Dispatch(recorded.next_id, recorded.account_id), 0))
    return due
