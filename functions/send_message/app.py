"""POST /api/messages/sms and /email: accepts a message and dispatches it."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from messaging import providers
from messaging.conversations.responses import Message
from messaging.fields import Text
from messaging.handlers import api
from messaging.models import NewEmail, NewSms
from messaging.outbound import accept

Key = Annotated[
    Text | None,
    Header(
        min_length=1,
        max_length=255,
        description="A request with the same key and body returns the same message, and sends nothing again.",
    ),
]

# Only this function stops if a provider is misconfigured. The others continue: webhooks and accepted messages
# must not be lost.
providers.check_configuration()
app = api.create_app()


@app.post("/api/messages/sms", responses=api.response_schema(Message, 202), tags=["Send"])
def send_sms(message: Annotated[NewSms, Body()], idempotency_key: Key = None) -> Response[str]:
    """Accept an SMS, or an MMS if it has attachments. It is sent later; its status shows the progress."""
    return _accept(message, idempotency_key)


@app.post("/api/messages/email", responses=api.response_schema(Message, 202), tags=["Send"])
def send_email(message: Annotated[NewEmail, Body()], idempotency_key: Key = None) -> Response[str]:
    """Accept an email. It is sent later; its status shows the progress."""
    return _accept(message, idempotency_key)


def _accept(message: NewSms | NewEmail, idempotency_key: str | None) -> Response[str]:
    account = api.caller(app, "send").account
    key = api.idempotency_key(app, idempotency_key)
    return api.accepted_response(accept.accept(account, message, key))


handler = api.handler(app, "send")
