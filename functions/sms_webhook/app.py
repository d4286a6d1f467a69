"""POST /api/webhooks/sms[/{provider}], and the function's own URL: keeps what a provider tells."""

from aws_lambda_powertools.event_handler import Response

from messaging import inbox, web
from messaging.models import Channel

app = web.webhooks("/api/webhooks/sms")


@app.post("/", tags=["Webhooks"])
def receive_from_house() -> Response[str]:
    return receive(Channel.SMS)


@app.post("/<provider>", tags=["Webhooks"])
def receive(provider: str) -> Response[str]:
    return web.answer(inbox.receive(Channel.SMS, provider, web.webhook(app)))


handler = web.handler(app, raw=True)
