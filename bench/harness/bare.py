"""The smallest function that runs the webhook's statement: the driver and one call, and nothing else."""

import hashlib
import json
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pg8000

from messaging.postgres.database import connect

STATEMENT = (
    "SELECT outcome, message, fault FROM receive_webhook("
    "$1, $2, $3::timestamptz, $4::timestamptz,"
    " $5, $6, $7::jsonb, $8::bytea, $9::bytea, $10, $11, $12, $13::jsonb)"
)

EMPTY_FIELDS: dict[str, object] = {
    "from_name": None,
    "to_name": None,
    "cc": [],
    "cc_names": None,
    "reply_to": None,
    "reply_to_name": None,
    "headers": {},
    "subject": None,
    "html": None,
    "attachments": [],
}
"""The fields of models.Content that a text message does not have."""


@cache
def connection() -> pg8000.Connection:
    return connect()


def handler(event: dict[str, Any], _: object) -> dict[str, Any]:
    [(_, message, _)] = connection().execute_unnamed(STATEMENT, parameters(event)).rows
    return {"statusCode": 200, "headers": {"Content-Type": "application/json"}, "body": message}


def parameters(event: dict[str, Any]) -> Sequence[object]:
    """Return the parameters of receive_webhook, in its order (functions/migrate/sql)."""
    body = event["body"].encode()
    fields = json.loads(body)
    content = EMPTY_FIELDS | {name: fields[name] for name in ("type", "from", "to", "body", "timestamp")}
    part = {
        "kind": "inbound",
        "provider_message_id": fields["messaging_provider_id"],
        "content": content,
        "extra": None,
    }
    now = datetime.now(UTC)
    url = f"https://{event['requestContext']['domainName']}{event['rawPath']}"
    digest = hashlib.sha256(b"\0" + body).digest()[:16]
    raw = (url, event["rawQueryString"], json.dumps(event["headers"]), body, digest)
    return "sms", "sms", now, now, *raw, None, None, None, json.dumps([part])
