"""What goes out: a message is accepted, and relayed to delivery where its nudge was lost."""

from collections.abc import Callable, Sequence
from datetime import timedelta
from typing import NamedTuple

from messaging import arrivals, attempts, providers, queue, store
from messaging.attempts import Nudge
from messaging.models import Message, NewEmail, NewSms
from messaging.problems import Denied, Invalid, TooMany, Unavailable
from messaging.settings import settings
from messaging.store import IdempotencyKey, Outcome
from messaging.telemetry import count, logger

RELAY_TIME = 5.0  # seconds that a round of the relay may take
RELAY_BATCH = 500


class Accepted(NamedTuple):
    message: Message
    replayed: bool


def accept(account: int, message: NewSms | NewEmail, key: IdempotencyKey | None = None) -> Accepted:
    """Keeps an account's message and has it sent. Raises Invalid, Denied, TooMany and Unavailable, with
    nothing kept.

    The nudge may be lost: the message is kept, and the relay finds it.
    """
    policy = message.delivery_policy or settings().delivery_policy
    outcome, kept, retry_after = store.add_outbound(account, message, _carriers(message), key, policy)
    if outcome is Outcome.NOT_OWNED:
        raise Denied.field("from", "is not an address of this account")
    if retry_after is not None:
        raise TooMany("This account has sent as many messages as it may.", retry_after)
    if kept is None:
        raise Invalid.field("Idempotency-Key", "was used with another body")
    if outcome is Outcome.CREATED:
        count("Accepted")
        nudge([Nudge(kept.id, account)])
    return Accepted(kept, outcome is Outcome.REPLAYED)


def _carriers(message: NewSms | NewEmail) -> list[str]:
    """The provider of choice, and those that stand in for it. Raises Invalid where the first cannot."""
    names = providers.serving(message.type, message.sender)
    if not names:
        raise Invalid.field("type", f"no provider of this deployment carries {message.type}")
    chosen, *others = names
    providers.limits(chosen).check(message, chosen)
    return [chosen, *(name for name in others if _can(name, message))]


def _can(name: str, message: NewSms | NewEmail) -> bool:
    try:
        providers.limits(name).check(message, name)
    except Invalid:
        return False
    return True


def relay(seconds_left: Callable[[], float]) -> dict[str, int]:
    """Finds what was left behind, while there is time: claims without a record, messages without a nudge."""
    done = {
        "expired": attempts.expire_leases(RELAY_BATCH),
        "nudged": 0,
        "applied": arrivals.apply_parked_reports(RELAY_BATCH),
        "forgotten": 0,
    }
    while seconds_left() > RELAY_TIME and (due := attempts.due_nudges(RELAY_BATCH)):
        if nudge(due):
            break
        done["nudged"] += len(due)
    raw_age = timedelta(days=settings().raw_retention_days)
    for forget in (
        store.forget_keys,
        arrivals.forget_parked_reports,
        lambda limit: arrivals.forget_requests(raw_age, limit),
    ):
        while seconds_left() > RELAY_TIME and (forgotten := forget(RELAY_BATCH)):
            done["forgotten"] += forgotten
    ailing = attempts.open_circuits()
    if ailing:
        logger.warning("Providers are let alone", extra={"providers": ailing})
    count("OpenCircuits", len(ailing))
    return done


def nudge(nudges: Sequence[Nudge], delay: float = 0) -> bool:
    """Asks for the delivery of these messages in `delay` seconds.

    Whether that failed for any; those wait for the relay's next round.
    """
    failed = queue.nudge(nudges, delay)
    if failed:
        try:
            attempts.nudge_soon(failed)
        except Unavailable:
            logger.warning("Nudges wait for their minute", extra={"count": len(failed)})
    return bool(failed)
