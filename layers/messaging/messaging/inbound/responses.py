"""The models of responses about unread webhooks."""

from typing import Annotated, Literal

from pydantic import AwareDatetime, Field

from messaging.inbound.faults import FaultKind
from messaging.inbound.store import PartOutcome
from messaging.models import Channel, Model


class UnreadWebhook(Model):
    """A verified request of a provider that could not be read, in whole or in part."""

    id: int
    provider: str
    route: Channel
    received_at: AwareDatetime
    kind: FaultKind
    fault: Annotated[str, Field(description="Why it could not be read. It has no content of the request.")]
    content_type: str
    size: Annotated[int, Field(description="Bytes of the body.")]
    seen_at: Annotated[
        AwareDatetime | None,
        Field(description="When an operator first downloaded, replayed or dismissed it."),
    ]
    dismissed_at: AwareDatetime | None


class UnreadWebhookDetails(UnreadWebhook):
    """An unread webhook with the URL and the headers of its request. Credentials are not stored."""

    url: str
    query: str
    headers: dict[str, str]


class UnreadWebhookPage(Model):
    """A page of unread webhooks. `next_cursor` is null on the last page."""

    unread_webhooks: list[UnreadWebhook]
    next_cursor: str | None


class ReplayedPart(Model):
    """What became of one part of the request, a message or a delivery report."""

    outcome: PartOutcome | Literal["unreadable"]
    message_id: int | None


class ReplayedWebhook(Model):
    """The result of a replay. A webhook that could be read has no fault and is not listed any more."""

    id: int
    kind: FaultKind | None
    fault: str | None
    parts: list[ReplayedPart]
