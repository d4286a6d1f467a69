"""The tables. Their unique constraints keep the promises; `versions/` makes and changes them."""

from tables.accounts import (
    account_addresses,
    account_sends,
    accounts,
    api_keys,
    audit_events,
)
from tables.columns import metadata
from tables.conversations import (
    contact_addresses,
    contacts,
    conversation_participants,
    conversations,
    messages,
)
from tables.inbound import pending_reports, webhook_requests
from tables.outbound import attempts, circuits, idempotency_keys, message_events

__all__ = [
    "account_addresses",
    "account_sends",
    "accounts",
    "api_keys",
    "attempts",
    "audit_events",
    "circuits",
    "contact_addresses",
    "contacts",
    "conversation_participants",
    "conversations",
    "idempotency_keys",
    "message_events",
    "messages",
    "metadata",
    "pending_reports",
    "webhook_requests",
]
