"""Dispatching: a message's id goes on the outbound queue. A dispatch that fails is left to the relay."""

from collections.abc import Sequence

from messaging.outbound import attempts, queue
from messaging.outbound.attempts import Dispatch
from messaging.problems import Unavailable
from messaging.telemetry import logger


def dispatch(dispatches: Sequence[Dispatch], delay: float = 0) -> bool:
    """Asks for the delivery of these messages in `delay` seconds.

    Whether that failed for any; those wait for the relay's next round.
    """
    failed = queue.send(dispatches, delay)
    if failed:
        try:
            attempts.dispatch_soon(failed)
        except Unavailable:
            logger.warning("Nudges wait for their minute", extra={"count": len(failed)})
    return bool(failed)
