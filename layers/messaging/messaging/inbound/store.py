"""SQL of the inbound side: verified webhook requests, and the messages and reports parsed from them.

Each function is one transaction and one statement. It can be repeated if its answer was lost.
"""

import json
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any, NamedTuple

from messaging.inbound.faults import Fault
from messaging.inbound.webhook_request import WebhookRequest
from messaging.models import Channel, DeliveryReport, InboundMessage
from messaging.postgres.database import Row, StatementRejected, Values, call, run
from messaging.problems import SignatureRejected

PENDING_REPORT_AGE = timedelta(days=7)
"""How long a report waits for the attempt that it is about. Our own record of an attempt follows within
minutes; the provider's id of an attempt with an unknown outcome is found within about a day."""

_IS_STORED = "SELECT 1 FROM webhook_requests WHERE message_id IS NULL AND provider = $1 AND digest = $2"
_USED_BY_ANOTHER = "SELECT 1 FROM webhook_requests WHERE replay_token = $1 AND digest <> $2"

_DELETE_PENDING_REPORTS = (
    "WITH expired AS MATERIALIZED (SELECT id FROM pending_reports WHERE created_at <= now() - $1::interval"
    " ORDER BY created_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
    " DELETE FROM pending_reports p USING expired WHERE p.id = expired.id RETURNING 1"
)
_DELETE_REQUESTS = (
    "WITH expired AS MATERIALIZED (SELECT id FROM webhook_requests WHERE received_at <= now() - $1::interval"
    " AND coalesce(seen_at, received_at) <= now() - $1::interval AND (fault IS NULL OR seen_at IS NOT NULL)"
    " ORDER BY received_at LIMIT $2 FOR UPDATE SKIP LOCKED)"
    " DELETE FROM webhook_requests r USING expired WHERE r.id = expired.id RETURNING 1"
)

UNREAD = "fault IS NOT NULL AND dismissed_at IS NULL"
"""The condition for requests that could not be read and that nobody has dismissed."""
_PART_ERRORS = ("22", "23", "54")
"""Classes of SQLSTATE that one part of a request may cause, as receive_webhook lists them: invalid data, a
violated constraint, a limit of the database."""

REPLAYED = "Another request used the same token."


class PartOutcome(StrEnum):
    """What happened to one part of a request: a message or a delivery report."""

    CREATED = "created"
    """The message is stored for the account that owns its address."""
    QUARANTINED = "quarantined"
    """The message is stored for account 0, because no account owns its address."""
    DUPLICATE = "duplicate"
    """The message was stored before."""
    CONFLICT = "conflict"
    """Another message has the provider's id. It does not change, and the request is stored with a fault."""
    MOVED = "moved"
    """The report changed the status of its message."""
    NOTED = "noted"
    """The report is an event of its message. The status did not change: it is the same or further along."""
    PENDING = "pending"
    """The report is stored until an attempt with its provider's id is recorded."""
    UNMATCHED = "unmatched"
    """The report names no message of ours. It is not stored."""
    REFUSED = "refused"
    """The database cannot hold the part. The request is stored with a fault."""


class StoredPart(NamedTuple):
    outcome: PartOutcome
    message: str | None
    """JSON text of the message (conversations.responses.Message): as it was first stored, or after the
    report. None if the message is not known."""
    fault: str | None
    """Why the database rejected the part (SQLSTATE and constraint names, no content), or with which message
    it is in conflict."""

    @property
    def is_read(self) -> bool:
        """Whether the part is in the database: in a message or among its reports."""
        return self.outcome not in (PartOutcome.REFUSED, PartOutcome.CONFLICT)


def store_request(
    request: WebhookRequest,
    parts: Sequence[InboundMessage | DeliveryReport],
    parse_fault: Fault | None = None,
) -> Sequence[StoredPart]:
    """Store a verified request with its parts in one transaction. Returns the outcome of each part, in order.

    `parse_fault` says which parts could not be parsed, and why. Storing the same request again adds nothing;
    a request that can be parsed now loses its fault. Raises SignatureRejected if another request used its
    replay token.
    """
    part_fields = [
        _report_fields(part) if isinstance(part, DeliveryReport) else _message_fields(part) for part in parts
    ]
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
        "replay_token": request.replay_token,
        "fault": parse_fault and parse_fault.text,
        "fault_kind": parse_fault and parse_fault.kind,
        "parts": json.dumps(part_fields),
    }
    try:
        rows = _receive_webhook(arguments)
    except StatementRejected as error:
        if "webhook_requests_replay_token_key" in error.args:
            raise SignatureRejected(REPLAYED) from None
        raise
    return [StoredPart(PartOutcome(outcome), message, fault) for outcome, message, fault in rows]


