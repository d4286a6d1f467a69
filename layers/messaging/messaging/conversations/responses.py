"""Conversations as they are read, and pages of them and of their messages."""

from pydantic import AwareDatetime

from messaging.models import Channel, Direction, Message, Model


class LastMessage(Model):
    id: int
    type: Channel
    direction: Direction
    preview: str


class Conversation(Model):
    """Everything between one customer address and one contact address."""

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
