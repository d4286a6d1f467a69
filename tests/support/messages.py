"""Messages and reports as tests want them, made through the product."""

from collections.abc import Sequence
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

_others = count(1)


def own_all() -> None:
    """Has the first account send from every address, as in a service here."""
    database.run(OWN_ALL)


def sms(**fields: Any) -> NewSms:
    return NewSms.model_validate({"from": CUSTOMER, "to": CONTACT, "body": "out"} | fields)


def apart() -> NewSms:
    """A message in a conversation of its own, which waits for no other."""
    return sms(to=f"+1804444{next(_others) % 10000:04}")


def email(**fields: Any) -> NewEmail:
    addresses = {"from": "user@example.com", "to": "contact@example.org"}
    return NewEmail.model_validate(addresses | {"body": "out"} | fields)


def key(name: str = "key", fingerprint: str = "print") -> IdempotencyKey:
    return IdempotencyKey("/api/messages/sms", name, fingerprint)


def accept(
    content: Content | None = None, under: IdempotencyKey | None = None
) -> tuple[AcceptOutcome, Message]:
    outcome, kept, _ = store.accept_message(ACCOUNT, content or sms(), ["sms"], under)
    assert kept is not None
    return outcome, kept


def inbound(id: str = "id-1", **fields: Any) -> InboundMessage:
    given = {"type": "sms", "from": CONTACT, "to": CUSTOMER, "body": "in", "provider_message_id": id}
    return InboundMessage.model_validate(given | fields)


def receive(id: str = "id-1", **fields: Any) -> tuple[bool, Message]:
    kept = keep(inbound(id, **fields))
    assert kept.message is not None
    return kept.outcome is inbound_store.PartOutcome.CREATED, Message.model_validate_json(kept.message)


def keep(part: InboundMessage | DeliveryReport, provider: str = "sms") -> StoredPart:
    """What became of the only part of a request."""
    [kept] = inbound_store.store_request(request(provider=provider), [part])
    return kept


def request(body: bytes | None = None, **fields: Any) -> WebhookRequest:
    """One that is like no other, unless its body is given."""
    now = datetime.now(UTC)
    given = {"route": "sms", "provider": "sms", "url": "https://example.com/", "query": "", "headers": {}}
    times = {"received_at": now, "verified_at": now}
    return WebhookRequest.model_validate(given | times | {"body": body or uuid4().bytes} | fields)


def claim(id: int) -> OutboundMessage:
    [claimed] = claim_all([id])
    return claimed


def claim_all(ids: Sequence[int], lease: timedelta = LEASE) -> list[OutboundMessage]:
    return attempts.claim(ids, lease).messages


def claimed() -> OutboundMessage:
    return claim(accept(apart())[1].id)


def lost() -> OutboundMessage:
    """One whose answer never came, to be looked at right away."""
    sent = claimed()
    attempts.record(sent.token, Status.UNKNOWN, wait=timedelta())
    return sent


def report(
    status: Status | None,
    id: str | None = None,
    reference: int | None = None,
    *,
    provider: str = "sms",
    **fields: Any,
) -> tuple[inbound_store.PartOutcome, Message | None]:
    given = {"provider_message_id": id, "reference": reference, "status": status}
    fields = given | {"timestamp": datetime.now(UTC)} | fields
    kept = keep(DeliveryReport.model_validate(fields), provider)
    return kept.outcome, Message.model_validate_json(kept.message) if kept.message else None


def sent(claimed: OutboundMessage, id: str = "p-1") -> int:
    """Our id of a message that a provider took under this id of its own."""
    attempts.record(claimed.token, Status.SENT, provider_message_id=id)
    return claimed.id


def seen(id: int) -> MessageWithEvents:
    """The message as it is read, with its events."""
    found = reads.get_message(ACCOUNT, id)
    assert found is not None
    return MessageWithEvents.model_validate_json(found)
