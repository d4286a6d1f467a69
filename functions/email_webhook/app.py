"""POST /api/webhooks/email[/{provider}], and the function's own URL: keeps what a provider tells.

Also its queue, which holds what came while the database was away, and orders to read again what was kept.
"""

from aws_lambda_powertools.event_handler import Response

from messaging import inbox, web
from messaging.models import Channel
from messaging.receiver import receiver

app = web.webhooks("/api/webhooks/email")


@app.post("/", tags=["Webhooks"])
def receive_from_house() -> Response[str]:
    return receive(Channel.EMAIL)


@app.post("/<provider>", tags=["Webhooks"])
def receive(provider: str) -> Response[str]:
    return web.answer(inbox.receive(Channel.EMAIL, provider, web.webhook(app)))


handler = receiver(Channel.EMAIL, web.handler(app, raw=True))
