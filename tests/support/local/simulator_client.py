"""The product as the provider simulator sees it: a client that sends messages, and a server for reports."""

import json
import threading
import uuid
from datetime import UTC, datetime
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request as Call

from standardwebhooks import Webhook

from local.http.client import opener
from local.http.server import Request, Response, json_response
from local.simulators.provider import ProviderSimulator

SECRET = "whsec_c2VjcmV0LW9mLXRoZS10ZXN0cw=="
MESSAGE = {"from": "+12016661234", "to": "+18045551234", "type": "sms", "body": "Hello", "reference": "7"}


class Product:
    """Accepts reports, after it has answered 503 for the next `failures` ones."""

    def __init__(self) -> None:
        self.failures = 0
        self.reports: list[tuple[str, Any]] = []
        self._lock = threading.Lock()

    def respond(self, request: Request) -> Response:
        with self._lock:
            if self.failures:
                self.failures -= 1
                return Response(503)
            report = Webhook(SECRET).verify(request.body, dict(request.headers))
            self.reports.append((request.path, report))
            return json_response(200, {})


def call(method: str, url: str, body: bytes = b"", headers: dict[str, str] | None = None) -> tuple[int, Any]:
    try:
        with opener.open(Call(url, body, headers or {}, method=method), timeout=10) as response:
            text = response.read()
            return response.status, json.loads(text) if text else None
    except HTTPError as error:
        with error:
            return error.code, json.loads(error.read())


def signed(body: str, secret: str = SECRET) -> dict[str, str]:
    now, message_id = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
    return {
        "webhook-id": message_id,
        "webhook-timestamp": str(int(now.timestamp())),
        "webhook-signature": Webhook(secret).sign(message_id, now, body),
    }


def send(
    provider: ProviderSimulator, instance: str = "sms", secret: str = SECRET, reference: str = "7"
) -> tuple[int, Any]:
    body = json.dumps({**MESSAGE, "reference": reference})
    return call("POST", f"{provider.url}/{instance}", body.encode(), signed(body, secret))


def fetch_status(
    provider: ProviderSimulator, reference: str, instance: str = "sms", secret: str = SECRET
) -> tuple[int, Any]:
    url = f"{provider.url}/{instance}/lookup?reference={reference}"
    return call("GET", url, headers=signed("", secret))
