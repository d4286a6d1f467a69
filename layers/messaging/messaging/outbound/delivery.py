"""Delivering a batch of messages: they are claimed, sent to their providers at once, and recorded."""

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from datetime import timedelta

from messaging import providers
from messaging.failures import Misconfigured
from messaging.models import OutboundMessage
from messaging.outbound import attempts, status_lookup
from messaging.outbound.attempts import Claimed, UnknownOutcome
from messaging.outbound.dispatch import dispatch
from messaging.outbound.recording import EndedAttempt, record_together
from messaging.outbound.retries import Result
from messaging.problems import Unavailable
from messaging.providers.provider import SEND_TIME, Provider
from messaging.settings import settings
from messaging.telemetry import count, log_fault, logger

BLOCKED_DELAY_SECONDS = 1.0
"""Until the next message of a busy conversation is tried again."""
RECORD_SECONDS = 5.0
"""Reserved after the last call for recording how it ended."""
LEASE_MARGIN_SECONDS = 15.0
"""By how much a claim outlives its invocation: after that no worker is left that could record."""

Instances = Mapping[str, Provider | None]
"""Providers by their names in PROVIDERS. None if a provider cannot be used."""


def deliver(ids: Sequence[int], seconds_left: Callable[[], float]) -> None:
    """Make one attempt to send each message that is queued and due, and record how it ended.

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
    """Send and look up everything that was claimed, record the results as they come, and dispatch.

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
            sent = [EndedAttempt(message, call.result()) for call, message in sends.items() if call in ended]
            due, not_recorded = record_together(sent, seconds_left)
            errors += not_recorded
            for call, unknown in lookups.items():
                if call not in ended:
                    continue
                try:
                    due += status_lookup.resolve(unknown, call.result())
                except Exception as error:  # noqa: BLE001  # raised below, when everything else is recorded
                    errors.append(error)
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
