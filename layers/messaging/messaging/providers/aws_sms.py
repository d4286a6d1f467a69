"""Amazon's End User Messaging SMS: texts through its API, and what comes back through topics of SNS.

Out, SendTextMessage of the API `pinpoint-sms-voice-v2`:

    {"DestinationPhoneNumber": "+18045551234", "OriginationIdentity": "+12016661234", "MessageBody": "Hello",
     "Context": {"reference": "7"}, "ConfigurationSetName": "messaging"}
    200 {"MessageId": "862a8790-60c0-4430-9b2b-658bdexample"}

In, as the notification of a topic (sns.py): of the number's two-way topic, and of an event destination.

    {"originationNumber": "+14255550182", "destinationNumber": "+12125550101", "messageKeyword": "JOIN",
     "messageBody": "EXAMPLE", "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
     "previousPublishedMessageId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
    {"eventType": "TEXT_DELIVERED", "eventTimestamp": 1729099299998, "isFinal": true,
     "messageId": "862a8790-60c0-4430-9b2b-658bdexample", "messageStatus": "DELIVERED",
     "messageStatusDescription": "Message has been accepted by phone", "context": {"reference": "7"}}

It sends media only out of a bucket of S3, and receives none: there is no MMS here.

https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html
"""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from messaging.address import PhoneAddress
from messaging.failures import Misconfigured, OptedOut, OutcomeUnknown, PermanentFailure, TemporaryFailure
from messaging.fields import CleanedBody, Text
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid
from messaging.providers.credentials import aws_access, get_list, get_str
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.transport import aws_call, sns
from messaging.transport.payload import parse_reference
from messaging.transport.redact import redact

STATUS: Mapping[str, Status] = {
    "TEXT_SENT": Status.SENT,
    "TEXT_SUCCESSFUL": Status.SENT,  # the carrier has it
    "TEXT_DELIVERED": Status.DELIVERED,
    **dict.fromkeys(
        (
            "TEXT_BLOCKED",
            "TEXT_CARRIER_BLOCKED",
            "TEXT_CARRIER_UNREACHABLE",
            "TEXT_INVALID",
            "TEXT_INVALID_MESSAGE",
            "TEXT_PROTECT_BLOCKED",
            "TEXT_SPAM",
            "TEXT_TTL_EXPIRED",
            "TEXT_UNREACHABLE",
        ),
        Status.FAILED,
    ),
}
"""Of the others TEXT_QUEUED and TEXT_PENDING are on the way, and TEXT_UNKNOWN says that nobody knows. Where a
carrier gives no receipts, TEXT_SUCCESSFUL is the last that is heard."""

FAILURES: aws_call.FailureTypes = {
    "DESTINATION_PHONE_NUMBER_OPTED_OUT": OptedOut,
    # The account, not the message.
    "ACCOUNT_DISABLED": Misconfigured,
    "CHANNEL_NOT_ENABLED": Misconfigured,
    "INSUFFICIENT_ACCOUNT_REPUTATION": Misconfigured,
    "MONTHLY_SPEND_LIMIT_REACHED_FOR_TEXT": Misconfigured,
    "NO_ORIGINATION_IDENTITIES_FOUND": Misconfigured,
    "RESOURCE_NOT_ACTIVE": Misconfigured,
    "RESOURCE_NOT_ACCESSIBLE": Misconfigured,
    "ResourceNotFoundException": Misconfigured,  # the pool, or the configuration set
    "ServiceQuotaExceededException": TemporaryFailure,  # another day's
    "ConflictException": PermanentFailure,
    "ValidationException": PermanentFailure,
}
"""By the reason, else by the code: https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/"""

Id = Annotated[Text, Field(min_length=1, max_length=512)]
_ID: TypeAdapter[str] = TypeAdapter(Id)


class Inbound(BaseModel):
    model_config = ConfigDict(extra="allow")

    sender: PhoneAddress = Field(alias="originationNumber")
    recipient: PhoneAddress = Field(alias="destinationNumber")
    body: CleanedBody = Field("", alias="messageBody")
    id: Id = Field(alias="inboundMessageId")

    def read(self, told_at: datetime) -> InboundMessage:
        content = {"type": Channel.SMS, "from": self.sender, "to": self.recipient, "body": self.body}
        told = {"provider_message_id": self.id, "timestamp": told_at, "extra": self.model_extra or {}}
        return InboundMessage.model_validate(content | told)


class Event(BaseModel):
    kind: Annotated[Text, Field(max_length=64)] = Field(alias="eventType")
    at: Annotated[int, Field(ge=0, le=253_402_300_799_999)] = Field(alias="eventTimestamp")
    """Milliseconds."""
    id: Id = Field(alias="messageId")
    description: str | None = Field(None, alias="messageStatusDescription")
    final: bool = Field(default=True, alias="isFinal")
    context: dict[str, Any] = {}

    def read(self) -> DeliveryReport:
        status = STATUS.get(self.kind)
        if status is Status.FAILED and not self.final:
            status = None
        why = status in (Status.FAILED, None)
        return DeliveryReport(
            provider_message_id=self.id,
            reference=parse_reference(str(self.context.get("reference"))),
            status=status,
            code=self.kind if why else None,
            reason=redact(self.description) if why else None,
            timestamp=datetime.fromtimestamp(self.at / 1000, UTC),
        )


class AwsSms:
    channels = frozenset({Channel.SMS})
    limits = Limits(body=1600, attachments=0)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret

    def send(self, message: OutboundMessage) -> ProviderResult:
        request = {
            "DestinationPhoneNumber": message.recipient,
            "OriginationIdentity": get_str(self._secret, "origination_identity") or message.sender,
            "MessageBody": message.body,
            "Context": {"reference": str(message.id)},
        }
        if named := get_str(self._secret, "configuration_set"):
            request["ConfigurationSetName"] = named
        access = aws_access(self._secret, self.name)
        answer = aws_call.call(access, "pinpoint-sms-voice-v2", "send_text_message", request, FAILURES)
        try:
            return ProviderResult(_ID.validate_python(answer.get("MessageId")))
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer holds no MessageId.") from error

    def verify(self, webhook: Webhook) -> Verified:
        sns.verify(webhook.body, webhook.received_at, get_list(self._secret, "topics"))
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        found = sns.notification(webhook.body)
        if found is None:
            return []
        try:
            if "inboundMessageId" in found.fields:
                return [Inbound.model_validate(found.fields).read(found.published_at)]
            return [Event.model_validate(found.fields).read()]
        except ValidationError as error:
            raise Invalid.found(error.errors(include_input=False, include_url=False)) from None

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # it asks for no more than 200
        return Answer(content_type="text/plain")
