"""The models of responses: messages with their events, conversations, and pages of both."""

from typing import Annotated, Any, Literal

from pydantic import AwareDatetime, ConfigDict, Field

from messaging.models import Channel, Direction, Model, Status


class MessageError(Model):
    """Why the last attempt failed, in the provider's words or ours."""

    code: str | None
    reason: str | None


class Message(Model):
    """A message as clients read it."""

    model_config = ConfigDict(serialize_by_alias=True, validate_by_name=True)

    id: int
    conversation_id: int
    direction: Direction
    type: Channel
    sender: Annotated[str, Field(alias="from")]
    recipient: Annotated[str, Field(alias="to")]
    from_name: str | None
    to_name: str | None
    cc: list[str]
    cc_names: Annotated[dict[str, str], Field(description="The names of addresses in `cc`, by address.")]
    reply_to: str | None
    reply_to_name: str | None
    headers: dict[str, str]
    subject: str | None
    body: str
    html: str | None
    attachments: Annotated[
        list[str], Field(description="URLs. A path ends in the attachment's number, counted from 1.")
    ]
    content_ids: dict[str, int] = Field(
        {}, description="The number of the attachment that `cid:<key>` in html stands for."
    )
    extra: dict[str, Any] = Field(
        {}, description="What an inbound message says besides, such as the `defects` of a mail, by name."
    )
    status: Status
    provider: Annotated[
        str, Field(description="The provider of the last attempt; while queued, of the next attempt.")
    ]
    provider_message_id: str | None
    error: Annotated[
        MessageError | None, Field(description="The error of the last attempt. Its event names the provider.")
    ]
    timestamp: AwareDatetime
    created_at: AwareDatetime
    updated_at: AwareDatetime
    version: Annotated[int, Field(description="Grows with every change of the message.")]


class MessageEvent(Model):
    """One step of a message's delivery: an attempt, a report, or how an unknown outcome was resolved."""

    kind: Literal["attempt", "report", "resolved"]
    attempt: int
    provider: str
    status: Status | None
    code: str | None
    reason: str | None
    occurred_at: AwareDatetime
    created_at: AwareDatetime


class MessageWithEvents(Message):
    events: list[MessageEvent]


class LastMessage(Model):
    id: int
    type: Channel
    direction: Direction
    preview: str


class Conversation(Model):
    """All messages between one customer address and one contact address."""

    id: int
    customer_address: str
    contact_address: str
    contact_id: int
    last_message: LastMessage
    created_at: AwareDatetime
    last_message_at: AwareDatetime


class ConversationPage(Model):
    conversations: list[Conversation]
    next_cursor: str | None


class MessagePage(Model):
    messages: list[Message]
    next_cursor: str | None
