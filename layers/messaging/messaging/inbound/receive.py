"""Receives webhooks: messages from contacts, and reports about messages that we sent.

A provider gets a 2xx answer only after all of its request is committed, in the database or in the spool.
"""

import json
from collections.abc import Sequence
from datetime import UTC, datetime

from messaging import providers
from messaging.inbound import faults, media, spool, store
from messaging.inbound.faults import FaultKind
from messaging.inbound.spool import SpoolObjectMissing, SpoolPointer
from messaging.inbound.store import PartOutcome, StoredPart
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel, DeliveryReport, InboundMessage, Status
from messaging.postgres.database import StatementRejected
from messaging.problems import NotFound, SignatureRejected, Unavailable
from messaging.providers.provider import Provider, Webhook, WebhookResponse
from messaging.telemetry import count, logger

_METRICS = {
    PartOutcome.CREATED: "Inbound",
    PartOutcome.QUARANTINED: "Quarantined",
    PartOutcome.DUPLICATE: "InboundDuplicates",
    PartOutcome.CONFLICT: "InboundConflicts",
}

ParsedParts = Sequence[InboundMessage | DeliveryReport | Exception]
"""The parts of a request, in order. A part that could not be parsed is the exception that says why."""


def receive(channel: Channel, provider_name: str, webhook: Webhook) -> WebhookResponse:
    """Verify, parse and store a provider's request. Returns the provider's answer when it is committed.

    While the database is unavailable, the request is spooled and the answer is 202. A signed request that
    cannot be parsed is stored, so that it can be replayed after a fix. Raises NotFound if the provider does
    not exist, SignatureRejected, and Unavailable if the request can be neither stored nor spooled. For a
    request without a signature, it also raises Unreadable and Invalid.
    """
    provider = _find_provider(channel, provider_name)
    try:
        return _receive(channel, provider, webhook)
    except SignatureRejected as rejection:
        _log_rejection(rejection, provider.name, webhook.url)
        raise


def _receive(channel: Channel, provider: Provider, webhook: Webhook) -> WebhookResponse:
    verified = provider.verify(webhook)
    request = WebhookRequest(
        route=channel,
        provider=provider.name,
        url=webhook.url,
        query=webhook.query,
        headers=dict(webhook.headers),
        body=webhook.body,
        received_at=webhook.received_at,
        verified_at=datetime.now(UTC),
        replay_token=verified.replay_token,
    )
    try:
        parts = _parse(provider, webhook)
        if not verified.signed:
            for error in _errors(parts):
                raise error
        stored_parts = _store(request, parts)
    except Unavailable:
        spool.spool_request(request)
        return _accepted("The request is queued and will be processed later.")
    if stored_parts and all(part is None or part.outcome is PartOutcome.REFUSED for part in stored_parts):
        return _accepted("The request is stored, but it cannot be processed yet.")
    return provider.respond([part.message if part else None for part in stored_parts])


def store_verified(request: WebhookRequest) -> Sequence[StoredPart | None]:
    """Parse and store a request that was verified before. Returns the outcome of each part, None for one that
    could not be parsed.

    Raises NotFound if its provider is not configured any more, SignatureRejected if another request used its
    replay token, and Unavailable.
    """
    provider = _find_provider(request.route, request.provider)
    webhook = Webhook(request.url, request.query, request.headers, request.body, request.received_at)
    return _store(request, _parse(provider, webhook))


def is_read(parts: Sequence[StoredPart | None]) -> bool:
    """Whether all parts of a request are in the database."""
    return all(_is_read(part) for part in parts)


def store_spooled(record: WebhookRequest | SpoolPointer) -> None:
    """Store the request of a queue record, and delete its S3 object.

    Raises as store_verified does, except SignatureRejected: the request is rejected and logged, as it would
    have been on arrival. Raises SpoolObjectMissing if S3 does not return the object and its request is not
    stored.
    """
    if isinstance(record, WebhookRequest):
        _store_or_reject(record)
        return
    try:
        request = spool.load_request(record)
    except SpoolObjectMissing:
        if store.is_stored(record.provider, bytes.fromhex(record.digest)):
            return  # a run before stored it, and ended before the queue knew
        raise
    _store_or_reject(request)
    spool.delete_object(record)


