"""The inbox's side of the store: what a provider's request told, with the request itself, kept once.

As in `store`, each function is one transaction, and one statement that is repeatable.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple
from uuid import uuid4

from sqlalchemy import (
    DateTime,
    Integer,
    Interval,
    LargeBinary,
    Text,
    bindparam,
    select,
    text,
)
from sqlalchemy.dialects.postgresql import JSONB

from messaging.database import Refused, run, statement
from messaging.models import REPORT_RANK, Channel, DeliveryReport, InboundMessage, Message
from messaging.problems import Forbidden
from messaging.raw import RawRequest

PARKED_AGE = timedelta(days=7)
"""How long a report waits for an attempt of its provider's id: our own record of it follows within minutes,
and one of a delivery of unknown outcome within the day or so that a message is tried for."""

_RECEIVE = statement(
    "receive_webhook",
    *("outcome", "message", "fault"),
    route=Text(),
    provider=Text(),
    received_at=DateTime(timezone=True),
    verified_at=DateTime(timezone=True),
    url=Text(),
    query=Text(),
    headers=JSONB(),
    body=LargeBinary(),
    digest=LargeBinary(),
    once=Text(),
    fault=Text(),
    parts=JSONB(),
)

_APPLY_PARKED = statement("apply_parked_reports", "id", limit=Integer())

_KEPT = text("SELECT 1 FROM webhook_requests WHERE provider_type = :provider AND digest = :digest")
_USED = text("SELECT 1 FROM webhook_requests WHERE once = :once AND digest <> :digest")

_FORGET = (
    "WITH old AS MATERIALIZED (SELECT id FROM {table} WHERE {time} <= now() - :age ORDER BY {time}"
    " LIMIT :limit FOR UPDATE SKIP LOCKED)"
    " DELETE FROM {table} USING old WHERE {table}.id = old.id RETURNING 1"
)
_AGE = bindparam("age", type_=Interval()), bindparam("limit", type_=Integer())
_FORGET_PARKED = text(_FORGET.format(table="parked_reports", time="created_at")).bindparams(*_AGE)
_FORGET_REQUESTS = text(_FORGET.format(table="webhook_requests", time="received_at")).bindparams(*_AGE)


USED = "Another request came with the same token."


class Outcome(StrEnum):
    """What became of a part of a request."""

    CREATED = "created"
    QUARANTINED = "quarantined"
    """Created, in no account: nobody owns the address that it reached."""
    DUPLICATE = "duplicate"
    MOVED = "moved"
    NOTED = "noted"
    """A report that moved nothing: the status was already as far."""
    PARKED = "parked"
    """Until an attempt is recorded with the provider's id."""
    UNMATCHED = "unmatched"
    REFUSED = "refused"
    """By the database, which cannot hold it; the request is kept with its fault."""


class Kept(NamedTuple):
    outcome: Outcome
    message: Message | None
    """As it was kept first, or as a report has left it; None where it is not known."""
    fault: str | None
    """Of one that was refused, in Postgres' codes and our names."""


def keep(
    request: RawRequest, parts: Sequence[InboundMessage | DeliveryReport], unread: str | None = None
) -> Sequence[Kept]:
    """Keeps a verified request and everything that it tells, and gives what became of each part.

    `unread` says what of it could not be read. The same request again adds nothing; one that could not be
    read before, and now was, loses its fault. Raises Forbidden where another bore what is good for one alone.
    """
    try:
        rows = run(_RECEIVE, _row(request, parts, unread))
    except Refused as refusal:
        if "webhook_requests_once_key" in refusal.args:
            raise Forbidden(USED) from None
        raise
    return [
        Kept(Outcome(outcome), message and Message.model_validate_json(message), fault)
        for outcome, message, fault in rows
    ]


def _row(
    request: RawRequest, parts: Sequence[InboundMessage | DeliveryReport], unread: str | None
) -> dict[str, Any]:
    return {
        "route": request.route,
        "provider": request.provider,
        "received_at": request.received_at,
        "verified_at": request.verified_at,
        "url": request.url,
        "query": request.query,
        "headers": request.headers,
        "body": request.body,
        "digest": request.digest,
        "once": request.once,
        "fault": unread,
        "parts": [_report(part) if isinstance(part, DeliveryReport) else _inbound(part) for part in parts],
    }


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
    """With a token of its own: a call whose answer was lost is made again, and brings the same report."""
    return {
        "kind": "report",
        "token": str(uuid4()),
        "provider_message_id": part.provider_message_id,
        "reference": part.reference,
        "status": part.status,
        "rank": REPORT_RANK[part.status],
        "code": part.code,
        "reason": part.reason,
        "occurred_at": part.timestamp.isoformat(),
    }


# --- What was kept -----------------------------------------------------------------------------------


def is_kept(provider: str, digest: bytes) -> bool:
    return bool(run(_KEPT, {"provider": provider, "digest": digest}))


def is_used(once: str, digest: bytes) -> bool:
    """Whether another request bore what is good for one alone: a look before work for nothing."""
    return bool(run(_USED, {"once": once, "digest": digest}))


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
    from messaging.tables import webhook_requests  # all tables: 10 ms of a cold start

    table = webhook_requests.c
    found = select(webhook_requests).where(table.route == selector.route, table.id > after)
    if selector.unparsed:
        found = found.where(table.fault.is_not(None))
    if selector.since:
        found = found.where(table.received_at >= selector.since)
    if selector.until:
        found = found.where(table.received_at < selector.until)
    if selector.provider:
        found = found.where(table.provider_type == selector.provider)
    if selector.ids:
        found = found.where(table.id.in_(selector.ids))
    rows = run(found.order_by(table.id).limit(limit), {})
    return [(row.id, _raw(row)) for row in rows]


def _raw(row: Any) -> RawRequest:
    return RawRequest(
        route=row.route,
        provider=row.provider_type,
        url=row.url,
        query=row.query,
        headers=row.headers,
        body=row.body,
        received_at=row.received_at,
        verified_at=row.verified_at,
        once=row.once,
    )


# --- What was left behind ----------------------------------------------------------------------------


def apply_parked_reports(limit: int) -> int:
    """Applies parked reports whose attempt is known by now; gives how many."""
    return len(run(_APPLY_PARKED, {"limit": limit}))


def forget_parked_reports(limit: int) -> int:
    """Deletes parked reports that no attempt was recorded for in PARKED_AGE; gives how many."""
    return len(run(_FORGET_PARKED, {"age": PARKED_AGE, "limit": limit}))


def forget_requests(age: timedelta, limit: int) -> int:
    """Deletes raw requests whose time is up; gives how many."""
    return len(run(_FORGET_REQUESTS, {"age": age, "limit": limit}))
