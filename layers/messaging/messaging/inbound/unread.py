"""Unread webhooks: verified requests that could not be read, in whole or in part, as operators handle them.

An operator has seen a request who has downloaded, replayed or dismissed it. Before that it is not deleted.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from typing import Literal, NamedTuple

from messaging.aws import boto_clients
from messaging.inbound.faults import FaultKind
from messaging.inbound.responses import ReplayedPart, ReplayedWebhook
from messaging.inbound.store import UNREAD, StoredPart, origin_conditions
from messaging.inbound.webhook_request import WebhookRequest
from messaging.postgres.database import Values, call, run
from messaging.problems import Unavailable
from messaging.settings import settings
from messaging.telemetry import logger

MAX_DOWNLOAD = 4_000_000
"""Bytes of a body that a Lambda response can hold: 6 MB, in base64."""
LINK_AGE = 900  # seconds that a download URL is valid

_LIST = (
    "SELECT id, unread_webhook_json(r)::text FROM webhook_requests r WHERE {conditions}"
    " ORDER BY id DESC LIMIT {limit}"
)
_GET = "SELECT unread_webhook_details(r)::text FROM webhook_requests r WHERE id = $1 AND fault IS NOT NULL"
_FAULT = "SELECT fault, fault_kind FROM webhook_requests WHERE id = $1"


# --- Queries and changes -----------------------------------------------------------------------------


class UnreadFilter(NamedTuple):
    """Selects unread webhooks. A field that is None filters nothing."""

    provider: str | None = None
    kind: FaultKind | None = None
    since: datetime | None = None
    """Received at this time or later, and before `until`."""
    until: datetime | None = None


def list_webhooks(selected: UnreadFilter, limit: int, before: int) -> Sequence[tuple[int, str]]:
    """Return unread webhooks with an id less than `before` that nobody has dismissed, newest first.

    Each row has the id and the JSON text of an UnreadWebhook. One row more than the limit, if any.
    """
    values = Values()
    conditions = [UNREAD, f"id < {values.bind(before)}"]
    conditions += origin_conditions(values, selected.provider, selected.since, selected.until)
    if selected.kind:
        conditions.append(f"fault_kind = {values.bind(selected.kind)}")
    statement = _LIST.format(conditions=" AND ".join(conditions), limit=values.bind(limit + 1))
    rows = run(statement, *values)
    return [(id, document) for id, document in rows]


def get_webhook(id: int) -> str | None:
    """Return the JSON text of an UnreadWebhookDetails; None if it does not exist or could be read."""
    rows = run(_GET, id)
    return str(rows[0][0]) if rows else None


def open_webhook(actor: str, id: int, action: Literal["downloaded", "replayed"]) -> WebhookRequest | None:
    """Return an unread webhook with its body, and record that the actor has seen it.

    None if it does not exist or could be read.
    """
    rows = call("open_unread_webhook", actor=actor, id=id, action=action)
    if not rows:
        return None
    return WebhookRequest(**dict(zip(WebhookRequest.model_fields, rows[0], strict=True)))


def dismiss_webhook(actor: str, id: int) -> bool:
    """Remove an unread webhook from the list. Returns whether it exists."""
    [(dismissed,)] = call("dismiss_unread_webhook", actor=actor, id=id)
    return bool(dismissed)


def replayed(id: int, parts: Sequence[StoredPart | None]) -> ReplayedWebhook:
    """Return the result of a replay whose parts have these outcomes."""
    [(fault, kind)] = run(_FAULT, id) or [(None, None)]
    return ReplayedWebhook(id=id, kind=kind, fault=fault, parts=[_replayed_part(part) for part in parts])


def _replayed_part(part: StoredPart | None) -> ReplayedPart:
    if part is None:
        return ReplayedPart(outcome="unreadable", message_id=None)
    message_id = json.loads(part.message)["id"] if part.message else None
    return ReplayedPart(outcome=part.outcome, message_id=message_id)


# --- Downloads ---------------------------------------------------------------------------------------


def download_url(id: int, body: bytes, file_name: str) -> str:
    """Copy a body that is too large for a response to S3, and return a URL that is valid for LINK_AGE.

    The lifecycle rule of the bucket deletes the copy. Raises Unavailable.
    """
    bucket, key = settings().inbound_bucket, f"unread/{id}"
    try:
        boto_clients.s3().put_object(Bucket=bucket, Key=key, Body=body)
    except Exception as error:
        logger.warning("Download unavailable", extra={"cause": type(error).__name__})
        raise Unavailable("The body cannot be downloaded now; try again.") from error
    return boto_clients.s3().generate_presigned_url(
        "get_object",
        Params={
            "Bucket": bucket,
            "Key": key,
            "ResponseContentDisposition": f'attachment; filename="{file_name}"',
            "ResponseContentType": "application/octet-stream",
        },
        ExpiresIn=LINK_AGE,
    )
