"""Amazon SES: mail through its API, and its webhooks through SNS topics.

Send: SendEmail of the API `sesv2`, with the mail in its raw form:

    {"FromEmailAddress": "user@example.com", "Destination": {"ToAddresses": ["contact@example.org"]},
     "Content": {"Raw": {"Data": "RnJvbTogdXNlckBl..."}}, "ConfigurationSetName": "messaging",
     "EmailTags": [{"Name": "reference", "Value": "7"}]}
    200 {"MessageId": "010001937c1d3a2b-0a1b2c3d-0000000000"}

Receive: notifications of a topic (transport/sns.py). They come from an event destination, from the feedback
of an identity (with `notificationType` instead of `eventType`, and no tags), or from the action of a receipt
rule. SNS delivers mails up to 150 KB, in base64 if the action says so. S3 stores larger mails, and the
notification of its topic says where.

    {"eventType": "Bounce",
     "mail": {"messageId": "010001937c1d3a2b-...", "timestamp": "2024-11-01T14:00:00.000Z",
      "destination": ["contact@example.org"], "commonHeaders": {"to": ["contact@example.org"]},
      "tags": {"reference": ["7"]}},
     "bounce": {"timestamp": "2024-11-01T14:00:01.000Z",
      "bounceType": "Permanent", "bounceSubType": "General", "bouncedRecipients": [{
        "emailAddress": "contact@example.org", "action": "failed", "status": "5.1.1",
        "diagnosticCode": "smtp; 550 5.1.1 user unknown"}]}}
    {"notificationType": "Received", "content": "RnJvbTog...", "mail": {"messageId": "d6iitobk75ur44p8k..."},
     "receipt": {"timestamp": "2024-11-01T14:00:00.000Z", "recipients": ["user@example.com"],
      "spamVerdict": {"status": "PASS"}, ..., "action": {"type": "SNS", "encoding": "BASE64"}}}
    ... "action": {"type": "S3", "bucketName": "mails", "objectKey": "d6iitobk75ur44p8kdnnp7g2n800"}

After an InternalServiceErrorException (500) the request was not completed; that nothing was sent is not said:
https://docs.aws.amazon.com/botocore/latest/reference/services/sesv2/client/exceptions/InternalServiceErrorException.html
https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
"""

import base64
from collections.abc import Mapping, Sequence
from datetime import datetime
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated, Any

import idna
from pydantic import (
    AliasChoices,
    BaseModel,
    Field,
    ValidationError,
    ValidatorFunctionWrapHandler,
    WrapValidator,
)

from messaging import failures
from messaging.address import Mailbox
from messaging.fields import ProviderId, Text, Time, clean_text
from messaging.mail import inbound
from messaging.mail import message as mail_message
from messaging.mail.address_header import format_header, format_mailbox
from messaging.mail.addresses import comparable_address
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, Unavailable, Unreadable
from messaging.providers.credentials import aws_access, get_list, get_str
from messaging.providers.limits import Limits
from messaging.providers.provider import (
    Provider,
    ProviderResult,
    Verified,
    Webhook,
    WebhookResponse,
    reported_id,
)
from messaging.transport import aws_call, client, sns
from messaging.transport.fetch import FetchedFile, fetch
from messaging.transport.payload import parse_reference
from messaging.transport.redact import redact

STATUS: Mapping[str, Status] = {
    "Send": Status.SENT,
    "Delivery": Status.DELIVERED,
    "Bounce": Status.FAILED,
    "Reject": Status.FAILED,
    "Rendering Failure": Status.FAILED,
    "Open": Status.READ,
}
"""By event. A click may be a scanner's, and a complaint says nothing about the delivery."""

