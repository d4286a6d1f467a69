"""Plays the house contract from the other side: POST /<instance> sends, GET /<instance>/lookup?reference=...
tells whether a message of this reference was taken."""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.http.server import Request, Response, json_response
from local.simulators.behaviour import Behaviour
from local.simulators.reports import Post
from local.simulators.vendor import FAILURE, Answered, Asked, Letter, headers

UNSIGNED = json_response(401, {"message": "the signature does not match"})


class House:
    channel: ClassVar[str]
    words: ClassVar[frozenset[str]] = frozenset({"sent", "delivered", "read", "failed"})
    id_field: ClassVar[str]

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._name = name
        self.webhook = f"{gateway}/api/webhooks/{self.channel}" + (f"/{name}" if name != self.channel else "")
        self._secret = secret
        self._signer = Webhook(secret)
        self._taken: dict[str, str] = {}

    def credentials(self, url: str) -> dict[str, Any]:
        return {"url": url, "signing_secret": self._secret, "lookup_url": f"{url}/lookup"}

    def read(self, request: Request, path: Sequence[str]) -> Asked | None:
        match request.method, path:
            case "POST", []:
                try:
                    message = self._signer.verify(request.body, headers(request))
                except (WebhookVerificationError, ValueError):
                    return Asked(request.body.decode("utf-8", "replace"), refusal=UNSIGNED)
                return Asked(message, str(message.get("reference")))
            case "GET", ["lookup"]:
                reference = parse_qs(request.query).get("reference", [""])[0]
                asked = {"reference": reference}
                try:
                    self._signer.verify(request.body, headers(request), json_parse=False)
                except (WebhookVerificationError, ValueError):
                    return Asked(asked, looks_up=True, refusal=UNSIGNED)
                return Asked(asked, reference, looks_up=True)
        return None

    def answer(self, asked: Asked) -> Answered:
        if asked.looks_up:
            found = self._taken.get(asked.reference)
            return Answered(found, self._named(found) if found else self.failure(404))
        id = f"{self._name}-{uuid.uuid4()}"
        self._taken.setdefault(asked.reference, id)
        return Answered(id, self._named(id))

    def failure(self, status: int) -> Response:
        return json_response(status, {"message": "told to fail"})

    def reports(self, asked: Asked, id: str, told: Behaviour) -> list[Post]:
        named = {self.id_field: id} | ({"reference": asked.reference} if told.reference else {})
        failed = {"error": FAILURE}
        return [
            self._post(named | {"status": status} | (failed if status == "failed" else {}))
            for status in told.reports
        ]

    def inbound(self, letter: Letter) -> Post:
        mms = "mms" if letter.attachments and self.channel == "sms" else self.channel
        told = {
            "from": letter.sender,
            "to": letter.recipient,
            "type": mms,
            self.id_field: letter.id or f"{self._name}-{uuid.uuid4()}",
            "body": letter.html or letter.body,
            "attachments": letter.urls or None,
        }
        return self._post(told | ({"subject": letter.subject} if letter.subject else {}))

    def _named(self, id: str) -> Response:
        return json_response(200, {self.id_field: id})

    def _post(self, fields: Mapping[str, Any]) -> Post:
        body = json.dumps({**fields, "timestamp": datetime.now(UTC).isoformat()})
        return Post(self.webhook, body.encode(), "application/json", self._sign)

    def _sign(self, _: str, body: bytes) -> Mapping[str, str]:
        now, message_id = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
        return {
            "webhook-id": message_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(message_id, now, body.decode()),
        }


class Sms(House):
    channel = "sms"
    id_field = "messaging_provider_id"


class Email(House):
    channel = "email"
    id_field = "xillio_id"
