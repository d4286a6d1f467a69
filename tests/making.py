"""Messages and reports as tests want them, made through the product."""

from datetime import UTC, datetime, timedelta
from typing import Any

from messaging import attempts, store, views
from messaging.models import (
    Content,
    DeliveryReport,
    InboundMessage,
    Message,
    MessageWithEvents,
    NewEmail,
    NewSms,
    OutboundMessage,
    Status,
)
from messaging.store import IdempotencyKey, Outcome, ReportOutcome

CUSTOMER, CONTACT = "+12016661234", "+18045551234"
LEASE = timedelta(seconds=30)


def sms(**fields: Any) -> NewSms:
    return NewSms.model_validate({"from": CUSTOMER, "to": CONTACT, "body": "out"} | fields)


def email(**fields: Any) -> NewEmail:
    addresses = {"from": "user@example.com", "to": "contact@example.org"}
    return NewEmail.model_validate(addresses | {"body": "out"} | fields)


def key(name: str = "key", fingerprint: str = "print") -> IdempotencyKey:
    return IdempotencyKey("/api/messages/sms", name, fingerprint)


def accept(content: Content | None = None, under: IdempotencyKey | None = None) -> tuple[Outcome, Message]:
    outcome, kept = store.add_outbound(content or sms(), "sms", under)
    assert kept is not None
    return outcome, kept


def inbound(id: str = "id-1", **fields: Any) -> InboundMessage:
    given = {"type": "sms", "from": CONTACT, "to": CUSTOMER, "body": "in", "provider_message_id": id}
    return InboundMessage.model_validate(given | fields)


def receive(id: str = "id-1", **fields: Any) -> tuple[bool, Message]:
    return store.add_inbound(inbound(id, **fields), "sms")


def claim(id: int) -> OutboundMessage:
    [claimed] = attempts.claim([id], LEASE)
    return claimed


def claimed() -> OutboundMessage:
    return claim(accept()[1].id)


def report(
    status: Status | None,
    id: str | None = None,
    reference: int | None = None,
    *,
    provider: str = "sms",
    **fields: Any,
) -> tuple[ReportOutcome, Message | None]:
    given = {"provider_message_id": id, "reference": reference, "status": status}
    fields = given | {"timestamp": datetime.now(UTC)} | fields
    return store.add_report(DeliveryReport.model_validate(fields), provider)


def sent(claimed: OutboundMessage, id: str = "p-1") -> int:
    """Our id of a message that a provider took under this id of its own."""
    attempts.record(claimed.token, Status.SENT, provider_message_id=id)
    return claimed.id


def seen(id: int) -> MessageWithEvents:
    """The message as it is read, with its events."""
    found = views.message(id)
    assert found is not None
    return MessageWithEvents.model_validate_json(found)
