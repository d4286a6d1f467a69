"""Simulates a JSON gateway, which the product's built-in providers `sms` and `email` call.

POST /<instance>                        sends a message
GET  /<instance>/lookup?reference=...   returns the id of the message with a reference, or 404
"""

import json
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, ClassVar
from urllib.parse import parse_qs

from standardwebhooks.webhooks import Webhook, WebhookVerificationError

from local.http.server import Request, Response, json_response
from local.simulators.behaviour import Behaviour
from local.simulators.vendor import FAILURE, InboundMessage, VendorRequest, VendorResponse, headers
from local.simulators.webhook_sender import SignedWebhook

BAD_SIGNATURE = json_response(401, {"message": "the signature does not match"})


class JsonGateway:
    channel: ClassVar[str]
    report_statuses: ClassVar[frozenset[str]] = frozenset({"sent", "delivered", "read", "failed"})
    id_field: ClassVar[str]

    def __init__(self, name: str, gateway: str, secret: str) -> None:
        self._name = name
        self.webhook_url = f"{gateway}/api/webhooks/{self.channel}"
        if name != self.channel:
            self.webhook_url += f"/{name}"
        self._secret = secret
        self._signer = Webhook(secret)
        self._ids_by_reference: dict[str, str] = {}

    def credentials(self, url: str) -> dict[str, Any]:
        return {"url": url, "signing_secret": self._secret, "lookup_url": f"{url}/lookup"}

    def parse_request(self, request: Request, path: Sequence[str]) -> VendorRequest | None:
        match request.method, path:
            case "POST", []:
                try:
                    message = self._signer.verify(request.body, headers(request))
                except (WebhookVerificationError, ValueError):
                    text = request.body.decode("utf-8", "replace")
                    return VendorRequest(text, rejection=BAD_SIGNATURE)
                return VendorRequest(message, str(message.get("reference")))
            case "GET", ["lookup"]:
                reference = parse_qs(request.query).get("reference", [""])[0]
                fields = {"reference": reference}
                try:
                    self._signer.verify(request.body, headers(request), json_parse=False)
                except (WebhookVerificationError, ValueError):
                    return VendorRequest(fields, is_status_lookup=True, rejection=BAD_SIGNATURE)
                return VendorRequest(fields, reference, is_status_lookup=True)
        return None

    def respond(self, request: VendorRequest) -> VendorResponse:
        if request.is_status_lookup:
            known_id = self._ids_by_reference.get(request.reference)
            response = self._id_response(known_id) if known_id else self.failure_response(404)
            return VendorResponse(known_id, response)
        message_id = f"{self._name}-{uuid.uuid4()}"
        self._ids_by_reference.setdefault(request.reference, message_id)
        return VendorResponse(message_id, self._id_response(message_id))

    def failure_response(self, status: int) -> Response:
        return json_response(status, {"message": "simulated failure"})

    def report_webhooks(
        self, request: VendorRequest, message_id: str, behaviour: Behaviour
    ) -> list[SignedWebhook]:
        webhooks: list[SignedWebhook] = []
        for status in behaviour.reports:
            report: dict[str, Any] = {self.id_field: message_id, "status": status}
            if behaviour.reference:
                report["reference"] = request.reference
            if status == "failed":
                report["error"] = FAILURE
            webhooks.append(self._webhook(report))
        return webhooks

    def inbound_webhook(self, message: InboundMessage) -> SignedWebhook:
        fields = {
            "from": message.sender,
            "to": message.recipient,
            "type": "mms" if message.attachments and self.channel == "sms" else self.channel,
            self.id_field: message.id or f"{self._name}-{uuid.uuid4()}",
            "body": message.html or message.body,
            "attachments": message.urls or None,
        }
        if message.subject:
            fields["subject"] = message.subject
        return self._webhook(fields)

    def _id_response(self, message_id: str) -> Response:
        return json_response(200, {self.id_field: message_id})

    def _webhook(self, fields: Mapping[str, Any]) -> SignedWebhook:
        body = json.dumps({**fields, "timestamp": datetime.now(UTC).isoformat()})
        return SignedWebhook(self.webhook_url, body.encode(), "application/json", self._sign)

    def _sign(self, _url: str, body: bytes) -> Mapping[str, str]:
        now, webhook_id = datetime.now(UTC), f"msg_{uuid.uuid4().hex}"
        return {
            "webhook-id": webhook_id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signer.sign(webhook_id, now, body.decode()),
        }


class Sms(JsonGateway):
    channel = "sms"
    id_field = "messaging_provider_id"


class Email(JsonGateway):
    channel = "email"
    id_field = "xillio_id"