def _receive_webhook(arguments: Mapping[str, object]) -> Sequence[Row]:
    try:
        return call("receive_webhook", **arguments)
    except StatementRejected as error:
        if not error.sqlstate.startswith(_PART_ERRORS):
            raise
        return call("receive_webhook", **arguments, isolated=True)  # stores the other parts


def _message_fields(part: InboundMessage) -> dict[str, Any]:
    """The JSON that add_inbound (inbound_messages.sql) reads."""
    files = [
        {"key": file.key, "name": file.name, "content_type": file.content_type, "size": len(file.content)}
        for file in part.files
    ]
    content = part.content()
    return {
        "kind": "inbound",
        "provider_message_id": part.provider_message_id,
        "content": content | {"attachments": content["attachments"] + files},
        "extra": part.extra or None,
        "substitute": part.substitute
        and {
            "content": {"from": part.substitute.sender, "from_name": part.substitute.from_name},
            "extra": part.substitute.extra,
        },
    }


def _report_fields(part: DeliveryReport) -> dict[str, Any]:
    """The JSON that add_report (inbound_reports.sql) reads."""
    return {
        "kind": "report",
        "provider_message_id": part.provider_message_id,
        "reference": part.reference,
        "status": part.status,
        "code": part.code,
        "reason": part.reason,
        "occurred_at": part.timestamp.isoformat(),
    }


# --- Stored requests ---------------------------------------------------------------------------------


def is_stored(provider: str, digest: bytes) -> bool:
    """Whether the request with this digest is stored. It is one that the spool kept in S3."""
    return bool(run(_IS_STORED, provider, digest))


def is_token_used(replay_token: str, digest: bytes) -> bool:
    """Whether a request with another digest used the replay token. Checked before files are uploaded."""
    return bool(run(_USED_BY_ANOTHER, replay_token, digest))


class Selector(NamedTuple):
    """A filter for stored requests of one route. A field that is None, False or empty filters nothing."""

    route: Channel
    unparsed: bool = False
    """Only requests with a fault that nobody has dismissed: they could not be read, in whole or in part."""
    since: datetime | None = None
    """Received at this time or later, and before `until`."""
    until: datetime | None = None
    provider: str | None = None
    ids: Sequence[int] = ()


def origin_conditions(
    values: Values, provider: str | None, since: datetime | None, until: datetime | None
) -> list[str]:
    """Return the conditions for requests of a provider in a period. None filters nothing."""
    conditions = []
    if provider:
        conditions.append(f"provider = {values.bind(provider)}")
    if since:
        conditions.append(f"received_at >= {values.bind(since)}")
    if until:
        conditions.append(f"received_at < {values.bind(until)}")
    return conditions


def list_requests(selector: Selector, after: int, limit: int) -> Sequence[tuple[int, WebhookRequest]]:
    """Return the next requests with an id greater than `after`, each with its id, in the order of ids."""
    values = Values()
    conditions = [f"route = {values.bind(selector.route)}", f"id > {values.bind(after)}"]
    conditions += origin_conditions(values, selector.provider, selector.since, selector.until)
    if selector.unparsed:
        conditions.append(UNREAD)
    if selector.ids:
        conditions.append(f"id = ANY ({values.bind(list(selector.ids))})")
    rows = run(
        # The columns are in the order of WebhookRequest's fields.
        "SELECT id, route, provider, url, query, headers, body, received_at, verified_at, replay_token"
        f" FROM webhook_requests WHERE {' AND '.join(conditions)} ORDER BY id LIMIT {values.bind(limit)}",
        *values,
    )
    return [
        (id, WebhookRequest(**dict(zip(WebhookRequest.model_fields, columns, strict=True))))
        for id, *columns in rows
    ]


# --- Maintenance -------------------------------------------------------------------------------------


def apply_pending_reports(limit: int) -> int:
    """Apply pending reports whose attempt is recorded by now. Returns their number."""
    return len(call("apply_pending_reports", limit=limit))


def delete_pending_reports(limit: int) -> int:
    """Delete pending reports that are older than PENDING_REPORT_AGE. Returns their number."""
    return len(run(_DELETE_PENDING_REPORTS, PENDING_REPORT_AGE, limit))


def delete_requests(age: timedelta, limit: int) -> int:
    """Delete webhook requests that are older than `age`. Returns their number.

    The age of an unread request counts from when an operator saw it: one that nobody has seen is not deleted.
    """
    return len(run(_DELETE_REQUESTS, age, limit))
