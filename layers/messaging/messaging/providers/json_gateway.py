"""The built-in JSON gateways, `sms` and `email`: plain JSON, signed in both directions as Standard Webhooks.

Send: POST to the secret's `url`. The body is the message as in our API, without empty fields. The answer
names the message:

    {"from": "+12016661234", "to": "+18045551234", "type": "sms", "body": "Hello", "attachments": null,
     "timestamp": "2024-11-01T14:00:00Z", "reference": "7"}
    200 {"messaging_provider_id": "message-9"}
    400 {"error": {"code": "30007", "reason": "Filtered"}}

Status lookup, if the secret has a `lookup_url`: GET it with ?reference=7. The answer is that of the send, or
404 if the message did not arrive.

Receive: messages, and reports about messages that we sent:

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
from datetime import UTC, datetime
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from standardwebhooks import Webhook as Signature
from standardwebhooks.webhooks import EmptyWebhookSecretError, WebhookVerificationError

from messaging.address import ReceivedPhone
from messaging.failures import Failure, Misconfigured, OptedOut, OutcomeUnknown, PermanentFailure
from messaging.fields import MAX_BODY, Body, Text, Time, clean_text
from messaging.models import Channel, Content, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.names import NAME_FIELDS, Name, NamesByAddress, storable_names
from messaging.problems import Invalid
from messaging.providers.credentials import get_list, not_signed, required
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    WebhookResponse,
    value_at,
)
from messaging.settings import settings
from messaging.transport import client
from messaging.transport.payload import json_object, parse_reference

STATUS = {"sent": Status.SENT, "delivered": Status.DELIVERED, "read": Status.READ, "failed": Status.FAILED}
FAILURES: Mapping[str, type[Failure]] = {"opted_out": OptedOut}
"""Error codes that say more than the HTTP status."""

CONTENT_FIELDS = [field.alias or name for name, field in Content.model_fields.items()]
ADDRESS_FIELDS = ("from", "to", "cc", "reply_to")
UNKNOWN_MESSAGE = '{"detail": "No message with this id has been sent yet."}'


def _number_to_text(value: object) -> object:
    return str(value) if type(value) is int else value


def _null_to_empty(value: object) -> object:
    return "" if value is None else value


NumberOrText = Annotated[Text, BeforeValidator(_number_to_text, json_schema_input_type=int | str)]
Id = Annotated[NumberOrText, Field(min_length=1, max_length=512)]
_ID: TypeAdapter[str] = TypeAdapter(Id)


class GatewayError(BaseModel):
    code: Annotated[NumberOrText, Field(max_length=64)] | None = None
    reason: Annotated[Text | None, Field(max_length=1000)] = None


ANY_JSON = WithJsonSchema({"description": "A name. What is not a name is stored, and not shown."})


class Inbound(InboundMessage):
    model_config = ConfigDict(extra="ignore")

    from_name: Annotated[Name, ANY_JSON] = None
    to_name: Annotated[Name, ANY_JSON] = None
    cc_names: Annotated[NamesByAddress, ANY_JSON] = None
    reply_to_name: Annotated[Name, ANY_JSON] = None
    body: Annotated[Body, BeforeValidator(_null_to_empty, json_schema_input_type=Body | None)] = ""
    provider_message_id: Id


class InboundSms(Inbound):
    type: Literal[Channel.SMS, Channel.MMS]
    sender: ReceivedPhone = Field(alias="from")
    recipient: ReceivedPhone = Field(alias="to")
    provider_message_id: Id = Field(alias="messaging_provider_id")


class InboundEmail(Inbound):
    type: Literal[Channel.EMAIL] = Channel.EMAIL
    sender: Annotated[Text, Field(alias="from", examples=["contact@example.org"])]
    recipient: Annotated[Text, Field(alias="to", min_length=1, examples=["user@example.com"])]
    provider_message_id: Id = Field(alias="xillio_id")


class Report(BaseModel):
    provider_message_id: Id | None = Field(
        None, validation_alias=AliasChoices("messaging_provider_id", "xillio_id")
    )
    reference: NumberOrText | None = None
    status: Annotated[Text, Field(max_length=64)]
    error: GatewayError | None = None
    timestamp: Time = Field(default_factory=lambda: datetime.now(UTC))  # parse() sets the time of arrival


class JsonGateway(Provider):
    """What both gateways share. They differ in their addresses and in the name of their id."""

    channels: frozenset[Channel]
    limits: Limits
    inbound: ClassVar[type[Inbound]]
    id_field: ClassVar[str]

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret
        self._signatures: list[Signature] = []
        for signing_secret in get_list(secret, "signing_secret"):
            try:
                self._signatures.append(Signature(signing_secret))
            except (EmptyWebhookSecretError, ValueError):  # `whsec_` without a key, or not base64
                continue

    def send(self, message: OutboundMessage) -> ProviderResult:
        url = required(self._secret, "url", self.name)
        fields = {name: value for name, value in message.content().items() if value not in (None, [], {})}
        fields |= {"attachments": message.attachments or None, "reference": str(message.id)}
        body = json.dumps(fields, ensure_ascii=False)
        headers = {"Content-Type": "application/json"} | self._signature_headers(message.id, body)
        try:
            answer = client.post(url, body.encode(), headers)
        except Failure as failure:
            raise _with_error(failure) from failure
        return self._result(answer.body)

    def fetch_status(self, message: OutboundMessage) -> ProviderResult | None:
        lookup_url = required(self._secret, "lookup_url", self.name)
        headers = self._signature_headers(message.id, "")
        try:
            answer = client.get(f"{lookup_url}?reference={message.id}", headers)
        except Failure as failure:
            if failure.code != "404":
                raise
            return None
        return self._result(answer.body)

    def _result(self, body: bytes) -> ProviderResult:
        try:
            return ProviderResult(_ID.validate_python(value_at(body, self.id_field)))
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", f"The answer holds no {self.id_field}.") from error

    def _signature_headers(self, message_id: int, body: str) -> dict[str, str]:
        """Signs with the first secret. The others only verify, while a secret is rotated."""
        if not self._secret.get("signing_secret"):
            return {}
        if not self._signatures:
            raise Misconfigured("not_configured", f"The signing_secret of {self.name} is malformed.")
        id, now = f"msg_{message_id}", datetime.now(UTC)
        return {
            "webhook-id": id,
            "webhook-timestamp": str(int(now.timestamp())),
            "webhook-signature": self._signatures[0].sign(id, now, body),
        }

    def verify(self, webhook: Webhook) -> Verified:
        if settings().allow_unsigned_webhooks and "webhook-signature" not in webhook.headers:
            return Verified(signed=False)  # a signature that is there must be right
        cause: Exception | None = None
        for signature in self._signatures:
            try:
                signature.verify(webhook.body, dict(webhook.headers), json_parse=False)
            except (WebhookVerificationError, ValueError) as error:  # ValueError: malformed headers
                cause = error
            else:
                return Verified()
        raise not_signed(self._signatures, "signing_secret") from cause

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        fields = {"timestamp": webhook.received_at} | json_object(webhook.body)
        try:
            if "status" in fields and "from" not in fields:
                return [_report(Report.model_validate(fields))]
            content = {name: fields.pop(name) for name in (*CONTENT_FIELDS, self.id_field) if name in fields}
            addresses, own_extra = self._received_addresses(content)
            _move_names(content, addresses, fields)
            content |= {name: addresses[name] for name in ADDRESS_FIELDS if name in addresses}
            fields |= own_extra
            return [self.inbound.model_validate(content | {"extra": fields})]
        except ValidationError as error:
            raise Invalid.of(error) from None

    def _received_addresses(self, content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        """Return the addresses of a mail and their names as they are stored, and the fields of `extra`."""
        del content  # phone addresses are read by their type
        return {}, {}

    def respond(self, messages: Sequence[str | None]) -> WebhookResponse:
        [message] = messages
        if message is None:
            return WebhookResponse(UNKNOWN_MESSAGE, status=202)
        return WebhookResponse(message)


class Sms(JsonGateway):
    channels = frozenset({Channel.SMS, Channel.MMS})
    limits = Limits(body=MAX_BODY, attachments=100)
    inbound = InboundSms
    id_field = "messaging_provider_id"


class Email(JsonGateway):
    channels = frozenset({Channel.EMAIL})
    limits = Limits.for_email(cc=50)
    inbound = InboundEmail
    id_field = "xillio_id"

    def _received_addresses(self, content: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
        from messaging.mail.inbound import received_addresses  # here, because an SMS does not need it

        sender, recipient, cc, reply_to = (content.get(name) for name in ADDRESS_FIELDS)
        copies = cc if isinstance(cc, list) else []
        texts = (sender, recipient, *copies, "" if reply_to is None else reply_to)
        if not (isinstance(cc, list) or cc is None) or not all(isinstance(text, str) for text in texts):
            return {}, {}  # validation names the field with the wrong type
        sender, recipient, *copies, reply_to = (clean_text(text) for text in texts)
        return received_addresses(sender, recipient, copies, reply_to)


def _with_error(failure: Failure) -> Failure:
    """The failure with the answer's code and reason, and of the type that the code stands for.

    A 404 whose answer has a code is about the message; any other 404 is about the URL.
    """
    status = failure.code
    try:
        error = GatewayError.model_validate(value_at(failure.body, "error"))
    except ValidationError:  # the answer need not say more than its HTTP status
        pass
    else:
        failure.code, failure.reason = error.code or failure.code, error.reason or failure.reason
    if failure.code in FAILURES:
        return client.reclassify(failure, FAILURES[failure.code])
    if status == "404" and failure.code != status:
        return client.reclassify(failure, PermanentFailure)
    return failure


def _move_names(content: dict[str, Any], split: Mapping[str, Any], extra: dict[str, Any]) -> None:
    """Put the names of an inbound message in their fields, also those that `split` has from its addresses.

    `extra` gets the names that differ from what is stored, and addresses beside which another name stands.
    """
    for field, name_field in (*NAME_FIELDS.items(), ("cc", "cc_names")):
        if name_field in split and content.get(name_field) not in (None, split[name_field]):
            extra[field] = content[field]
    given = {name: value for name, value in content.items() if value is not None}
    names, changed = storable_names({**split, **given})
    content |= names
    extra |= changed


def _report(report: Report) -> DeliveryReport:
    """Raises Invalid if the report does not name a message of ours."""
    reference = parse_reference(report.reference)
    if reference is None and report.provider_message_id is None:
        raise Invalid.field("reference", "must name a message that we sent")
    status = STATUS.get(report.status)
    code = report.error.code if report.error else None
    if status is None and report.error is None:
        code = report.status
    return DeliveryReport(
        provider_message_id=report.provider_message_id,
        reference=reference,
        status=status,
        code=code,
        reason=report.error.reason if report.error else None,
        timestamp=report.timestamp,
    )