FAILURES: aws_call.FailureTypes = {
    "AccountSuspendedException": failures.Misconfigured,
    "LimitExceededException": failures.Throttled,
    "MailFromDomainNotVerifiedException": failures.SenderNotAllowed,
    "MessageRejected": failures.PermanentFailure,
    "NotFoundException": failures.Misconfigured,  # the configuration set
    "SendingPausedException": failures.Misconfigured,
}
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors"""

IDENTITY_REFUSALS = ("Email address is not verified", ":identity/", ":<address>")  # parts of reasons
DETAIL_FIELDS = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
"""The field with an event's details, if it is not the event's name in lower case."""
GREETING = "Successfully validated SNS topic for Amazon SES event publishing."
GREETINGS = {"AmazonSnsSubscriptionSucceeded"}
"""What SES publishes when a topic is chosen: for a configuration set, and for an identity."""
MAX_MAIL = 40 * 2**20  # bytes: SES does not receive a larger mail
VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")

_WHOLE_LINES = SMTP.clone(max_line_length=998)  # by default a long link in a header would be encoded

Word = Annotated[Text, Field(max_length=100)]
Addresses = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)]


# --- Reports -----------------------------------------------------------------------------------------


def _optional(default: object) -> WrapValidator:
    """The default for a value that is not as documented: nobody can correct a report."""

    def validate(value: object, handler: ValidatorFunctionWrapHandler) -> object:
        try:
            return handler(value)
        except ValidationError:
            return default

    return WrapValidator(validate)


OptionalAddresses = Annotated[Addresses, _optional([])]
OptionalTime = Annotated[Time | None, _optional(None)]
OptionalText = Annotated[str | None, _optional(None)]
OptionalWord = Annotated[Word | None, _optional(None)]


class CommonHeaders(BaseModel):
    to: OptionalAddresses = []


class SentMail(BaseModel):
    id: Any = Field(None, alias="messageId")
    timestamp: OptionalTime = None
    destination: OptionalAddresses = []
    headers: Annotated[CommonHeaders, _optional(CommonHeaders())] = Field(
        CommonHeaders(), alias="commonHeaders"
    )
    tags: Annotated[Mapping[str, Any], _optional({})] = {}

    def reference(self) -> int | None:
        values = self.tags.get("reference")
        return parse_reference("".join(map(str, values)) if isinstance(values, list) else str(values))

    def main_recipient(self) -> str | None:
        """The address in the mail's To, which is not a cc copy. None if the event does not show it."""
        recipients = self.headers.to if len(self.headers.to) == 1 else self.destination
        return comparable_address(recipients[0]) if len(recipients) == 1 else None


class Recipient(BaseModel):
    address: Annotated[str, Field(max_length=1000)] = Field(alias="emailAddress")
    action: Annotated[Word, _optional("")] = ""
    reason: OptionalText = Field(None, alias="diagnosticCode")


Recipients = Annotated[list[Annotated[str, Field(max_length=1000)] | Recipient], Field(max_length=100)]


class Detail(BaseModel):
    timestamp: OptionalTime = None
    type: OptionalWord = Field(
        None, validation_alias=AliasChoices("bounceType", "complaintFeedbackType", "delayType")
    )
    subtype: OptionalWord = Field(None, validation_alias=AliasChoices("bounceSubType", "complaintSubType"))
    reason: OptionalText = Field(None, validation_alias=AliasChoices("reason", "errorMessage"))
    recipients: Annotated[Recipients | None, _optional(None)] = Field(
        None,
        validation_alias=AliasChoices(
            "bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients"
        ),
    )


class Event(BaseModel):
    kind: Word = Field(validation_alias=AliasChoices("eventType", "notificationType"))
    mail: Annotated[SentMail, _optional(SentMail())] = SentMail()
    detail: Annotated[Detail, _optional(Detail())] = Detail()

    def code(self) -> str:
        return ".".join(filter(None, (self.kind, self.detail.type, self.detail.subtype)))


# --- Received mail -----------------------------------------------------------------------------------


class Action(BaseModel):
    type: str
    encoding: str = ""
    bucket: str = Field("", alias="bucketName")
    key: str = Field("", alias="objectKey")


class Receipt(BaseModel):
    timestamp: OptionalTime = None
    recipients: Annotated[list[str], Field(min_length=1)]
    action: Annotated[Action, _optional(Action(type=""))] = Action(type="")


class ReceivedMail(BaseModel):
    id: Annotated[Annotated[ProviderId, Field(max_length=180)] | None, _optional(None)] = Field(
        None, alias="messageId"
    )
    source: Any = None


