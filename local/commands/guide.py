"""The text that `start` and `services` show when everything runs: the URLs, and commands to try."""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from local.backing_services import BackingServices
from local.services.aws import SECRET
from local.simulators.vendors.json_gateway import JsonGateway
from local.stack import Stack

CUSTOMER, CONTACT = "+12016661234", "+18045551234"
CUSTOMER_EMAIL, CONTACT_EMAIL = "user@example.com", "contact@example.org"
TIMESTAMP = "2024-11-01T14:00:00Z"
IMAGE, PHOTO = "https://example.com/image.jpg", "https://example.com/photo.jpg"
NOTE = {"name": "note.txt", "type": "text/plain", "content": "SGVsbG8="}
Messages = dict[str, list[dict[str, Any]]]

OUTBOUND: Messages = {
    "sms": [
        {"from": CUSTOMER, "to": CONTACT, "type": "sms", "body": "Hello"},
        {"from": CUSTOMER, "to": CONTACT, "type": "mms", "body": "Look", "attachments": [IMAGE]},
    ],
    "email": [{"from": CUSTOMER_EMAIL, "to": CONTACT_EMAIL, "body": "Hello <b>you</b>"}],
}
"""Messages to send, by channel."""
WEBHOOKS: Messages = {
    "sms": [
        {"messaging_provider_id": "message-1", "type": "sms", "body": "Hi"},
        {"messaging_provider_id": "message-2", "type": "mms", "body": "See", "attachments": [PHOTO]},
    ],
    "email": [{"xillio_id": "message-3", "body": "<p>Hi</p>"}],
}
"""Webhooks of the built-in providers, which need no signature on this machine."""
INBOUND: Messages = {
    "sms": [{"body": "Hi"}, {"body": "See", "attachments": [PHOTO]}],
    "email": [{"subject": "Hi", "body": "See the note", "attachments": [NOTE]}],
}
"""Messages for which a simulated vendor posts a signed webhook."""


def started(stack: Stack, *, auth: bool) -> str:
    """Return the text of `start`. With `auth`, it shows how to make an API key and how to send it."""
    lines = ["", f"Ready: {stack.url}"]
    lines += [f"  URL of {name}: {stack.function_url(name)}" for name in stack.functions_with_url]
    lines += [
        f"  database: {stack.database_url}",
        f"  requests to the providers: {stack.provider.url}/requests",
        f"  API to invoke functions: {stack.lambda_url}",
        f"  logs of the functions: {stack.logs.folder}",
        "",
        "Try in another terminal:",
    ]
    authorization = ""
    if auth:
        port = urlsplit(stack.lambda_url).port
        lines.append(
            f"  {sys.executable} -m local keys create --account 1 --scopes send,read --lambda-port {port}"
        )
        authorization = " -H 'authorization: Bearer mk_...'"
    for url, fields in _posts(stack):
        sent_to_api = url.startswith(f"{stack.url}/api/messages/")
        header = authorization if sent_to_api else ""
        lines.append(f"  curl {url}{header} -H 'content-type: application/json' -d '{json.dumps(fields)}'")
    lines += [
        f"  curl {stack.url}/api/conversations{authorization}",
        f"  curl {stack.url}/api/conversations/1/messages{authorization}",
        "",
        "Ctrl-C stops everything. The next start has the same data.",
        "",
    ]
    return "\n".join(lines)


def _posts(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    """Return the URL and the JSON of each message to send or to receive."""
    vendors = stack.provider.vendors
    channels = {vendor.channel for vendor in vendors.values()}
    for channel, messages in OUTBOUND.items():
        if channel in channels:
            for message in messages:
                yield f"{stack.url}/api/messages/{channel}", message
    inbound_addresses = {
        "sms": {"from": CONTACT, "to": CUSTOMER},
        "email": {"from": CONTACT_EMAIL, "to": CUSTOMER_EMAIL},
    }
    for name, vendor in vendors.items():
        addresses = inbound_addresses[vendor.channel]
        if isinstance(vendor, JsonGateway):
            for message in WEBHOOKS[vendor.channel]:
                yield vendor.webhook_url, addresses | message | {"timestamp": TIMESTAMP}
        else:
            for message in INBOUND[vendor.channel]:
                yield f"{stack.provider.url}/{name}/inbound", addresses | message


def services_started(services: BackingServices) -> str:
    """Return the text of `services`."""
    lines = [
        "",
        "Ready, for functions that run elsewhere:",
        f"  DATABASE_URL={services.database_url}",
        f"  AWS_ENDPOINT_URL={services.aws.endpoint}",
        f"  PROVIDER_SECRET_ARN={SECRET}",
    ]
    lines += [f"  {queue.resource}: {queue.url}" for queue in services.template.queues]
    lines += [f"  requests to the providers: {services.provider.url}/requests", ""]
    return "\n".join(lines)
