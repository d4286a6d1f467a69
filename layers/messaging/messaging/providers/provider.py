"""The interface of a provider: it sends messages, and it verifies and reads its vendor's webhooks."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, ClassVar, NamedTuple, Protocol, runtime_checkable
from urllib.parse import quote

from pydantic import ConfigDict, TypeAdapter, ValidationError
from pydantic_core import from_json

from messaging.failures import OutcomeUnknown
from messaging.fields import ProviderId, Time, clean_text
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage
from messaging.problems import Invalid
from messaging.providers.limits import Limits
from messaging.settings import settings

SEND_TIME = 15.0  # seconds for a send, including the attachments that it fetches first

MAX_ID_LENGTH = 512  # characters of ProviderId

_TIME: TypeAdapter[datetime] = TypeAdapter(Time, config=ConfigDict(defer_build=True))
_PROVIDER_ID: TypeAdapter[str] = TypeAdapter(ProviderId, config=ConfigDict(defer_build=True))


@dataclass(frozen=True)
class Webhook:
    """A vendor's request, byte for byte."""

    url: str
    """As the vendor called it, without the query."""
    query: str
    headers: Mapping[str, str]
    """Names in lower case."""
    body: bytes
    received_at: datetime = field(default_factory=lambda: datetime.now(UTC))
    """The timestamp of messages and reports that have none of their own. A replay keeps it."""

    @property
    def content_type(self) -> str:
        return self.headers.get("content-type", "")

    @property
    def media_type(self) -> str:
        """The Content-Type without its parameters, in lower case."""
        return self.content_type.partition(";")[0].strip().lower()

    def is_within(self, tolerance: timedelta, signed_at: int) -> bool:
        """Whether the request was signed at most `tolerance` before or after it arrived. `signed_at` is in
        seconds since 1970."""
        return abs(self.received_at.timestamp() - signed_at) <= tolerance.total_seconds()


class Verified(NamedTuple):
    """A request that was accepted."""

    signed: bool = True
    """False if the deployment accepts requests without a signature. If such a request cannot be read, that is
    the caller's mistake."""
    replay_token: str | None = None
    """For a vendor that does not sign the body: a hash of what it signed instead, and of the key. Only the
    first body with this token is accepted; any other body with it is refused, at every instance."""


class WebhookResponse(NamedTuple):
    """The HTTP response to a vendor's webhook."""

    body: str = ""
    content_type: str = "application/json"
    status: int = 200


class ProviderResult(NamedTuple):
    """The provider accepted the message."""

    provider_message_id: str | None
    """None if the answer names no id."""

    @classmethod
    def with_id(cls, id: object, field: str) -> "ProviderResult":
        """The result with the id that the answer has in `field`. Raises OutcomeUnknown if it is not an id."""
        try:
            return cls(_PROVIDER_ID.validate_python(id))
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", f"The answer holds no {field}.") from error


class Provider(Protocol):
    """A provider is one class in one file, and one line in the registry.

    An instance is made of its name in the configuration and the fields of its secret.
    """

    channels: frozenset[Channel]
    limits: Limits
    webhook_response: ClassVar[WebhookResponse] = WebhookResponse()
    name: str
    """In the configuration, in the route and in messages.provider."""

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None: ...

    def send(self, message: OutboundMessage) -> ProviderResult:
        """Makes one attempt within SEND_TIME. Several threads call it at once.

        Raises one of the Failures, and nothing else.
        """
        ...

    def verify(self, webhook: Webhook) -> Verified:
        """Checks the signature and its age. Raises SignatureRejected, also if the secret holds no key."""
        ...

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        """Reads a verified request. The same request always gives the same parts.

        A part that cannot be read is replaced by an Invalid that says why. Raises Unreadable or Invalid if no
        part can be read, and Unavailable if something that is needed to read the request is unavailable.
        """
        ...

    def respond(self, messages: Sequence[str | None]) -> WebhookResponse:  # noqa: ARG002  # most vendors ignore it
        """The response to a webhook, once all of it is committed.

        `messages` has one entry for each part: the JSON text of its message (responses.Message), or None for
        a report about an unknown message and for a part that could not be read.
        """
        return self.webhook_response


@runtime_checkable
class SupportsStatusLookup(Protocol):
    """A provider whose vendor can be asked what became of a message."""

    def fetch_status(self, message: OutboundMessage) -> ProviderResult | None:
        """Asks the vendor about this message, by our id.

        None if the vendor does not have the message and will not get it from the request that was sent: then
        it can be sent again. Raises a Failure if the vendor cannot tell.
        """
        ...


def callback_url(channel: Channel, provider: str, message_id: int) -> str | None:
    """The URL to which a vendor reports about this message. None if PUBLIC_URL is not set."""
    public_url = settings().public_url.rstrip("/")
    if not public_url:
        return None
    return f"{public_url}/api/webhooks/{channel}/{quote(provider, safe='')}?reference={message_id}"


def reported_id(value: object) -> str | None:
    """The provider's id in a report, as text. None if it is not an id: nobody can correct a report."""
    is_id = isinstance(value, (str, int)) and not isinstance(value, bool)
    id = clean_text(str(value)).strip() if is_id else ""
    return id if 0 < len(id) <= MAX_ID_LENGTH else None


def reported_time(value: object) -> datetime | None:
    """The time in a report: seconds since 1970 as a number or as text, or RFC 3339. None if it is neither."""
    try:
        if isinstance(value, str) and value[4:5] == "-":
            return _TIME.validate_python(value)
        if isinstance(value, (str, int, float)) and not isinstance(value, bool):
            seconds = float(value)
            return datetime.fromtimestamp(seconds, UTC) if seconds >= 0 else None
    except (ValueError, OverflowError, OSError):  # ValidationError is a ValueError
        pass
    return None


def value_at(body: bytes, *path: str | int) -> Any:
    """The value at a path in a vendor's JSON answer. None if it is not there, or if the body is not JSON."""
    try:
        value = from_json(body)
        for key in path:
            value = value[key]
    except (ValueError, TypeError, LookupError):
        return None
    return value
