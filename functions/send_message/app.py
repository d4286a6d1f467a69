"""POST /api/messages/sms and /email: keeps a message and has it sent."""

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
    Text | None, Header(min_length=1, max_length=255, description="The same key makes the same message.")
]

providers.check()  # the others do what they can: a webhook, or what was accepted before, is not lost for it
app = api.api()


@app.post("/api/messages/sms", responses=api.shows(Message, 202), tags=["Send"])
def send_sms(message: Annotated[NewSms, Body()], idempotency_key: Key = None) -> Response[str]:
    return api.accepted(accept.accept(_account(), message, api.idempotency_key(app, idempotency_key)))


@app.post("/api/messages/email", responses=api.shows(Message, 202), tags=["Send"])
def send_email(message: Annotated[NewEmail, Body()], idempotency_key: Key = None) -> Response[str]:
    return api.accepted(accept.accept(_account(), message, api.idempotency_key(app, idempotency_key)))


def _account() -> int:
    return api.caller(app, "send").account


handler = api.handler(app, "send")
