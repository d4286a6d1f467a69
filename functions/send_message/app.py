"""POST /api/messages/sms and /email: keeps a message and has it sent."""

from typing import Annotated

from aws_lambda_powertools.event_handler import Response
from aws_lambda_powertools.event_handler.openapi.params import Body, Header

from messaging import outbox, providers, web
from messaging.fields import Text
from messaging.models import Message, NewEmail, NewSms

Key = Annotated[
    Text | None, Header(min_length=1, max_length=255, description="The same key makes the same message.")
]

providers.check()  # the others do what they can: a webhook, or what was accepted before, is not lost for it
app = web.api()


@app.post("/api/messages/sms", responses=web.shows(Message, 202), tags=["Send"])
def send_sms(message: Annotated[NewSms, Body()], idempotency_key: Key = None) -> Response[str]:
    return web.accepted(outbox.accept(_account(), message, web.idempotency_key(app, idempotency_key)))


@app.post("/api/messages/email", responses=web.shows(Message, 202), tags=["Send"])
def send_email(message: Annotated[NewEmail, Body()], idempotency_key: Key = None) -> Response[str]:
    return web.accepted(outbox.accept(_account(), message, web.idempotency_key(app, idempotency_key)))


def _account() -> int:
    return web.caller(app, "send").account


handler = web.handler(app, "send")
