"""The failures of a call to a provider. Each class says what happens to the message next.

messaging/outbound/retries.py is the only place that decides it.
"""

from datetime import timedelta
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping


class Failure(Exception):
    """A message that the provider did not take, or perhaps did not take.

    `code` and `reason` are the provider's, or ours if the provider gave none.
    """

    kind: ClassVar[str]

    def __init__(self, code: str, reason: str) -> None:
        super().__init__(code, reason)
        self.code = code
        self.reason = reason
        self.body = b""
        """The provider's answer. Its file reads the provider's own code and reason from it."""
        self.headers: Mapping[str, str] = {}
        """The headers of that answer, with names in lower case."""


class TemporaryFailure(Failure):
    """Raise it if the provider provably did not take the message, but may take it later, or another may.

    `retry_after` is the shortest wait that the provider asks for.
    """

    kind = "temporary"

    def __init__(self, code: str, reason: str, retry_after: timedelta | None = None) -> None:
        super().__init__(code, reason)
        self.retry_after = retry_after


class Throttled(TemporaryFailure):
    """Raise it if the provider works, and asks for fewer requests."""

    kind = "throttled"


class Unready(TemporaryFailure):
    """Raise it if something that the message needs is unavailable now. The provider was not called."""

    kind = "unready"


class Misconfigured(TemporaryFailure):
    """Raise it if our credentials or settings are wrong. The message waits until an operator fixes them."""

    kind = "misconfigured"


class SenderNotAllowed(Misconfigured):
    """Raise it if the provider does not let us send from this address, which an operator must verify or buy.

    Other addresses are not affected, so it does not count against the provider.
    """

    kind = "sender_not_allowed"


class PermanentFailure(Failure):
    """Raise it if the provider refused the message for good."""

    kind = "permanent"


class Unsendable(PermanentFailure):
    """Raise it if something that the message needs does not exist or must not be sent. The provider was not
    called."""

    kind = "unsendable"


class OptedOut(PermanentFailure):
    """Raise it if the contact does not want messages from this sender."""

    kind = "opted_out"


class OutcomeUnknown(Failure):
    """Raise it if the request may have been written, and no answer says whether the provider took it.

    An answer such as 500 or 502 does not say it.
    """

    kind = "unknown"
