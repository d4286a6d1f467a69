"""Messages and reports for tests, made through the product, for account 1."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any
from uuid import uuid4

from messaging.conversations import reads
from messaging.conversations.responses import Message, MessageWithEvents
from messaging.inbound import store as inbound_store
from messaging.inbound.store import StoredPart
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import (
    Content,
    DeliveryReport,
    InboundMessage,
    NewEmail,
    NewSms,
    OutboundMessage,
    Status,
)
from messaging.outbound import attempts, store
from messaging.outbound.store import AcceptOutcome, IdempotencyKey
from messaging.postgres import database
from tests.support.database_reset import OWN_ALL

ACCOUNT = 1
CUSTOMER, CONTACT = "+12016661234", "+18045551234"
LEASE = timedelta(seconds=30)
NOT_IN_A_TEXT: Mapping[str, object] = {
    "subject": None,
    "from_name": None,
    "to_name": None,
    "cc": [],
    "cc_names": {},
    "reply_to": None,
    "reply_to_name": None,
    "headers": {},
    "html": None,
    "content_ids": {},
    "extra": {},
}
"""What the API shows of a text message in the fields of emails and of inbound messages."""

_others = count(1)


def own_all() -> None:
    """Let the first account send from every address, as a local stack does."""
    database.run(OWN_ALL)


def sms(**fields: Any) -> NewSms:
    return NewSms.model_validate({"from": CUSTOMER, "to": CONTACT, "body": "out"} | fields)


def sms_to_new_contact() -> NewSms:
    """An SMS to a new contact, so that no other message of its conversation blocks it."""
    return sms(to=f"+1804444{next(_others) % 10000:04}")


def email(**fields: Any) -> NewEmail:
    addresses = {"from": "user@example.com", "to": "contact@example.org"}
    return NewEmail.model_validate(addresses | {"body": "out"} | fields)


def key(name: str = "key", fingerprint: str = "print") -> IdempotencyKey:
    return IdempotencyKey("/api/messages/sms", name, fingerprint)


def accept(
    content: Content | None = None, under: IdempotencyKey | None = None
) -> tuple[AcceptOutcome, Message]:
    """Accept a message, an SMS unless `content` is given, with the idempotency key `under`."""
    outcome, message, _ = store.accept_message(ACCOUNT, content or sms(), ["sms"], under)
    assert message is not None
    return outcome, message


def inbound(id: str = "id-1", **fields: Any) -> InboundMessage:
    defaults = {"type": "sms", "from": CONTACT, "to": CUSTOMER, "body": "in", "provider_message_id": id}
    return InboundMessage.model_validate(defaults | fields)


def receive(id: str = "id-1", **fields: Any) -> tuple[bool, Message]:
    """Store an inbound message. Returns whether it is new, and the message."""
    stored = store_part(inbound(id, **fields))
    assert stored.message is not None
    return stored.outcome is inbound_store.PartOutcome.CREATED, Message.model_validate_json(stored.message)


def store_part(part: InboundMessage | DeliveryReport, provider: str = "sms") -> StoredPart:
    """Store a request with one part. Returns the outcome of the part."""
    [stored] = inbound_store.store_request(request(provider=provider), [part])
    return stored


def request(body: bytes | None = None, **fields: Any) -> WebhookRequest:
    """A webhook request. Without a `body` it gets a unique one."""
    now = datetime.now(UTC)
    defaults = {"route": "sms", "provider": "sms", "url": "https://example.com/", "query": "", "headers": {}}
    times = {"received_at": now, "verified_at": now}
    return WebhookRequest.model_validate(defaults | times | {"body": body or uuid4().bytes} | fields)


def claim(id: int) -> OutboundMessage:
    [claimed] = claim_all([id])
    return claimed


def claim_all(ids: Sequence[int], lease: timedelta = LEASE) -> list[OutboundMessage]:
    return attempts.claim(ids, lease).messages


def claim_new() -> OutboundMessage:
    """Accept a message in a conversation of its own, and claim it."""
    return claim(accept(sms_to_new_contact())[1].id)


def unknown_outcome() -> OutboundMessage:
    """A message of unknown outcome that is due for a lookup."""
    message = claim_new()
    attempts.record(message.token, Status.UNKNOWN, wait=timedelta())
    return message


def report(
    status: Status | None,
    id: str | None = None,
    reference: int | None = None,
    *,
    provider: str = "sms",
    **fields: Any,
) -> tuple[inbound_store.PartOutcome, Message | None]:
    """Store a delivery report. Returns its outcome, and the message if it is known."""
    defaults = {"provider_message_id": id, "reference": reference, "status": status}
    fields = defaults | {"timestamp": datetime.now(UTC)} | fields
    stored = store_part(DeliveryReport.model_validate(fields), provider)
    return stored.outcome, Message.model_validate_json(stored.message) if stored.message else None


def record_sent(claimed: OutboundMessage, id: str = "p-1") -> int:
    """Record a claimed message as sent, with the provider's id. Returns our id."""
    attempts.record(claimed.token, Status.SENT, provider_message_id=id)
    return claimed.id


def read(id: int) -> MessageWithEvents:
    """The message as clients read it, with its events."""
    text = reads.get_message(ACCOUNT, id)
    assert text is not None
    return MessageWithEvents.model_validate_json(text)