class Received(BaseModel):
    receipt: Receipt
    mail: Annotated[ReceivedMail, _optional(ReceivedMail())] = ReceivedMail()
    content: str | None = None


# --- The provider ------------------------------------------------------------------------------------


class Ses(Provider):
    channels = frozenset({Channel.EMAIL})
    limits = Limits.for_email(cc=49, reserved_headers=("x-ses-",))
    webhook_response = WebhookResponse(content_type="text/plain")

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret

    def send(self, message: OutboundMessage) -> ProviderResult:
        access = aws_access(self._secret, self.name)
        request = {
            "FromEmailAddress": format_mailbox(_to_ascii(message.from_mailbox)),  # replaces the header From
            "Destination": {
                "ToAddresses": [_to_ascii(message.to_mailbox).address],
                "CcAddresses": [_to_ascii(copy).address for copy in message.copies],
            },
            "Content": {"Raw": {"Data": compose(message, fetch(message.attachments))}},
            "EmailTags": [{"Name": "reference", "Value": str(message.id)}],
        }
        if configuration_set := get_str(self._secret, "configuration_set"):
            request["ConfigurationSetName"] = configuration_set
        try:
            answer = aws_call.call(access, "sesv2", "send_email", request, FAILURES)
        except (failures.PermanentFailure, failures.Misconfigured) as failure:
            if any(words in failure.reason for words in IDENTITY_REFUSALS):
                raise client.reclassify(failure, failures.SenderNotAllowed) from failure
            raise
        return ProviderResult.with_id(answer.get("MessageId"), "MessageId")

    def verify(self, webhook: Webhook) -> Verified:
        sns.verify(webhook.body, webhook.received_at, get_list(self._secret, "topics"))
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        notification = sns.notification(webhook.body, GREETING)
        if notification is None or notification.fields.get("notificationType") in GREETINGS:
            return []
        try:
            if notification.fields.get("notificationType") == "Received":
                return self._received(notification.fields, notification.published_at)
            return [_report(notification.fields, notification.published_at)]
        except ValidationError as error:
            raise Invalid.of(error) from None

    def _received(self, fields: Mapping[str, Any], published_at: datetime) -> list[InboundMessage | Invalid]:
        received = Received.model_validate(fields)
        receipt = received.receipt
        mail = mail_message.parse_mail(self._content(received))
        verdicts = {}
        for name in VERDICTS:
            verdict = fields["receipt"].get(name)
            if isinstance(verdict, dict):
                verdicts[name] = clean_text(str(verdict.get("status"))[:64])
        # The id is that of SES: a sender may give the same Message-ID to two mails.
        source = received.mail.source
        return inbound.inbound_messages(
            mail,
            [clean_text(recipient) for recipient in receipt.recipients],
            receipt.timestamp or published_at,
            verdicts,
            received.mail.id,
            clean_text(source) if isinstance(source, str) else None,
        )

    def _content(self, received: Received) -> bytes:
        """The raw mail. Raises Unreadable if there is none, and Unavailable if its bucket does not answer."""
        action = received.receipt.action
        if received.content is not None:
            try:
                if action.encoding.upper() == "BASE64":
                    return base64.b64decode(received.content)
                return received.content.encode()
            except ValueError as error:
                raise Unreadable("The content is not in its encoding.") from error
        if action.type != "S3" or not action.key or action.bucket != self._secret.get("bucket"):
            raise Unreadable("The mail is neither in the notification nor in the bucket of this provider.")
        try:
            access = aws_access(self._secret, self.name)
            return aws_call.read_object(access, action.bucket, action.key, MAX_MAIL)
        # S3 also answers 403 if the object does not exist.
        except (failures.Misconfigured, failures.PermanentFailure) as error:
            raise Unreadable(f"The mail could not be read from the bucket: {error.code}.") from error
        except (failures.TemporaryFailure, failures.OutcomeUnknown) as error:
            raise Unavailable("The bucket is unavailable; try again.") from error


