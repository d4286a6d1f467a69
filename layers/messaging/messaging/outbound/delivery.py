"""Delivering a batch of messages: they are claimed, sent to their providers at once, and recorded."""

import time
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta
from functools import partial

from messaging import providers
from messaging.failures import Failure, Misconfigured
from messaging.models import OutboundMessage
from messaging.outbound import attempts, status_lookup
from messaging.outbound.attempt_log import log_failure, log_recorded
from messaging.outbound.attempts import AttemptRecord, Claimed, Recorded, UnknownOutcome
from messaging.outbound.dispatch import FollowUp, dispatch, follow_ups
from messaging.outbound.retries import Result, decide
from messaging.postgres.database import StatementRejected
from messaging.problems import Unavailable
from messaging.providers.provider import SEND_TIME, Provider, ProviderResult
from messaging.settings import settings
from messaging.telemetry import count, log_fault, logger

BLOCKED_DELAY_SECONDS = 1.0
"""Until the next message of a busy conversation is tried again."""
RECORD_SECONDS = 5.0
"""Reserved after the last call for recording how it ended."""
RECORD_RETRY_SECONDS = 0.5
LEASE_MARGIN_SECONDS = 15.0
"""By how much a claim outlives its invocation: after that no worker is left that could record."""

Sent = tuple[OutboundMessage, Result]
"""A message that was sent to its provider, and how that ended."""
Instances = Mapping[str, Provider | None]
"""Providers by their names in PROVIDERS. None if a provider cannot be used."""


def deliver(ids: Sequence[int], seconds_left: Callable[[], float]) -> None:
    """Makes one attempt to send each message that is queued and due, and records how it ended.

    `ids` come from the queue; `seconds_left` returns how long this invocation may still run. The messages of
    one conversation are sent one at a time, in their order. Messages of unknown outcome that are due are
    looked up at their provider. Other ids are ignored: another worker has the message, or it is done.

    Raises Unavailable if nothing could be claimed or an outcome could not be recorded, and TimeoutError if
    the time left is too short for a call to a provider.
    """
    instances = {name: _load(name) for name in settings().providers}
    if seconds_left() < SEND_TIME + RECORD_SECONDS:
        raise TimeoutError
    claimed = attempts.claim(ids, timedelta(seconds=seconds_left() + LEASE_MARGIN_SECONDS))
    is_queue_available = dispatch(claimed.blocked, BLOCKED_DELAY_SECONDS)
    for id in claimed.expired:
        logger.warning("Message expired", extra={"message_id": id})
    count("Failed", len(claimed.expired))
    if claimed.messages or claimed.unknown:
        _call_providers(claimed, instances, seconds_left, is_queue_available=is_queue_available)


def _load(name: str) -> Provider | None:
    try:
        return providers.get_provider(name)
    except Unavailable:
        raise  # the secret cannot be read now: nothing is claimed, and the queue delivers the ids again
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one provider, the others can send
        log_fault("Provider unusable", error, provider=name)
        return None


def _call_providers(
    claimed: Claimed, instances: Instances, seconds_left: Callable[[], float], *, is_queue_available: bool
) -> None:
    """Sends and looks up everything that was claimed, records the results as they come, and dispatches.

    The calls run in threads. Only this thread speaks to the database and to the queue.
    """
    errors: list[Exception] = []
    with ThreadPoolExecutor(len(claimed.messages) + len(claimed.unknown)) as pool:
        sends: dict[Future[Result], OutboundMessage] = {}
        for message in claimed.messages:
            sends[pool.submit(_send, instances.get(message.provider), message)] = message
        lookups: dict[Future[Result], UnknownOutcome] = {}
        for unknown in claimed.unknown:
            provider = instances.get(unknown.message.provider)
            lookups[pool.submit(status_lookup.look_up, provider, unknown.message)] = unknown
        running: set[Future[Result]] = {*sends, *lookups}
        while running:
            ended, running = wait(running, return_when=FIRST_COMPLETED)
            sent = [(message, call.result()) for call, message in sends.items() if call in ended]
            due = _record_together(sent, seconds_left, errors)
            for call, unknown in lookups.items():
                if call in ended:
                    due += _resolve(unknown, call.result(), errors)
            for follow_up in due:
                # After one failure the queue costs no more time: the relay dispatches what follows.
                if is_queue_available:
                    is_queue_available = dispatch([follow_up.dispatch], follow_up.delay)
    if errors:
        raise errors[0]


def _send(provider: Provider | None, message: OutboundMessage) -> Result:
    if message.provider not in settings().providers:
        return Misconfigured("not_configured", f"PROVIDERS does not name {message.provider}.")
    if provider is None:
        return Misconfigured("not_configured", f"The provider {message.provider} cannot be used.")
    try:
        return provider.send(message)
    except Exception as error:  # noqa: BLE001  # even a bug must be recorded: the request may have been sent
        return error


def _record_together(
    sent: Sequence[Sent], seconds_left: Callable[[], float], errors: list[Exception]
) -> list[FollowUp]:
    """Records attempts that ended together in one transaction. Returns what to dispatch next.

    If the database rejects them, each is recorded on its own, so that one does not lose the others. Errors
    are added to `errors`, to be raised when the other results are recorded.
    """
    if not sent:
        return []
    try:
        return _record(sent, seconds_left)
    except StatementRejected as error:
        if len(sent) == 1:
            errors.append(error)
            return []
    except Exception as error:  # noqa: BLE001  # raised by the caller
        errors.append(error)
        return []
    due: list[FollowUp] = []
    for attempt in sent:
        due += _record_together([attempt], seconds_left, errors)
    return due


def _record(sent: Sequence[Sent], seconds_left: Callable[[], float]) -> list[FollowUp]:
    records = [_describe(message, result) for message, result in sent]
    results = _retry_while_unavailable(partial(attempts.record_all, records), seconds_left)
    due: list[FollowUp] = []
    for (message, result), record, recorded in zip(sent, records, results, strict=True):
        log_recorded(message, record.status, recorded, record.code)
        log_failure(message, result)
        due += follow_ups(message.id, recorded)
    return due


def _describe(message: OutboundMessage, result: Result) -> AttemptRecord:
    """Returns what to record about an attempt."""
    decision = decide(message, result)
    kind = code = reason = None
    if isinstance(result, Failure):
        kind, code, reason = result.kind, result.code, result.reason
    elif isinstance(result, Exception):
        kind, code, reason = "unknown", "internal_error", "An internal error ended the attempt."
        log_fault("Provider raised an unexpected error", result, message_id=message.id)
    return AttemptRecord(
        message.token,
        decision.status,
        provider_message_id=result.provider_message_id if isinstance(result, ProviderResult) else None,
        failure=kind,
        code=code,
        reason=reason,
        wait=decision.wait,
    )


def _resolve(unknown: UnknownOutcome, result: Result, errors: list[Exception]) -> list[FollowUp]:
    try:
        return status_lookup.resolve(unknown, result)
    except Exception as error:  # noqa: BLE001  # raised by the caller
        errors.append(error)
        return []


def _retry_while_unavailable(
    record: Callable[[], list[Recorded]], seconds_left: Callable[[], float]
) -> list[Recorded]:
    """Waits for a database that is unavailable: only this worker knows what the provider answered."""
    while True:
        try:
            return record()
        except Unavailable:
            if seconds_left() < 1:
                raise
            time.sleep(RECORD_RETRY_SECONDS)
