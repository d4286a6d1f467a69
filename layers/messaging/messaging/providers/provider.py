"""What a provider is to the rest of the service: it sends, and it reads its own webhooks."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, NamedTuple, Protocol, runtime_checkable

from messaging.models import Channel, Content, DeliveryReport, InboundMessage, OutboundMessage
from messaging.problems import Invalid
from messaging.providers import gsm

SEND_TIME = 15.0  # seconds that a send may take, with all that it fetches before its call


@dataclass(frozen=True)
class Webhook:
    """A provider's request, byte for byte."""

    url: str
    """As the provider called it, without the query."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The time of what it tells where that has none of its own: read again later, it tells the same."""


class Verified(NamedTuple):
    """How a request was let in."""

    signed: bool = True
    """False where the deployment lets it in without a signature: then what cannot be read is the caller's
    fault, and not ours."""
    once: str | None = None
    """A hash of what the vendor signed in the body's stead, and of the key: good for this body alone. Another
    one that bears it is refused, whichever instance it comes to."""


class Answer(NamedTuple):
    """What a provider wants to hear."""

    body: str = ""
    content_type: str = "application/json"
    status: int = 200


class ProviderResult(NamedTuple):
    """The provider took the message."""

    provider_message_id: str | None
    """None where its answer names none."""


@dataclass(frozen=True)
class Limits:
    """What a provider cannot do is refused before the message is kept, not dropped on the way."""

    body: int
    """Characters; of `html` as well."""
    attachments: int
    body_in_ucs2: int | None = None
    """Of an SMS that has a character beyond the alphabet of SMS, as far as that is counted apart."""
    cc: int = 0
    reply_to: bool = False
    headers: int = 0
    reserved: tuple[str, ...] = ()
    """Headers that it writes itself or takes as orders, in lower case; one that ends in `-` is a prefix."""

    def check(self, content: Content, provider: str) -> None:
        """Raises Invalid, which names every field that does not fit, and the provider."""
        if wrong := list(self._wrong(content, provider)):
            raise Invalid.fields(wrong)

    def _wrong(self, content: Content, provider: str) -> Iterator[tuple[str, str]]:
        for name in ("body", "html"):
            if len(getattr(content, name) or "") > self.body:
                yield name, f"is longer than the {self.body} characters that {provider} takes"
        if self.body_in_ucs2 is not None and content.type is Channel.SMS:
            length, plain = gsm.length(content.body[: self.body])
            if length > (most := self.body if plain else self.body_in_ucs2):
                yield "body", f"is longer than the {most} characters that {provider} takes of this alphabet"
        for name, most in (("attachments", self.attachments), ("cc", self.cc), ("headers", self.headers)):
            if len(getattr(content, name)) > most:
                takes = f"are more than the {most} that {provider} takes"
                yield name, takes if most else f"{provider} takes none"
        if content.reply_to and not self.reply_to:
            yield "reply_to", f"{provider} takes none"
        for name in content.headers:
            if self._reserves(name.lower()):
                yield f"headers.{name}", f"{provider} keeps this header to itself"

    def _reserves(self, name: str) -> bool:
        return any(name.startswith(one) if one.endswith("-") else name == one for one in self.reserved)


class Provider(Protocol):
    """One file implements it, and one line of the registry names it.

    An instance is made with its name in the configuration and the fields of its secret.
    """

    channels: frozenset[Channel]
    limits: Limits

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None: ...

    @property
    def name(self) -> str:
        """In the configuration, in the route and in messages.provider."""

    def send(self, message: OutboundMessage) -> ProviderResult:
        """Makes one attempt within SEND_TIME, beside others in other threads. Raises one of the Failures, and
        nothing else."""

    def verify(self, webhook: Webhook) -> Verified:
        """Checks the signature and its age. Raises SignatureRejected, always if there is no secret."""

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        """What the request tells, and the same again whenever it is read. Of several parts one that cannot be
        read is the Invalid that says why, in its place. Raises Unreadable or Invalid where none can, and
        Unavailable where what it is read from is away."""

    def answer(self, kept: Sequence[str | None]) -> Answer:
        """What the vendor wants to hear, once all of it is committed: for each part of the request the JSON
        text of its message (conversations.responses.Message); None for a report of a message that is not
        known yet, and for what could not be read."""


@runtime_checkable
class SupportsStatusLookup(Protocol):
    """A provider that can be asked what became of a message: implemented where the vendor's API allows it."""

    def fetch_status(self, message: OutboundMessage) -> ProviderResult | None:
        """What the provider has of this message, by our id; None where it has none and will not get it from
        the request that went out, so that it can be sent again. Raises a Failure where it cannot tell."""