def compose(message: OutboundMessage, files: Sequence[FetchedFile]) -> bytes:
    """Writes the mail in its raw form. Raises PermanentFailure if that is not possible."""
    try:
        mime = _with_bodies(message)
        for file in files:
            maintype, _, subtype = file.content_type.partition("/")
            if maintype in ("message", "multipart") or not subtype:
                maintype, subtype = "application", "octet-stream"
            name = "".join(letter if letter.isprintable() else "_" for letter in file.name)
            mime.add_attachment(file.content, maintype=maintype, subtype=subtype, filename=name)
        return _address_headers(message) + mime.as_bytes(policy=_WHOLE_LINES)
    except Exception as error:
        raise failures.PermanentFailure("not_valid", "The message cannot be written as a mail.") from error


def _address_headers(message: OutboundMessage) -> bytes:
    """Not written by EmailMessage, which in some versions of Python loses the quotes of a folded name."""
    reply_to = [message.reply_to_mailbox] if message.reply_to_mailbox else []
    headers: dict[str, Sequence[Mailbox]] = {
        "From": [message.from_mailbox],
        "To": [message.to_mailbox],
        "Cc": message.copies,
        "Reply-To": reply_to,
    }
    lines = []
    for name, mailboxes in headers.items():
        if mailboxes:
            lines.append(format_header(name, [_to_ascii(mailbox) for mailbox in mailboxes]))
    return b"".join(lines)


def _with_bodies(message: OutboundMessage) -> EmailMessage:
    mime = EmailMessage()
    for name, value in {"Subject": message.subject, **message.headers}.items():
        if value:
            mime[name] = value
    text, html = mail_message.text_and_html(message)
    if text is not None:
        mime.set_content(text, cte="quoted-printable")
    if html is not None and text is None:
        mime.set_content(html, subtype="html", cte="quoted-printable")
    elif html is not None:
        mime.add_alternative(html, subtype="html", cte="quoted-printable")
    return mime


def _to_ascii(mailbox: Mailbox) -> Mailbox:
    """The mailbox with its domain in ASCII, as the DNS has it: SES refuses any other."""
    local, _, domain = mailbox.address.rpartition("@")
    try:
        return mailbox._replace(address=f"{local}@{idna.encode(domain, uts46=True).decode()}")
    except idna.IDNAError:
        return mailbox


def _report(fields: Mapping[str, Any], published_at: datetime) -> DeliveryReport:
    """Raises ValidationError if it is not an event."""
    kind = str(fields.get("eventType") or fields.get("notificationType"))
    detail = fields.get(DETAIL_FIELDS.get(kind, kind.lower())) or {}
    event = Event.model_validate({**fields, "detail": detail})
    recipient = _find_main_recipient(event)
    is_copy = event.detail.recipients is not None and recipient is None
    reason = recipient.reason if isinstance(recipient, Recipient) else None
    shared = {
        "provider_message_id": reported_id(event.mail.id),
        "reference": event.mail.reference(),
        "reason": redact(reason or event.detail.reason),
        "timestamp": event.detail.timestamp or event.mail.timestamp or published_at,
    }
    if is_copy:
        return DeliveryReport.of_copy(event.code(), **shared)
    status = _status(event, recipient)
    if status not in (None, Status.FAILED):
        return DeliveryReport.model_validate({**shared, "status": status, "code": None, "reason": None})
    return DeliveryReport.model_validate({**shared, "status": status, "code": event.code()})


def _find_main_recipient(event: Event) -> str | Recipient | None:
    """The mail's main recipient among the recipients that the event is about."""
    main = event.mail.main_recipient()
    for recipient in reversed(event.detail.recipients or []):
        address = recipient if isinstance(recipient, str) else recipient.address
        if main and comparable_address(address) == main:
            return recipient
    return None


def _status(event: Event, recipient: str | Recipient | None) -> Status | None:
    if event.kind == "Open" and event.detail.recipients is None and len(event.mail.destination) != 1:
        return None  # any of the recipients may have opened it
    gave_up = isinstance(recipient, Recipient) and recipient.action == "failed"
    if event.kind == "Bounce" and event.detail.type != "Permanent" and not gave_up:
        return None  # an out-of-office reply counts as a bounce, too
    return STATUS.get(event.kind)
