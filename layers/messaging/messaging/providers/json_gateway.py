"""The house contract: plain JSON, signed both ways in the manner of Standard Webhooks.

Out, POST to the secret's `url`; the answer names the message:

    {"from": "+12016661234", "to": "+18045551234", "type": "sms", "body": "Hello", "attachments": null,
     "timestamp": "2024-11-01T14:00:00Z", "reference": "7"}
    200 {"messaging_provider_id": "message-9"}
    400 {"error": {"code": "30007", "reason": "Filtered"}}

Asked about a message whose answer never came, where the secret has a `lookup_url`: GET it with ?reference=7.
The answer is that of the send, or 404 where it did not arrive.

In, as a message or as a report of one:

    {"from": "+18045551234", "to": "+12016661234", "type": "sms", "messaging_provider_id": "message-1",
     "body": "text", "attachments": null, "timestamp": "2024-11-01T14:00:00Z"}
    {"messaging_provider_id": "message-9", "reference": "7", "status": "delivered",
     "timestamp": "2024-11-01T14:00:01Z"}

    webhook-id: msg_2Lp8
    webhook-timestamp: 1614265330
    webhook-signature: v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=

https://github.com/standard-webhooks/standard-webhooks/blob/main/spec/standard-webhooks.md
"""

import json
from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import AliasChoices, BaseModel, BeforeValidator, ConfigDict, Field, TypeAdapter, ValidationError
from pydantic_core import from_json
from standardwebhooks import Webhook as Signature
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from messaging.address import EmailAddress, PhoneAddress
from messaging.failures import Failure, Misconfigured, OptedOut, OutcomeUnknown, PermanentFailure
from messaging.fields import MAX_BODY, Body, Text, Time
from messaging.models import (
    Channel,
    Content,
    DeliveryReport,
    InboundMessage,
    OutboundMessage,
    Status,
)
from messaging.problems import Invalid
from messaging.providers.credentials import get_list, get_str, not_signed
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.settings import settings
from messaging.transport import client
from messaging.transport.payload import json_object, parse_reference

FAILURES: Mapping[str, type[Failure]] = {"opted_out": OptedOut}  # codes that say more than a status
CONTENT = [field.alias or name for name, field in Content.model_fields.items()]
STATUS = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ, "failed": Status.FAILED}


def _as_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _written(value: object) -> object:
    return "" if value is None else value


NumberOrText = Annotated[Text, BeforeValidator(_as_text, json_schema_input_type=int | str)]
Id = Annotated[NumberOrText, Field(min_length=1, max_length=512)]
_ID: TypeAdapter[str] = TypeAdapter(Id)


class Inbound(InboundMessage):
    model_config = ConfigDict(extra="ignore")

    body: Annotated[Body, BeforeValidator(_written, json_schema_input_type=Body | None)] = ""
    provider_message_id: Id


class InboundSms(Inbound):
    type: Literal[Channel.SMS, Channel.MMS]
    sender: PhoneAddress = Field(alias="from")
    recipient: PhoneAddress = Field(alias="to")
    provider_message_id: Id = Field(alias="messaging_provider_id")


class InboundEmail(Inbound):
    type: Literal[Channel.EMAIL] = Channel.EMAIL
    sender: EmailAddress = Field(alias="from")
    recipient: EmailAddress = Field(alias="to")
    provider_message_id: Id = Field(alias="xillio_id")


class FailedWith(BaseModel):
    code: Annotated[NumberOrText, Field(max_length=64)] | None = None
    reason: Annotated[Text | None, Field(max_length=1000)] = None


class Report(BaseModel):
    provider_message_id: Id | None = Field(
        None, validation_alias=AliasChoices("messaging_provider_id", "xillio_id")
    )
    reference: NumberOrText | None = None
    status: Annotated[Text, Field(max_length=64)]
    error: FailedWith | None = None
    timestamp: Time = Field(default_factory=lambda: datetime.now(UTC))  # else that of the arrival

    def read(self) -> DeliveryReport:
        reference = parse_reference(self.reference)
        if reference is None and self.provider_message_id is None:
            raise Invalid.field("reference", "names no message that we sent")
        status = STATUS.get(self.status)
        return DeliveryReport(
            provider_message_id=self.provider_message_id,
            reference=reference,
            status=status,
            code=self.error.code if self.error else None if status else self.status,
            reason=self.error.reason if self.error else None,
            timestamp=self.timestamp,
        )


