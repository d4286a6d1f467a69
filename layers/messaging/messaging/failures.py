"""How a call to a provider fails, as values that say what to do next."""

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failure(Exception):
    """A message that was not, or perhaps not, taken; `code` and `reason` in the provider's words, or ours.

    Which of its kinds it is decides what becomes of the message (delivery.deliver).
    """

    kind: ClassVar[str]

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.body = b""
        """What the provider answered, for its file to read its own code and reason from."""
        self.headers: Mapping[str, str] = {}
        """Of that answer; names in lower case."""


class TemporaryFailure(Failure):
    """Provably not taken; later, or by another provider, it may be. `retry_after` is the least wait that the
    provider asks for."""

    kind = "temporary"

    def __init__(self, code: str, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(code, reason)
        self.retry_after = retry_after


class Throttled(TemporaryFailure):
    """The provider is well and asks for fewer requests."""

    kind = "throttled"


class Unready(TemporaryFailure):
    """Not the provider's doing, which was not asked: something that the message needs cannot be had now."""

    kind = "unready"


class Misconfigured(TemporaryFailure):
    """Our credentials or settings, not the message: somebody has to mend them, and it is kept until then."""

    kind = "misconfigured"


class PermanentFailure(Failure):
    """Not taken, and never will be."""

    kind = "permanent"


class Unsendable(PermanentFailure):
    """The same without a word of the provider, which was not asked: something that the message needs is not
    there, or may not be sent."""

    kind = "unsendable"


class OptedOut(PermanentFailure):
    """The contact wants no more messages from this sender."""

    kind = "opted_out"


class OutcomeUnknown(Failure):
    """The request may have been written, and no answer says what became of it."""

    kind = "unknown"
