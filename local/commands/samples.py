"""Requests that the service accepts as they are: the OpenAPI document and the text of `start` show them."""

from collections.abc import Mapping
from typing import Any

Request = Mapping[str, Any]

CUSTOMER, CONTACT = "+12016661234", "+18045551234"
CUSTOMER_EMAIL, CONTACT_EMAIL = "user@example.com", "contact@example.org"
TIMESTAMP = "2024-11-01T14:00:00Z"
IMAGE, PHOTO = "https://example.com/image.jpg", "https://example.com/photo.jpg"

TO_CONTACT = {
    "sms": {"from": CUSTOMER, "to": CONTACT},
    "email": {"from": CUSTOMER_EMAIL, "to": CONTACT_EMAIL},
}
TO_CUSTOMER = {
    "sms": {"from": CONTACT, "to": CUSTOMER},
    "email": {"from": CONTACT_EMAIL, "to": CUSTOMER_EMAIL},
}

OUTBOUND: Mapping[str, Mapping[str, Request]] = {
    "sms": {
        "sms": TO_CONTACT["sms"] | {"body": "Hello"},
        "mms": TO_CONTACT["sms"] | {"body": "Look", "attachments": [IMAGE]},
    },
    "email": {
        "email": {
            "from": f"Example Shop <{CUSTOMER_EMAIL}>",
            "to": CONTACT_EMAIL,
            "subject": "Hello",
            "body": "Hello <b>you</b>",
        },
    },
}
"""Messages to send, by route and name."""
WEBHOOKS: Mapping[str, Mapping[str, Request]] = {
    "sms": {
        "sms": TO_CUSTOMER["sms"]
        | {"type": "sms", "messaging_provider_id": "message-1", "body": "Hi", "timestamp": TIMESTAMP},
        "mms": TO_CUSTOMER["sms"]
        | {
            "type": "mms",
            "messaging_provider_id": "message-2",
            "body": "See",
            "attachments": [PHOTO],
            "timestamp": TIMESTAMP,
        },
    },
    "email": {
        "email": TO_CUSTOMER["email"]
        | {"xillio_id": "message-3", "body": "<p>Hi</p>", "timestamp": TIMESTAMP},
    },
}
"""Messages from the JSON gateways `sms` and `email`, which need no signature on this machine."""
REPORTS: Mapping[str, Request] = {
    "sms": {"messaging_provider_id": "message-9", "status": "delivered", "timestamp": TIMESTAMP},
    "email": {"xillio_id": "message-9", "status": "delivered", "timestamp": TIMESTAMP},
}
"""Delivery reports from the JSON gateways. They are about a message that was not sent."""
ADMIN: Mapping[tuple[str, str], Request] = {
    ("post", "/api/admin/accounts"): {"name": "Example", "sends_per_second": 10, "sends_per_day": 10_000},
    ("patch", "/api/admin/accounts/{id}"): {"sends_per_day": 20_000},
    ("post", "/api/admin/addresses"): {"account_id": 1, "address": CUSTOMER},
    ("post", "/api/admin/keys"): {"account_id": 1, "name": "example", "scopes": ["send", "read"]},
}
"""Requests to manage accounts, by method and path."""


def request_examples(method: str, path: str) -> dict[str, Request]:
    """Return the examples of an operation's request, by name; an empty dict if it needs none."""
    if (method, path) in ADMIN:
        return {"example": ADMIN[method, path]}
    if method != "post":
        return {}
    channel = path.rpartition("/")[2]
    match path.rpartition("/")[0]:
        case "/api/messages":
            return dict(OUTBOUND[channel])
        case "/api/webhooks":
            return {**WEBHOOKS[channel], "report": REPORTS[channel]}
    return {}
