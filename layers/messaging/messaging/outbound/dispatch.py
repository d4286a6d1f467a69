"""Dispatching: a message's id goes on the outbound queue. If that fails, the relay dispatches it."""

from collections.abc import Sequence
from typing import NamedTuple

from messaging.outbound import attempts, queue
from messaging.outbound.attempts import Dispatch, Recorded
from messaging.problems import Unavailable
from messaging.telemetry import logger


class FollowUp(NamedTuple):
    """A dispatch that an attempt makes necessary."""

    dispatch: Dispatch
    delay: float
    """Seconds."""


def dispatch(dispatches: Sequence[Dispatch], delay: float = 0) -> bool:
    """Dispatch messages, to be delivered in `delay` seconds. Returns whether the queue took them all.

    Messages that it did not take are due in the relay's next round.
    """
    failed = queue.send(dispatches, delay)
    if not failed:
        return True
    try:
        attempts.leave_to_relay(failed)
    except Unavailable:
        # Their dispatch counts as lost a minute after it was due. Then the relay finds them too.
        logger.warning("Dispatch deferred", extra={"count": len(failed)})
    return False


def follow_ups(message_id: int, recorded: Recorded) -> list[FollowUp]:
    """Return what to dispatch after an attempt was recorded.

    The message itself, if it is due again, and the next message of its conversation, if that can be sent
    now. The relay dispatches messages whose wait is longer than the queue can delay them.
    """
    due: list[FollowUp] = []
    if recorded.wait is not None and recorded.wait <= attempts.MAX_DELAY_SECONDS:
        due.append(FollowUp(Dispatch(message_id, recorded.account_id), max(recorded.wait, 0)))
    if recorded.next_id is not None and recorded.next_id != message_id:
        due.append(FollowUp(Dispatch(recorded.next_id, recorded.account_id), 0))
    return due
