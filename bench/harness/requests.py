"""Events as API Gateway makes them, many of a kind; made in the process that answers them, before it does."""

import base64
import hashlib
import hmac
import json
import time
from collections.abc import Iterator, Mapping
from itertools import count
from typing import Any

SIGNING_SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
CUSTOMER = "+12016661234"
BODY = "See you at eight, in front of the station; bring the tickets, the umbrella and something to eat."

Event = dict[str, Any]


def contact(number: int) -> str:
    """Of a conversation, the first being 1, as the database is filled (database.FILL)."""
    return f"+1804{number:07}"


def webhooks(frame: Event, run: str, contacts: tuple[int, int]) -> Iterator[Event]:
    """Signed, each a message of its own; `contacts` are the first and the last that write, in turn."""
    first, last = contacts
    for number in count():
        body = {
            "from": contact(first + number * 7919 % (last - first + 1)),
            "to": CUSTOMER,
            "type": "sms",
            "messaging_provider_id": f"{run}-{number}",
            "body": BODY,
            "attachments": None,
            "timestamp": "2024-11-01T14:00:00Z",
        }
        yield signed(frame, body, f"msg_{run}_{number}")


def signed(frame: Event, fields: Mapping[str, Any], id: str) -> Event:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    body, now = json.dumps(fields), str(int(time.time()))
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{id}.{now}.{body}".encode(), hashlib.sha256)
    signature = f"v1,{base64.b64encode(mac).decode()}"
    told = {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature}
    return {**frame, "headers": {**frame["headers"], **told}, "body": body, "isBase64Encoded": False}


def sends(frame: Event, contacts: tuple[int, int]) -> Iterator[Event]:
    first, last = contacts
    for number in count():
        to = contact(first + number * 7919 % (last - first + 1))
        fields = {"from": CUSTOMER, "to": to, "type": "sms", "body": BODY}
        yield {**frame, "body": json.dumps(fields), "isBase64Encoded": False}
