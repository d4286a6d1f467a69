"""What comes in: messages from contacts, and reports about messages that we sent."""

from messaging import providers, store
from messaging.models import Channel, DeliveryReport, InboundMessage, Message, Status
from messaging.problems import NotFound
from messaging.providers.provider import Answer, Provider, Webhook
from messaging.store import ReportOutcome
from messaging.telemetry import count, logger


def receive(channel: Channel, provider_name: str, webhook: Webhook) -> Answer:
    """Keeps everything that a provider's request tells, and gives the provider's answer once it is committed.

    Raises NotFound, Forbidden, Unreadable, Invalid, and Unavailable. Parts that were kept before a failure
    are found again when the provider repeats the request.
    """
    provider = providers.named(provider_name)
    if channel not in provider.channels:
        raise NotFound(f"{provider_name} does not serve {channel}.")
    provider.verify(webhook)
    return provider.answer([_keep(part, provider) for part in provider.parse(webhook)])


def _keep(part: InboundMessage | DeliveryReport, provider: Provider) -> Message | None:
    if isinstance(part, DeliveryReport):
        outcome, message = store.add_report(part, provider.name)
        logger.info(
            "Reported",
            extra={"message_id": message and message.id, "status": part.status, "outcome": outcome},
        )
        if outcome is ReportOutcome.MOVED and part.status in (Status.DELIVERED, Status.FAILED):
            count(part.status.capitalize())
        return message
    created, kept = store.add_inbound(part, provider.name)
    logger.info("Received", extra={"message_id": kept.id, "duplicate": not created})
    count("Inbound" if created else "Duplicates")
    return kept
