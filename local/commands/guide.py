"""The text that `start` and `services` show when everything runs: the URLs, and commands to try."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import urlsplit

from local.backing_services import BackingServices
from local.commands.samples import OUTBOUND, PHOTO, TO_CUSTOMER, WEBHOOKS, Request
from local.services.aws import SECRET
from local.simulators.vendors.json_gateway import JsonGateway
from local.stack import Stack

NOTE = {"name": "note.txt", "type": "text/plain", "content": "SGVsbG8="}

INBOUND: Mapping[str, Sequence[Request]] = {
    "sms": [{"body": "Hi"}, {"body": "See", "attachments": [PHOTO]}],
    "email": [{"subject": "Hi", "body": "See the note", "attachments": [NOTE]}],
}
"""Messages for which a simulated vendor posts a signed webhook."""


def started(stack: Stack, *, auth: bool) -> str:
    """Return the text of `start`. With `auth`, it shows how to make an API key and how to send it."""
    lines = ["", f"Ready: {stack.url}"]
    lines += [f"  URL of {name}: {stack.function_url(name)}" for name in stack.functions_with_url]
    lines.append(f"  database: {stack.database_url}")
    if stack.simulates_providers:
        lines.append(f"  requests to the providers: {stack.provider.url}/requests")
    lines += [
        f"  API to invoke functions: {stack.lambda_url}",
        f"  logs of the functions: {stack.logs.folder}",
        "",
    ]
    if not stack.simulates_providers:
        lines += [
            "Warning: messages are sent to real people. No provider is simulated,",
            f"because the secret {stack.provider_secret} is used.",
            "",
        ]
    lines.append("Try in another terminal:")
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


def _posts(stack: Stack) -> Iterator[tuple[str, Request]]:
    """Return the URL and the JSON of each message to send or to receive.

    If the providers are real, there are none: a sample would be sent to a real person.
    """
    if not stack.simulates_providers:
        return
    vendors = stack.provider.vendors
    channels = {vendor.channel for vendor in vendors.values()}
    for channel, messages in OUTBOUND.items():
        if channel in channels:
            for message in messages.values():
                yield f"{stack.url}/api/messages/{channel}", message
    for name, vendor in vendors.items():
        if isinstance(vendor, JsonGateway):
            for message in WEBHOOKS[vendor.channel].values():
                yield vendor.webhook_url, message
        else:
            for message in INBOUND[vendor.channel]:
                yield f"{stack.provider.url}/{name}/inbound", {**TO_CUSTOMER[vendor.channel], **message}


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
