"""What is said once everything runs: where it is, and what to try."""

import json

from local.aws import SECRET
from local.backing import Backing
from local.stack import Stack

US, THEM = "+12016661234", "+18045551234"
WHEN = "2024-11-01T14:00:00Z"
TRY = [
    ("/api/messages/sms", {"from": US, "to": THEM, "type": "sms", "body": "Hello"}),
    (
        "/api/messages/sms",
        {
            "from": US,
            "to": THEM,
            "type": "mms",
            "body": "Look",
            "attachments": ["https://example.com/image.jpg"],
        },
    ),
    (
        "/api/messages/email",
        {"from": "user@example.com", "to": "contact@example.org", "body": "Hello <b>you</b>"},
    ),
    (
        "/api/webhooks/sms",
        {
            "from": THEM,
            "to": US,
            "type": "sms",
            "messaging_provider_id": "message-1",
            "body": "Hi",
            "timestamp": WHEN,
        },
    ),
    (
        "/api/webhooks/sms",
        {
            "from": THEM,
            "to": US,
            "type": "mms",
            "messaging_provider_id": "message-2",
            "body": "See",
            "attachments": ["https://example.com/photo.jpg"],
            "timestamp": WHEN,
        },
    ),
    (
        "/api/webhooks/email",
        {
            "from": "contact@example.org",
            "to": "user@example.com",
            "xillio_id": "message-3",
            "body": "<p>Hi</p>",
            "timestamp": WHEN,
        },
    ),
]


def started(stack: Stack) -> str:
    posts = [
        f"  curl {stack.url}{path} -H 'content-type: application/json' -d '{json.dumps(body)}'"
        for path, body in TRY
    ]
    return "\n".join(
        [
            "",
            f"Ready: {stack.url}",
            *(f"  {name}'s own URL: {stack.function_url(name)}" for name in stack.urls),
            f"  the database: {stack.database_url}",
            f"  what the provider received: {stack.provider.url}/requests",
            f"  the functions' logs: {stack.logs.folder}",
            "",
            "Try, in another terminal:",
            *posts,
            f"  curl {stack.url}/api/conversations",
            f"  curl {stack.url}/api/conversations/1/messages",
            "",
            "Ctrl-C ends all of it; what was kept is there again at the next start.",
            "",
        ]
    )


def services_started(backing: Backing) -> str:
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