def _as_told(failure: Failure) -> Failure:
    """As the answer's code and reason say: a 404 that has a code is about the message, and not the URL."""
    status = failure.code
    with suppress(ValueError, TypeError, KeyError):  # it need not say more than its status
        told = FailedWith.model_validate(from_json(failure.body)["error"])
        failure.code, failure.reason = told.code or failure.code, told.reason or failure.reason
    otherwise = PermanentFailure if status == "404" and failure.code != status else type(failure)
    return client.reclassify(failure, FAILURES.get(failure.code, otherwise))


class House:
    """What the two built-in providers share; they differ in their addresses and in the name of their id."""

    channels: frozenset[Channel]
    inbound: ClassVar[type[Inbound]]
    id_field: ClassVar[str]
    limits: Limits

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._url = get_str(secret, "url")
        self._lookup_url = get_str(secret, "lookup_url")
        self._signs = bool(secret.get("signing_secret"))
        self._signatures: list[Signature] = []
        for one in get_list(secret, "signing_secret"):
            with suppress(EmptyWebhookSecretError, ValueError):  # `whsec_` alone, and what is not base64
                self._signatures.append(Signature(one))

    def send(self, message: OutboundMessage) -> ProviderResult:
        if not self._url:
            raise Misconfigured("not_configured", f"The secret holds no url for {self.name}.")
        fields = {name: value for name, value in message.content().items() if value not in (None, [], {})}
        fields |= {"attachments": message.attachments or None, "reference": str(message.id)}
        body = json.dumps(fields, ensure_ascii=False)
        headers = {"Content-Type": "application/json"} | self._signed(f"msg_{message.id}", body)
        try:
            answer = client.post(self._url, body.encode(), headers)
        except Failure as failure:
            raise _as_told(failure) from failure
        return self._taken(answer.body)

    def fetch_status(self, message: OutboundMessage) -> ProviderResult | None:
        if not self._lookup_url:
            raise Misconfigured("not_configured", f"The secret holds no lookup_url for {self.name}.")
        try:
            headers = self._signed(f"msg_{message.id}", "")
            answer = client.get(f"{self._lookup_url}?reference={message.id}", headers)
        except Failure as failure:
            if failure.code != "404":
                raise
            return None
        return self._taken(answer.body)

    def _taken(self, body: bytes) -> ProviderResult:
        try:
            return ProviderResult(_ID.validate_python(from_json(body)[self.id_field]))
        except (ValueError, TypeError, KeyError) as error:
            raise OutcomeUnknown("unreadable_answer", f"The answer holds no {self.id_field}.") from error

    def _signed(self, id: str, body: str) -> dict[str, str]:
        """The first secret signs; the others are only believed, while they are rotated out."""
        if not self._signs:
            return {}
        if not self._signatures:
            raise Misconfigured("not_configured", f"The signing_secret of {self.name} is none.")
        now = datetime.now(UTC)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signatures[0].sign(id, now, body),
        }

    def verify(self, webhook: Webhook) -> Verified:
        if settings().allow_unsigned_webhooks and "webhook-signature" not in webhook.headers:
            return Verified(signed=False)  # by the deployment's word; one that is there must still be right
        refused: Exception | None = None
        for signature in self._signatures:
            try:
                signature.verify(webhook.body, dict(webhook.headers), json_parse=False)
            except (WebhookVerificationError, ValueError) as error:  # ValueError: headers not of its form
                refused = error
            else:
                return Verified()
        raise not_signed(self._signatures, "signing_secret") from refused

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        fields = {"timestamp": webhook.received_at} | json_object(webhook.body)
        try:
            if "status" in fields and "from" not in fields:
                return [Report.model_validate(fields).read()]
            known = {name: fields.pop(name) for name in (*CONTENT, self.id_field) if name in fields}
            return [self.inbound.model_validate(known | {"extra": fields})]
        except ValidationError as error:
            raise Invalid.found(error.errors(include_input=False, include_url=False)) from None

    def answer(self, kept: Sequence[str | None]) -> Answer:
        [message] = kept
        if message is None:
            return Answer('{"detail": "No message that we sent is known by this id yet."}', status=202)
        return Answer(message)


class Sms(House):
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=MAX_BODY, attachments=100)
    inbound = InboundSms
    id_field = "messaging_provider_id"


class Email(House):
    channels = frozenset({Channel.EMAIL})
    limits = Limits(body=MAX_BODY, attachments=100, cc=50, reply_to=True, headers=20)
    inbound = InboundEmail
    id_field = "xillio_id"
