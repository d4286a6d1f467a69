"""What goes out: a message is accepted, delivered at its nudge, and relayed where the nudge was lost."""

import random
import time
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor, as_completed
from datetime import timedelta
from typing import NamedTuple

from messaging import arrivals, attempts, providers, queue, store
from messaging.attempts import Nudge
from messaging.models import Message, NewEmail, NewSms, OutboundMessage, Status
from messaging.problems import Invalid, Unavailable
from messaging.providers import http
from messaging.providers.provider import Failure, PermanentFailure, Provider, ProviderResult, TemporaryFailure
from messaging.settings import settings
from messaging.store import IdempotencyKey, Outcome
from messaging.telemetry import count, duration, fault, logger

FIRST_RETRY = 2.0  # seconds; doubled with every attempt
LONGEST_RETRY = 3600.0  # seconds
LONGEST_WAIT = timedelta(days=1)
RECORD_TIME = 5.0  # seconds kept after the last call for writing down how it ended
LEASE_MARGIN = 15.0  # seconds that a claim outlives its invocation by: a worker that is gone records no more
RELAY_BATCH = 500


class Accepted(NamedTuple):
    message: Message
    replayed: bool


def accept(message: NewSms | NewEmail, key: IdempotencyKey | None = None) -> Accepted:
    """Keeps a message and has it sent. Raises Invalid, and Unavailable with nothing kept.

    The nudge may be lost: the message is kept, and the relay finds it.
    """
    name = next(iter(providers.serving(message.type, message.sender)), None)
    if name is None:
        raise Invalid.field("type", f"no provider of this deployment carries {message.type}")
    providers.limits(name).check(message, name)
    outcome, kept = store.add_outbound(message, name, key)
    if kept is None:
        raise Invalid.field("Idempotency-Key", "was used with another body")
    if outcome is Outcome.CREATED:
        count("Accepted")
        _nudge([Nudge(kept.id, store.ACCOUNT)])
    return Accepted(kept, outcome is Outcome.REPLAYED)


def deliver(ids: Sequence[int], seconds_left: Callable[[], float]) -> None:
    """Hands the messages that are queued and due to their providers, all at once, and records how that ended.

    Others are left alone: they are someone else's, or done. Raises Unavailable where nothing could be
    claimed, and TimeoutError where the time left is too short to call anybody.
    """
    instances = {name: _provider(name) for name in settings().providers}
    if seconds_left() < http.BUDGET + RECORD_TIME:
        raise TimeoutError
    claimed = attempts.claim(ids, timedelta(seconds=seconds_left() + LEASE_MARGIN))
    if not claimed:
        return
    retries: list[tuple[Nudge, timedelta]] = []
    unrecorded: list[Exception] = []
    # Calls run in threads; the database and AWS are spoken to by this one alone.
    with ThreadPoolExecutor(len(claimed)) as pool:
        calls = {pool.submit(_send, instances.get(message.provider), message): message for message in claimed}
        for call in as_completed(calls):
            message = calls[call]
            try:
                retry_after = _record(message, call.result(), seconds_left)
            except Exception as error:  # noqa: BLE001  # raised below, after the others had their record
                unrecorded.append(error)
            else:
                if retry_after is not None:
                    retries.append((Nudge(message.id, store.ACCOUNT), retry_after))
    for nudge, retry_after in retries:
        if _nudge([nudge], retry_after.total_seconds()):
            break  # the relay will
    if unrecorded:
        raise unrecorded[0]


def _provider(name: str) -> Provider | None:
    try:
        return providers.named(name)
    except Unavailable:
        raise  # its secret is away: nothing is claimed, and the nudge comes again
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one, the others can send
        fault("A provider cannot be used", error, provider=name)
        return None


def _send(provider: Provider | None, message: OutboundMessage) -> ProviderResult | Failure | Exception:
    """One attempt; a failure is a value here, to be recorded by the one who speaks to the database."""
    if provider is None:
        return TemporaryFailure("not_configured", f"The provider {message.provider} cannot be used.")
    try:
        return provider.send(message)
    except Exception as failure:  # noqa: BLE001  # a fault of ours after the request was written must be recorded too
        return failure


def _record(
    message: OutboundMessage, result: ProviderResult | Failure | Exception, seconds_left: Callable[[], float]
) -> timedelta | None:
    """The one place that decides what a failure means; gives the wait where there is to be a next attempt."""
    provider_message_id: str | None = None
    code = reason = None
    retry_after: timedelta | None = None
    if isinstance(result, ProviderResult):
        status, provider_message_id = Status.SENT, result.provider_message_id
    elif isinstance(result, TemporaryFailure) and message.attempt < settings().max_attempts:
        status, retry_after = Status.QUEUED, _back_off(message.attempt, result.retry_after)
    elif isinstance(result, (TemporaryFailure, PermanentFailure)):
        status = Status.FAILED
    else:
        status = Status.UNKNOWN
    if isinstance(result, Failure):
        code, reason = result.code, result.reason
    elif isinstance(result, Exception):
        code, reason = "internal_error", "The attempt ended in a fault of this service."
        fault("A provider's send raised what it must not", result, message_id=message.id)

    while True:
        try:
            now, seconds = attempts.record(
                message.token,
                status,
                provider_message_id=provider_message_id,
                code=code,
                reason=reason,
                retry_after=retry_after,
            )
            break
        except Unavailable:
            # Only we know that the provider has answered: while there is time, it is worth waiting for.
            if seconds_left() < 1:
                raise
            time.sleep(0.5)
    logger.info(
        "Attempted",
        extra={"message_id": message.id, "attempt": message.attempt, "status": now, "code": code},
    )
    if status is Status.SENT:
        count("Sent")
        duration("DeliveryLatency", seconds)
    elif status is Status.FAILED:
        count("Failed")
    return retry_after


def _back_off(attempt: int, at_least: timedelta | None) -> timedelta:
    """Full jitter over a window that doubles; what the provider asks for is heeded up to a day.

    https://aws.amazon.com/blogs/architecture/exponential-backoff-and-jitter/
    """
    window = min(LONGEST_RETRY, FIRST_RETRY * 2 ** min(attempt, 20))
    return max(min(at_least or timedelta(), LONGEST_WAIT), timedelta(seconds=random.uniform(0, window)))


def relay(seconds_left: Callable[[], float]) -> dict[str, int]:
    """Finds what was left behind, while there is time: claims without a record, messages without a nudge."""
    done = {
        "expired": attempts.expire_leases(RELAY_BATCH),
        "nudged": 0,
        "applied": arrivals.apply_parked_reports(RELAY_BATCH),
        "forgotten": 0,
    }
    while seconds_left() > RECORD_TIME and (due := attempts.due_nudges(RELAY_BATCH)):
        if _nudge(due):
            break
        done["nudged"] += len(due)
    raw_age = timedelta(days=settings().raw_retention_days)
    for forget in (
        store.forget_keys,
        arrivals.forget_parked_reports,
        lambda limit: arrivals.forget_requests(raw_age, limit),
    ):
        while seconds_left() > RECORD_TIME and (forgotten := forget(RELAY_BATCH)):
            done["forgotten"] += forgotten
    return done


def _nudge(nudges: Sequence[Nudge], delay: float = 0) -> bool:
    """Whether any failed; the relay takes those up when it runs next."""
    failed = queue.nudge(nudges, delay)
    if failed:
        try:
            attempts.nudge_soon(failed)
        except Unavailable:
            logger.warning("Nudges wait for their minute", extra={"count": len(failed)})
    return bool(failed)
