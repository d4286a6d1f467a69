"""Attempts without an answer: the provider is asked what became of them, until they can be resolved."""

from typing import NamedTuple

from messaging.failures import OutcomeUnknown
from messaging.models import OutboundMessage, Status
from messaging.outbound import attempts
from messaging.outbound.attempt_log import log_recorded
from messaging.outbound.attempts import UnknownOutcome
from messaging.outbound.dispatch import FollowUp, follow_ups
from messaging.outbound.retries import Result
from messaging.providers.provider import Provider, ProviderResult, SupportsStatusLookup
from messaging.settings import settings
from messaging.telemetry import count, logger

NOT_FOUND_AFTER_SECONDS = 60.0
"""A provider's "not found" is not believed before: a slow provider may still be processing the request."""

METRICS = {Status.QUEUED: "Resent", Status.FAILED: "Failed", Status.UNKNOWN: "Unknown"}


class Resolution(NamedTuple):
    status: Status
    code: str
    reason: str


def look_up(provider: Provider | None, message: OutboundMessage) -> Result:
    """Ask a provider what became of a message. Returns None if it does not have it, and never raises."""
    if not isinstance(provider, SupportsStatusLookup):
        return OutcomeUnknown("not_asked", f"The provider {message.provider} has no status lookup.")
    try:
        return provider.fetch_status(message)
    except Exception as error:  # noqa: BLE001  # any failure means the same: there is no evidence yet
        return error


def resolve(unknown: UnknownOutcome, result: Result) -> list[FollowUp]:
    """Record what a status lookup found, and resolve the outcome if possible. Returns what to dispatch."""
    message = unknown.message
    if isinstance(result, ProviderResult):
        recorded = attempts.record(message.token, Status.SENT, provider_message_id=result.provider_message_id)
        if recorded.status is not Status.UNKNOWN:
            log_recorded(message, Status.SENT, recorded, None)
            return follow_ups(message.id, recorded)
        # Another message has this id already. The provider cannot tell them apart: that is not evidence.
    resolution = _decide(unknown, result)
    if resolution is None:
        return []
    dispatch = attempts.resolve(message.token, *resolution)
    if dispatch is None:
        return []
    status, code, _ = resolution
    logger.info("Attempt resolved", extra={"message_id": message.id, "status": status, "code": code})
    count(METRICS[status])
    return [FollowUp(dispatch, 0)] if status is Status.QUEUED else []


def _decide(unknown: UnknownOutcome, result: Result) -> Resolution | None:
    """Return how the outcome is resolved: by evidence, or after UNKNOWN_AFTER by the delivery policy.

    Returns None while it is too early for either.
    """
    has_attempts_left = unknown.message.tries < settings().max_attempts
    if result is None and unknown.seconds >= NOT_FOUND_AFTER_SECONDS:
        status = Status.QUEUED if has_attempts_left else Status.FAILED
        return Resolution(status, "not_found", "The provider does not have the message.")
    if unknown.seconds < settings().unknown_after:
        return None
    if unknown.may_resend and has_attempts_left:
        reason = "It is unknown whether the provider has the message. It is sent again."
        return Resolution(Status.QUEUED, "no_evidence", reason)
    return Resolution(Status.UNKNOWN, "no_evidence", "It is unknown whether the provider has the message.")
