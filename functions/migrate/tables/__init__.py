"""The tables. The revisions in versions/ create and change them."""

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
from tables.outbound import (
    attempts,
    circuits,
    idempotency_keys,
    leases,
    message_events,
    outbound_queue,
    provider_message_ids,
)

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
    "leases",
    "message_events",
    "messages",
    "metadata",
    "outbound_queue",
    "pending_reports",
    "provider_message_ids",
    "webhook_requests",
]
