"""AWS End User Messaging SMS: texts through its API, and its webhooks through SNS topics.

Send: SendTextMessage of the API `pinpoint-sms-voice-v2`:

    {"DestinationPhoneNumber": "+18045551234", "OriginationIdentity": "+12016661234", "MessageBody": "Hello",
     "Context": {"reference": "7"}, "ConfigurationSetName": "messaging"}
    200 {"MessageId": "862a8790-60c0-4430-9b2b-658bdexample"}

Receive: notifications of a topic (transport/sns.py), which come from the number's two-way topic and from an
event destination:

    {"originationNumber": "+14255550182", "destinationNumber": "+12125550101", "messageKeyword": "JOIN",
     "messageBody": "EXAMPLE", "inboundMessageId": "cae173d2-66b9-564c-8309-21f858e9fb84",
     "previousPublishedMessageId": "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKEY"}
    {"eventType": "TEXT_DELIVERED", "eventTimestamp": 1729099299998, "isFinal": true,
     "messageId": "862a8790-60c0-4430-9b2b-658bdexample", "messageStatus": "DELIVERED",
     "messageStatusDescription": "Message has been accepted by phone", "context": {"reference": "7"}}

It sends media only from an S3 bucket, and does not receive any, so there is no MMS.

https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/API_SendTextMessage.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/configuration-sets-event-types.html
https://docs.aws.amazon.com/sms-voice/latest/userguide/two-way-sms-payload.html
"""

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from messaging.address import ReceivedNumber
from messaging.failures import Misconfigured, OptedOut, PermanentFailure, TemporaryFailure
from messaging.fields import CleanedBody, ProviderId, Text
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid
from messaging.providers.credentials import aws_access, get_list, get_str
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    WebhookResponse,
    reported_id,
    reported_time,
)
from messaging.transport import aws_call, sns
from messaging.transport.payload import parse_reference
from messaging.transport.redact import redact

STATUS: Mapping[str, Status] = {
    "TEXT_SENT": Status.SENT,
    "TEXT_SUCCESSFUL": Status.SENT,  # the carrier has accepted it
    "TEXT_DELIVERED": Status.DELIVERED,
    "TEXT_BLOCKED": Status.FAILED,
    "TEXT_CARRIER_BLOCKED": Status.FAILED,
    "TEXT_CARRIER_UNREACHABLE": Status.FAILED,
    "TEXT_INVALID": Status.FAILED,
    "TEXT_INVALID_MESSAGE": Status.FAILED,
    "TEXT_PROTECT_BLOCKED": Status.FAILED,
    "TEXT_SPAM": Status.FAILED,
    "TEXT_TTL_EXPIRED": Status.FAILED,
    "TEXT_UNREACHABLE": Status.FAILED,
}
"""Of the others, TEXT_QUEUED and TEXT_PENDING are not final, and TEXT_UNKNOWN means that nobody knows. If a
carrier sends no receipts, TEXT_SUCCESSFUL is the last event."""

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
    "ServiceQuotaExceededException": TemporaryFailure,  # until the next day
    "ConflictException": PermanentFailure,
    "ValidationException": PermanentFailure,
}
"""By the reason, or else by the code: https://docs.aws.amazon.com/pinpoint/latest/apireference_smsvoicev2/"""


class Inbound(BaseModel):
    model_config = ConfigDict(extra="allow")

    sender: ReceivedNumber = Field(alias="originationNumber")
    recipient: ReceivedNumber = Field(alias="destinationNumber")
    body: CleanedBody = Field("", alias="messageBody")
    id: ProviderId = Field(alias="inboundMessageId")


class Event(BaseModel):
    kind: Annotated[Text, Field(max_length=64)] = Field(alias="eventType")
    milliseconds: Any = Field(None, alias="eventTimestamp")
    id: Any = Field(None, alias="messageId")
    description: Any = Field(None, alias="messageStatusDescription")
    is_final: Any = Field(default=True, alias="isFinal")
    context: Any = None


class AwsSms(Provider):
    channels = frozenset({Channel.SMS})
    limits = Limits(body=1600)
    webhook_response = WebhookResponse(content_type="text/plain")

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
        if configuration_set := get_str(self._secret, "configuration_set"):
            request["ConfigurationSetName"] = configuration_set
        access = aws_access(self._secret, self.name)
        answer = aws_call.call(access, "pinpoint-sms-voice-v2", "send_text_message", request, FAILURES)
        return ProviderResult.with_id(answer.get("MessageId"), "MessageId")

    def verify(self, webhook: Webhook) -> Verified:
        sns.verify(webhook.body, webhook.received_at, get_list(self._secret, "topics"))
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport]:
        notification = sns.notification(webhook.body)
        if notification is None:
            return []
        try:
            if "inboundMessageId" in notification.fields:
                inbound = Inbound.model_validate(notification.fields)
                return [_message(inbound, notification.fields, notification.published_at)]
            return [_report(Event.model_validate(notification.fields), notification.published_at)]
        except ValidationError as error:
            raise Invalid.of(error) from None


def _message(inbound: Inbound, fields: Mapping[str, Any], published_at: datetime) -> InboundMessage:
    extra = dict(inbound.model_extra or {})
    for name, address in (("originationNumber", inbound.sender), ("destinationNumber", inbound.recipient)):
        if fields[name] != address:
            extra[name] = fields[name]
    return InboundMessage.model_validate(
        {
            "type": Channel.SMS,
            "from": inbound.sender,
            "to": inbound.recipient,
            "body": inbound.body,
            "timestamp": published_at,
            "provider_message_id": inbound.id,
            "extra": extra,
        }
    )


def _report(event: Event, published_at: datetime) -> DeliveryReport:
    status = STATUS.get(event.kind)
    if status is Status.FAILED and event.is_final is False:
        status = None
    needs_reason = status in (None, Status.FAILED)
    reference = event.context.get("reference") if isinstance(event.context, dict) else None
    return DeliveryReport(
        provider_message_id=reported_id(event.id),
        reference=parse_reference(str(reference)),
        status=status,
        code=event.kind if needs_reason else None,
        reason=redact(event.description) if needs_reason else None,
        timestamp=_occurred_at(event.milliseconds) or published_at,
    )


def _occurred_at(milliseconds: object) -> datetime | None:
    try:
        return reported_time(float(str(milliseconds)) / 1000)
    except ValueError:
        return None