def _store_or_reject(request: WebhookRequest) -> None:
    try:
        store_verified(request)
    except SignatureRejected as rejection:
        _log_rejection(rejection, request.provider, request.url)


def _find_provider(channel: Channel, name: str) -> Provider:
    provider = providers.get_provider(name)
    if channel not in provider.channels:
        raise NotFound(f"{name} does not serve {channel}.")
    return provider


def _parse(provider: Provider, webhook: Webhook) -> ParsedParts:
    try:
        return provider.parse(webhook)
    except Unavailable:
        raise  # the request is not at fault
    except Exception as error:  # noqa: BLE001  # a bug in the provider's file must not lose the request
        return [error]


def _errors(parts: ParsedParts) -> list[Exception]:
    return [part for part in parts if isinstance(part, Exception)]


def _store(request: WebhookRequest, parts: ParsedParts) -> Sequence[StoredPart | None]:
    """Store a request with its files and parts. Returns the outcome of each part, None for an exception.

    Either all of it is stored, or this raises. If the database rejects the statement, only the request is
    stored, and the rejection is its fault.
    """
    parsed_positions = [position for position, part in enumerate(parts) if not isinstance(part, Exception)]
    parsed_parts = [part for part in parts if not isinstance(part, Exception)]
    errors = _errors(parts)
    fault = faults.describe(errors)
    _store_files(request, parsed_parts)
    try:
        stored_parts = store.store_request(request, parsed_parts, fault)
    except StatementRejected as rejection:
        if not parsed_parts:
            raise Unavailable("The request cannot be stored; try again.") from rejection
        return _store(request, [rejection])

    outcomes: list[StoredPart | None] = [None] * len(parts)
    for position, part, stored_part in zip(parsed_positions, parsed_parts, stored_parts, strict=True):
        outcomes[position] = stored_part
        _log_part(part, stored_part, request.provider)
    faults.log_errors(errors, request.provider)
    if any(part.outcome is PartOutcome.REFUSED for part in stored_parts):
        count("WebhooksUnreadable")
    elif fault:
        count("WebhooksOverLimit" if fault.kind is FaultKind.OVER_LIMIT else "WebhooksUnreadable")
    return outcomes


def _store_files(request: WebhookRequest, parts: Sequence[InboundMessage | DeliveryReport]) -> None:
    files = [file for part in parts if isinstance(part, InboundMessage) for file in part.files]
    if not files:
        return
    if request.replay_token and store.is_token_used(request.replay_token, request.digest):
        raise SignatureRejected(store.REPLAYED)  # before the bucket holds files that no message refers to
    media.store_files(files)


def _is_read(part: StoredPart | None) -> bool:
    return part is not None and part.is_read


# --- Logs --------------------------------------------------------------------------------------------


def _log_rejection(rejection: SignatureRejected, provider: str, url: str) -> None:
    """Log the URL as it was verified, without its query: it shows if PUBLIC_URL is wrong."""
    logger.warning("Webhook rejected", extra={"reason": rejection.reason, "provider": provider, "url": url})
    count("WebhooksRejected")


def _log_part(part: InboundMessage | DeliveryReport, stored_part: StoredPart, provider: str) -> None:
    outcome = stored_part.outcome
    message_id = json.loads(stored_part.message)["id"] if stored_part.message else None
    fields = {"message_id": message_id, "outcome": outcome}
    if outcome is PartOutcome.REFUSED:
        logger.error("Part rejected by the database", extra=fields | {"error_message": stored_part.fault})
    elif isinstance(part, DeliveryReport):
        logger.info("Report received", extra=fields | {"status": part.status})
        if outcome is PartOutcome.MOVED and part.status in (Status.DELIVERED, Status.FAILED):
            count(part.status.capitalize())
        elif outcome is PartOutcome.UNMATCHED:
            count("ReportsUnmatched")
    else:
        if outcome is PartOutcome.CONFLICT:
            logger.error("Message id conflict", extra=fields | {"provider": provider})
        else:
            logger.info("Message received", extra=fields)
        count(_METRICS[outcome])


def _accepted(detail: str) -> WebhookResponse:
    return WebhookResponse(json.dumps({"detail": detail}), status=202)
