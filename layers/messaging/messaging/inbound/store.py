"""The inbox's side of the store: what a provider's request told, with the request itself, kept once.

As in `store`, each function is one transaction, and one statement that is repeatable.
"""

import json
from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from messaging.inbound.webhook_request import RawRequest
from messaging.models import Channel, DeliveryReport, InboundMessage
from messaging.postgres.database import StatementRejected, Values, call, run
from messaging.problems import SignatureRejected

PARKED_AGE = timedelta(days=7)
"""How long a report waits for an attempt of its provider's id: our own record of it follows within minutes,
and one of a delivery of unknown outcome within the day or so that a message is tried for."""

_KEPT = "SELECT 1 FROM webhook_requests WHERE provider = $1 AND digest = $2"
_USED = "SELECT 1 FROM webhook_requests WHERE replay_token = $1 AND digest <> $2"

_FORGET = (
    "WITH old AS MATERIALIZED (SELECT id FROM {table} WHERE {time} <= now() - $1::interval ORDER BY {time}"
    " LIMIT $2 FOR UPDATE SKIP LOCKED)"
    " DELETE FROM {table} USING old WHERE {table}.id = old.id RETURNING 1"
)
_FORGET_PARKED = _FORGET.format(table="pending_reports", time="created_at")
_FORGET_REQUESTS = _FORGET.format(table="webhook_requests", time="received_at")


_OF_ONE_PART = ("22", "23", "54")
"""Classes of SQLSTATE that one part of a request may cause, as receive_webhook lists them: invalid data, a
violated constraint, a limit of the database."""

USED = "Another request came with the same token."


class PartOutcome(StrEnum):
    """What became of a part of a request."""

    CREATED = "created"
    QUARANTINED = "quarantined"
    """Created, in no account: nobody owns the address that it reached."""
    DUPLICATE = "duplicate"
    MOVED = "moved"
    NOTED = "noted"
    """A report that moved nothing: the status was already as far."""
    PENDING = "pending"
    """Until an attempt is recorded with the provider's id."""
    UNMATCHED = "unmatched"
    REFUSED = "refused"
    """By the database, which cannot hold it; the request is kept with its fault."""


class Kept(NamedTuple):
    outcome: PartOutcome
    message: str | None
    """The JSON text of the message (conversations.responses.Message) as it was stored first, or as a report
    has left it; None if it is not known."""
    fault: str | None
    """Of one that was refused, in Postgres' codes and our names."""


def keep(
    request: RawRequest, parts: Sequence[InboundMessage | DeliveryReport], unread: str | None = None
) -> Sequence[Kept]:
    """Stores a verified request with all its parts, and returns the outcome of each part.

    `unread` says which parts could not be read, and why. The same request again adds nothing; a request that
    can be read now loses its fault. Raises SignatureRejected if another request used its replay token.
    """
    told = [_report(part) if isinstance(part, DeliveryReport) else _inbound(part) for part in parts]
    arguments = {
        "route": request.route,
        "provider": request.provider,
        "received_at": request.received_at,
        "verified_at": request.verified_at,
        "url": request.url,
        "query": request.query,
        "headers": json.dumps(request.headers),
        "body": request.body,
        "digest": request.digest,
        "replay_token": request.once,
        "fault": unread,
        "parts": json.dumps(told),
    }
    try:
        try:
            rows = call("receive_webhook", **arguments)
        except StatementRejected as refusal:
            if not refusal.sqlstate.startswith(_OF_ONE_PART):
                raise
            rows = call("receive_webhook", **arguments, isolated=True)  # so that the other parts are stored
    except StatementRejected as refusal:
        if "webhook_requests_replay_token_key" in refusal.args:
            raise SignatureRejected(USED) from None
        raise
    return [Kept(PartOutcome(outcome), message, fault) for outcome, message, fault in rows]


def _inbound(part: InboundMessage) -> dict[str, Any]:
    files = [
        {"key": one.key, "name": one.name, "content_type": one.content_type, "size": len(one.content)}
        for one in part.files
    ]
    content = part.content()
    return {
        "kind": "inbound",
        "provider_message_id": part.provider_message_id,
        "content": content | {"attachments": content["attachments"] + files},
        "extra": part.extra or None,
    }


def _report(part: DeliveryReport) -> dict[str, Any]:
    return {
        "kind": "report",
        "provider_message_id": part.provider_message_id,
        "reference": part.reference,
        "status": part.status,
        "code": part.code,
        "reason": part.reason,
        "occurred_at": part.timestamp.isoformat(),
    }


# --- What was kept -----------------------------------------------------------------------------------


def is_kept(provider: str, digest: bytes) -> bool:
    return bool(run(_KEPT, provider, digest))


def is_used(once: str, digest: bytes) -> bool:
    """Whether another request bore what is good for one alone: a look before work for nothing."""
    return bool(run(_USED, once, digest))


class Selector(NamedTuple):
    """Which of the requests that came by a route; what is None or empty chooses nothing."""

    route: Channel
    unparsed: bool = False
    since: datetime | None = None
    """Of their arrival; `until` is not included."""
    until: datetime | None = None
    provider: str | None = None
    ids: Sequence[int] = ()


def requests(selector: Selector, after: int, limit: int) -> Sequence[tuple[int, RawRequest]]:
    """The next requests in the order of their ids, each under its id."""
    values = Values()
    wanted = [f"route = {values.bind(selector.route)}", f"id > {values.bind(after)}"]
    if selector.unparsed:
        wanted.append("fault IS NOT NULL")
    if selector.since:
        wanted.append(f"received_at >= {values.bind(selector.since)}")
    if selector.until:
        wanted.append(f"received_at < {values.bind(selector.until)}")
    if selector.provider:
        wanted.append(f"provider = {values.bind(selector.provider)}")
    if selector.ids:
        wanted.append(f"id = ANY ({values.bind(list(selector.ids))})")
    rows = run(
        # In the order of RawRequest's fields.
        "SELECT id, route, provider, url, query, headers, body, received_at, verified_at, replay_token"
        f" FROM webhook_requests WHERE {' AND '.join(wanted)} ORDER BY id LIMIT {values.bind(limit)}",
        *values,
    )
    return [(id, RawRequest(**dict(zip(RawRequest.model_fields, row, strict=True)))) for id, *row in rows]


# --- What was left behind ----------------------------------------------------------------------------


def apply_pending_reports(limit: int) -> int:
    """Applies parked reports whose attempt is known by now; gives how many."""
    return len(call("apply_pending_reports", limit=limit))


def forget_pending_reports(limit: int) -> int:
    """Deletes parked reports that no attempt was recorded for in PARKED_AGE; gives how many."""
    return len(run(_FORGET_PARKED, PARKED_AGE, limit))


def forget_requests(age: timedelta, limit: int) -> int:
    """Deletes raw requests whose time is up; gives how many."""
    return len(run(_FORGET_REQUESTS, age, limit))
