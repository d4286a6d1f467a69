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
    """Whether an earlier request with the same idempotency key created the message."""


def accept(account: int, message: NewSms | NewEmail, key: IdempotencyKey | None = None) -> Accepted:
    """Store an account's message as queued and dispatch it.

    A failed dispatch is not an error: the message is stored, and the relay dispatches it.

    Raises Invalid if no provider can send the message, the recipient requires a conversation that does not
    exist, or the key was used with another body,
    NotOwned if the sending address does not belong to the account, TooManyRequests if the account has
    reached its sending limit, and Unavailable if the database does not answer. Then nothing is stored.
    """
    policy = message.delivery_policy or settings().delivery_policy
    outcome, stored, retry_after = store.accept_message(
        account,
        message,
        _providers(message),
        key,
        policy,
        requires_conversation=message.requires_conversation,
    )
    if outcome is AcceptOutcome.NOT_OWNED:
        raise NotOwned.field("from", "must be an address of this account")
    if outcome is AcceptOutcome.NO_CONVERSATION:
        raise Invalid.field("to", "is not an email address")
    if retry_after is not None:
        raise TooManyRequests(
            "This account has reached its sending limit. Retry after the time in Retry-After.", retry_after
        )
    if stored is None:
        raise Invalid.field("Idempotency-Key", "was used with another body; use a new key for a new message")
    if outcome is AcceptOutcome.CREATED:
        count("Accepted")
        dispatch.dispatch([Dispatch(stored.id, account)])
    return Accepted(stored, outcome is AcceptOutcome.REPLAYED)


def _providers(message: NewSms | NewEmail) -> list[str]:
    """Return the instances to try, in their order.

    Raises Invalid if the first one cannot send the message; others that cannot are left out.
    """
    names = providers.names_for(message.type, message.sender)
    if not names:
        raise Invalid.field(
            "type", f"must be a type that a configured provider sends; none sends {message.type}"
        )
    first, *others = names
    providers.limits_for(first).check(message, first)
    return [first, *(name for name in others if _can_send(name, message))]


def _can_send(name: str, message: NewSms | NewEmail) -> bool:
    try:
        providers.limits_for(name).check(message, name)
    except Invalid:
        return False
    return True
