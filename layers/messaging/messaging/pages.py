"""Conversations as they are read, and pages of them and of their messages."""

from pydantic import AwareDatetime, BaseModel

from messaging.models import Channel, Direction, Message


class LastMessage(BaseModel):
    id: int
    type: Channel
    direction: Direction
    preview: str


class Conversation(BaseModel):
    """Everything between one customer address and one contact address."""

    id: int
    customer_address: str
    contact_address: str
    contact_id: int
    last_message: LastMessage
    created_at: AwareDatetime
    last_message_at: AwareDatetime


class ConversationPage(BaseModel):
    conversations: list[Conversation]
    next_cursor: str | None


class MessagePage(BaseModel):
    messages: list[Message]
    next_cursor: str | None
