"""Accepting a message: it is stored as queued, and then dispatched."""

from typing import NamedTuple

from messaging import providers
from messaging.conversations.responses import Message
from messaging.models import NewEmail, NewSms
from messaging.outbound import dispatch, store
from messaging.outbound.attempts import Dispatch
from messaging.outbound.store import AcceptOutcome, IdempotencyKey
from messaging.problems import Invalid, NotOwned, TooManyRequests
from messaging.settings import settings
from messaging.telemetry import count


class Accepted(NamedTuple):
    message: Message
    replayed: bool


def accept(account: int, message: NewSms | NewEmail, key: IdempotencyKey | None = None) -> Accepted:
    """Stores an account's message as queued and dispatches it.

    Raises Invalid, NotOwned, TooManyRequests and Unavailable; then nothing is stored.

    The nudge may be lost: the message is kept, and the relay finds it.
    """
    policy = message.delivery_policy or settings().delivery_policy
    outcome, kept, retry_after = store.add_outbound(account, message, _carriers(message), key, policy)
    if outcome is AcceptOutcome.NOT_OWNED:
        raise NotOwned.field("from", "is not an address of this account")
    if retry_after is not None:
        raise TooManyRequests("This account has sent as many messages as it may.", retry_after)
    if kept is None:
        raise Invalid.field("Idempotency-Key", "was used with another body")
    if outcome is AcceptOutcome.CREATED:
        count("Accepted")
        dispatch.dispatch([Dispatch(kept.id, account)])
    return Accepted(kept, outcome is AcceptOutcome.REPLAYED)


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
