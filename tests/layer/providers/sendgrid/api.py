"""Messages for SendGrid, and a function that sends one."""

from uuid import UUID

from messaging.models import OutboundMessage
from messaging.providers.provider import ProviderResult
from messaging.providers.sendgrid import SendGrid
from tests.support.api import NEW_EMAIL

ID = "LRzXl_NHStOGhQ4kofSm_A"
ACCEPTED = f"HTTP/1.1 202 Accepted\r\nX-Message-Id: {ID}\r\nContent-Length: 0\r\n\r\n".encode()


def outbound(**fields: object) -> OutboundMessage:
    claimed = {"id": 7, "provider": "sendgrid-eu", "token": UUID(int=7), "attempt": 1, "tries": 1}
    return OutboundMessage.model_validate({"type": "email", **NEW_EMAIL, **claimed, **fields})


def send(url: str, message: OutboundMessage, **secret: object) -> ProviderResult:
    return SendGrid("sendgrid-eu", {"api_key": "SG.secret", "api_url": url, **secret}).send(message)
