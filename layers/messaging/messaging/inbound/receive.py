"""What comes in: messages from contacts, and reports about messages that we sent."""

import json
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from traceback import extract_tb
from typing import NamedTuple

from messaging import providers
from messaging.inbound import media, spool, store
from messaging.inbound.spool import Missing, Pointer
from messaging.inbound.store import Kept, PartOutcome, Selector
from messaging.inbound.webhook_request import RawRequest
from messaging.models import Channel, DeliveryReport, InboundMessage, Status
from messaging.postgres.database import StatementRejected
from messaging.problems import NotFound, Problem, SignatureRejected, Unavailable
from messaging.providers.provider import Answer, Provider, Webhook
from messaging.telemetry import count, log_fault, logger

TOLD_FAULTS = 10  # of one request: a batch may hold thousands
REPLAY_TIME = 20.0  # seconds kept for one more request, which a slow database and bucket may take
REPLAY_BATCH = 10  # requests of up to 6 MB each

_COUNTED = {
    PartOutcome.CREATED: "Inbound",
    PartOutcome.QUARANTINED: "Quarantined",
    PartOutcome.DUPLICATE: "Duplicates",
}

Read = Sequence[InboundMessage | DeliveryReport | Exception]
"""What a request tells; in the place of what could not be read, why."""


class Replayed(NamedTuple):
    replayed: int
    failed: int
    """Still at fault, wholly or in part."""
    not_configured: int
    """Of a provider that is not of this deployment any more: as they were."""
    after: int | None
    """The last request that there was time for; None where there are no more."""


def receive(channel: Channel, provider_name: str, webhook: Webhook) -> Answer:
    """Keeps a provider's request with everything that it tells, and gives the provider's answer once all of
    it is committed: in the database or, while that is away, in the function's queue.

    A signed request that cannot be read is stored, to be replayed after a fix. Raises NotFound,
    SignatureRejected and Unavailable; for a request without a signature also Unreadable and Invalid.
    """
    provider = _serving(channel, provider_name)
    try:
        return _receive(channel, provider, webhook)
    except SignatureRejected as refused:
        _note_refused(refused, provider.name, webhook.url)
        raise


def _receive(channel: Channel, provider: Provider, webhook: Webhook) -> Answer:
    verified = provider.verify(webhook)
    request = RawRequest(
        route=channel,
        provider=provider.name,
        url=webhook.url,
        query=webhook.query,
        headers=dict(webhook.headers),
        body=webhook.body,
        received_at=webhook.received_at,
        verified_at=datetime.now(UTC),
        once=verified.once,
    )
    try:
        read = _read(provider, webhook)
        if not verified.signed:
            for error in _faults(read):
                raise error
        kept = _keep(request, read)
    except Unavailable:
        spool.put(request)
        return _later("It was kept, and is read once what that needs is back.")
    if kept and not any(map(_is_whole, kept)):
        return _later("It was kept, and could not be read yet.")
    return provider.answer([one and one.message for one in kept])


def keep(request: RawRequest) -> bool:
    """Keeps a request that was verified before, as `receive` does, and says whether all of it could be read.

    Raises NotFound where its provider is not of this deployment any more, and Unavailable.
    """
    provider = _serving(request.route, request.provider)
    webhook = Webhook(request.url, request.query, request.headers, request.body, request.received_at)
    return all(map(_is_whole, _keep(request, _read(provider, webhook))))


def take(held: RawRequest | Pointer) -> None:
    """Keeps what the queue held, as `keep` does. Raises also Missing."""
    if isinstance(held, RawRequest):
        _keep_late(held)
        return
    try:
        request = spool.fetch(held)
    except Missing:
        if not store.is_kept(held.provider, bytes.fromhex(held.digest)):
            raise  # else it was kept by one who died before the queue was told
        return
    _keep_late(request)
    spool.forget(held)


def _keep_late(request: RawRequest) -> None:
    try:
        keep(request)
    except SignatureRejected as refused:  # as it would have been told at once, had the database been there
        _note_refused(refused, request.provider, request.url)


def replay(selector: Selector, after: int, seconds_left: Callable[[], float]) -> Replayed:
    """Reads kept requests again, while there is time; what is kept already adds nothing.

    Raises Unavailable; the same call again does no harm.
    """
    replayed = failed = not_configured = 0
    while requests := store.requests(selector, after, REPLAY_BATCH):
        for id, request in requests:
            if seconds_left() < REPLAY_TIME:
                return Replayed(replayed, failed, not_configured, after)
            try:
                whole = _keep_again(id, request)
            except NotFound:
                not_configured += 1
            else:
                replayed, failed = replayed + whole, failed + (not whole)
            after = id
    return Replayed(replayed, failed, not_configured, None)


