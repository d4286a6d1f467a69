"""What is said once everything runs: where it is, and what to try."""

import json
import sys
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from local.backing_services import BackingServices
from local.services.aws import SECRET
from local.simulators.vendors.json_gateway import House
from local.stack import Stack

US, THEM = "+12016661234", "+18045551234"
WHEN = "2024-11-01T14:00:00Z"
OUR_EMAIL, THEIR_EMAIL = "user@example.com", "contact@example.org"
IMAGE, PHOTO = "https://example.com/image.jpg", "https://example.com/photo.jpg"
NOTE = {"name": "note.txt", "type": "text/plain", "content": "SGVsbG8="}
Messages = dict[str, list[dict[str, Any]]]

SEND: Messages = {
    "sms": [
        {"from": US, "to": THEM, "type": "sms", "body": "Hello"},
        {"from": US, "to": THEM, "type": "mms", "body": "Look", "attachments": [IMAGE]},
    ],
    "email": [{"from": OUR_EMAIL, "to": THEIR_EMAIL, "body": "Hello <b>you</b>"}],
}
BUILT_IN: Messages = {
    "sms": [
        {"messaging_provider_id": "message-1", "type": "sms", "body": "Hi"},
        {"messaging_provider_id": "message-2", "type": "mms", "body": "See", "attachments": [PHOTO]},
    ],
    "email": [{"xillio_id": "message-3", "body": "<p>Hi</p>"}],
}
"""Webhooks as the built-in providers post them, which are open here to what is not signed."""
VENDORS: Messages = {
    "sms": [{"body": "Hi"}, {"body": "See", "attachments": [PHOTO]}],
    "email": [{"subject": "Hi", "body": "See the note", "attachments": [NOTE]}],
}
"""What a vendor that plays along is to sign and post."""


def started(stack: Stack, *, auth: bool) -> str:
    """With `auth`, how a key is made first, and where it goes."""
    port = urlsplit(stack.lambda_url).port
    make_key = f"{sys.executable} -m local keys create --account 1 --scopes send,read --lambda-port {port}"
    bearer = " -H 'authorization: Bearer mk_...'" if auth else ""
    return "\n".join(
        [
            "",
            f"Ready: {stack.url}",
            *(f"  {name}'s own URL: {stack.function_url(name)}" for name in stack.urls),
            f"  the database: {stack.database_url}",
            f"  what the provider received: {stack.provider.url}/requests",
            f"  what invokes the functions: {stack.lambda_url}",
            f"  the functions' logs: {stack.logs.folder}",
            "",
            "Try, in another terminal:",
            *([f"  {make_key}"] if auth else []),
            *(
                f"  curl {url}{bearer if url.startswith(f'{stack.url}/api/messages/') else ''}"
                f" -H 'content-type: application/json' -d '{json.dumps(fields)}'"
                for url, fields in _posts(stack)
            ),
            f"  curl {stack.url}/api/conversations{bearer}",
            f"  curl {stack.url}/api/conversations/1/messages{bearer}",
            "",
            "Ctrl-C ends all of it; what was kept is there again at the next start.",
            "",
        ]
    )


def _posts(stack: Stack) -> Iterator[tuple[str, dict[str, Any]]]:
    vendors = stack.provider.vendors
    inbound = {
        "sms": {"from": THEM, "to": US},
        "email": {"from": THEIR_EMAIL, "to": OUR_EMAIL},
    }
    for channel, messages in SEND.items():
        if channel in [vendor.channel for vendor in vendors.values()]:
            yield from ((f"{stack.url}/api/messages/{channel}", message) for message in messages)
    for name, vendor in vendors.items():
        addresses = inbound[vendor.channel]
        if isinstance(vendor, House):
            for message in BUILT_IN[vendor.channel]:
                yield vendor.webhook, addresses | message | {"timestamp": WHEN}
        else:
            for letter in VENDORS[vendor.channel]:
                yield f"{stack.provider.url}/{name}/inbound", addresses | letter


def services_started(backing: BackingServices) -> str:
    return "\n".join(
        [
            "",
            "Ready, for functions that run elsewhere:",
            f"  DATABASE_URL={backing.database_url}",
            f"  AWS_ENDPOINT_URL={backing.aws.endpoint}",
            f"  PROVIDER_SECRET_ARN={SECRET}",
            *(f"  {queue.resource}: {queue.url}" for queue in backing.template.queues),
            f"  what the provider received: {backing.provider.url}/requests",
            "",
        ]
    )
