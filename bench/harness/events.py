"""Makes many events of a kind, as API Gateway does. An environment makes them before it measures."""

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
    """Return the contact of a conversation of a filled database (fill.sql). The first number is 1."""
    return f"+1804{number:07}"


def webhooks(event: Event, run: str, contacts: tuple[int, int]) -> Iterator[Event]:
    """Return signed webhooks, each with a new message. `contacts` are the first and the last sender."""
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
        yield signed(event, body, f"msg_{run}_{number}")


def signed(event: Event, fields: Mapping[str, Any], id: str) -> Event:
    """https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md"""
    body, now = json.dumps(fields), str(int(time.time()))
    key = base64.b64decode(SIGNING_SECRET.removeprefix("whsec_"))
    mac = hmac.digest(key, f"{id}.{now}.{body}".encode(), hashlib.sha256)
    signature = f"v1,{base64.b64encode(mac).decode()}"
    signature_headers = {"webhook-id": id, "webhook-timestamp": now, "webhook-signature": signature}
    return {
        **event,
        "headers": {**event["headers"], **signature_headers},
        "body": body,
        "isBase64Encoded": False,
    }


def sends(event: Event, contacts: tuple[int, int]) -> Iterator[Event]:
    first, last = contacts
    for number in count():
        to = contact(first + number * 7919 % (last - first + 1))
        fields = {"from": CUSTOMER, "to": to, "type": "sms", "body": BODY}
        yield {**event, "body": json.dumps(fields), "isBase64Encoded": False}