def _keep_again(id: int, request: RawRequest) -> bool:
    try:
        return keep(request)
    except (Unavailable, NotFound):
        raise
    except Exception as error:  # noqa: BLE001  # whatever is wrong with one, the others can be read
        log_fault("A request could not be replayed", error, request_id=id)
        return False


def _serving(channel: Channel, name: str) -> Provider:
    provider = providers.named(name)
    if channel not in provider.channels:
        raise NotFound(f"{name} does not serve {channel}.")
    return provider


def _read(provider: Provider, webhook: Webhook) -> Read:
    try:
        return provider.parse(webhook)
    except Unavailable:
        raise  # nothing is wrong with the request
    except Exception as error:  # noqa: BLE001  # a fault of the provider's file must not lose what it was to read
        return [error]


def _faults(read: Read) -> list[Exception]:
    return [one for one in read if isinstance(one, Exception)]


def _keep(request: RawRequest, read: Read) -> Sequence[Kept | None]:
    """What became of each part; None of one that could not be read. All is kept, or this raises."""
    parts = [one for one in read if not isinstance(one, Exception)]
    faults = _faults(read)
    files = [file for part in parts if isinstance(part, InboundMessage) for file in part.files]
    if files and request.once and store.is_used(request.once, request.digest):
        raise SignatureRejected(store.USED)  # before its files lie in the bucket, where nobody looks for them
    media.keep(files)
    try:
        kept = store.keep(request, parts, _unread(faults))
    except StatementRejected as refusal:
        if not parts:
            raise Unavailable("The request cannot be kept; try again.") from refusal
        return _keep(request, [refusal])  # all that can be kept then is the request
    for part, one in zip(parts, kept, strict=True):
        _note(part, one)
    for error in faults[:TOLD_FAULTS]:
        log_fault("A verified request cannot be read", error, provider=request.provider, of=len(faults))
    rest = iter(kept)
    became = [None if isinstance(one, Exception) else next(rest) for one in read]
    if not all(map(_is_whole, became)):
        count("Unparsed")
    return became


def _unread(faults: Sequence[Exception]) -> str | None:
    """What of a request could not be read, and why."""
    told = [_words(error) for error in faults[:TOLD_FAULTS]]
    more = len(faults) - len(told)
    return "; ".join([*told, *([f"and {more} more"] if more else [])]) or None


def _is_whole(kept: Kept | None) -> bool:
    return kept is not None and kept.outcome is not PartOutcome.REFUSED


def _words(error: Exception) -> str:
    """What is wrong, without a word of the request's own."""
    if isinstance(error, Problem):
        fields = ", ".join(one["field"] for one in error.errors)
        return f"{type(error).__name__}{fields and ': '}{fields}"
    if isinstance(error, StatementRejected):
        return " ".join(("Refused:", *filter(None, error.args)))
    *_, frame = extract_tb(error.__traceback__)
    return f"{type(error).__name__} in {Path(frame.filename).name}, line {frame.lineno}"


def _note_refused(refused: SignatureRejected, provider: str, url: str) -> None:
    """By the URL as it was verified, without its query: a wrong PUBLIC_URL shows there."""
    logger.warning("Refused", extra={"reason": refused.reason, "provider": provider, "url": url})
    count("Refused")


def _note(part: InboundMessage | DeliveryReport, kept: Kept) -> None:
    named = {"message_id": kept.message and json.loads(kept.message)["id"], "outcome": kept.outcome}
    if kept.outcome is PartOutcome.REFUSED:
        logger.error(
            "A part of a verified request cannot be kept", extra=named | {"error_message": kept.fault}
        )
    elif isinstance(part, DeliveryReport):
        logger.info("Reported", extra=named | {"status": part.status})
        if kept.outcome is PartOutcome.MOVED and part.status in (Status.DELIVERED, Status.FAILED):
            count(part.status.capitalize())
    else:
        logger.info("Received", extra=named)
        count(_COUNTED[kept.outcome])


def _later(detail: str) -> Answer:
    return Answer(json.dumps({"detail": detail}), status=202)
