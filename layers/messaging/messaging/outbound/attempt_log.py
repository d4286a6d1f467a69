"""Log lines and metrics about attempts."""

from messaging.failures import Misconfigured, OptedOut
from messaging.models import OutboundMessage, Status
from messaging.outbound.attempts import Recorded
from messaging.outbound.retries import Result
from messaging.telemetry import count, duration, logger


def log_recorded(message: OutboundMessage, status: Status, recorded: Recorded, code: str | None) -> None:
    """Log and count a recorded attempt: `status` is what was recorded, `recorded` what came of it."""
    logger.info(
        "Attempt recorded",
        extra={
            "message_id": message.id,
            "attempt": message.attempt,
            "status": recorded.status,
            "code": code,
        },
    )
    if status is Status.SENT:
        count("Sent")
        duration("DeliveryLatency", recorded.seconds)
    elif status is Status.FAILED:
        count("Failed")
    if recorded.circuit_opened:
        count("CircuitOpened")
        logger.error("Circuit opened", extra={"provider": message.provider})


def log_failure(message: OutboundMessage, result: Result) -> None:
    """Log and count the failures that an operator must know of."""
    if isinstance(result, OptedOut):
        count("OptedOut")
    elif isinstance(result, Misconfigured):
        count("Misconfigured")
        # Only this code has a reason of our own words. A provider's words may hold an address.
        reason = result.reason if result.code == "not_configured" else None
        extra = {"provider": message.provider, "code": result.code, "reason": reason}
        logger.error("Provider misconfigured", extra=extra)
