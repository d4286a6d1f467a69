"""Amazon SES: mail through its API, and what comes back through topics of SNS.

Out, SendEmail of the API `sesv2`, the mail as it travels:

    {"FromEmailAddress": "user@example.com", "Destination": {"ToAddresses": ["contact@example.org"]},
     "Content": {"Raw": {"Data": "RnJvbTogdXNlckBl..."}}, "ConfigurationSetName": "messaging",
     "EmailTags": [{"Name": "reference", "Value": "7"}]}
    200 {"MessageId": "010001937c1d3a2b-0a1b2c3d-0000000000"}

In, as the notification of a topic (sns.py): of an event destination, or of an identity's feedback, which says
`notificationType` and has no tags; and of a receipt rule's action. SNS brings mails up to 150 KB, in base64
where its action says so; S3 keeps larger ones, and its topic tells where.

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

https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html
https://docs.aws.amazon.com/ses/latest/dg/event-publishing-retrieving-sns-contents.html
https://docs.aws.amazon.com/ses/latest/dg/receiving-email-notifications-contents.html
"""

import base64
from collections.abc import Mapping, Sequence
from email.message import EmailMessage
from email.policy import SMTP
from typing import Annotated, Any

import idna
from pydantic import BaseModel, Field, TypeAdapter, ValidationError

from messaging.failures import Misconfigured, OutcomeUnknown, PermanentFailure, TemporaryFailure, Throttled
from messaging.fields import MAX_BODY, Time, clean_text
from messaging.mail import inbound
from messaging.mail import message as mail_message
from messaging.models import Channel, DeliveryReport, InboundMessage, OutboundMessage
from messaging.problems import Invalid, Unavailable, Unreadable
from messaging.providers import credentials, ses_events
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.transport import aws_call, sns
from messaging.transport.fetch import FetchedFile, fetch

FAILURES: aws_call.FailureTypes = {
    "AccountSuspendedException": Misconfigured,
    "LimitExceededException": Throttled,
    "MailFromDomainNotVerifiedException": Misconfigured,
    "MessageRejected": PermanentFailure,
    "NotFoundException": Misconfigured,  # the configuration set
    "SendingPausedException": Misconfigured,
}
"""https://docs.aws.amazon.com/ses/latest/APIReference-V2/API_SendEmail.html#API_SendEmail_Errors"""

GREETING = "Successfully validated SNS topic for Amazon SES event publishing."
GREETINGS = {"AmazonSnsSubscriptionSucceeded"}
"""What is told when a topic is chosen: the one of a configuration set, and those of an identity."""
MAX_MAIL = 40 * 2**20  # bytes: SES takes in no larger one
VERDICTS = ("spamVerdict", "virusVerdict", "spfVerdict", "dkimVerdict", "dmarcVerdict")

_ID: TypeAdapter[str] = TypeAdapter(ses_events.Id)
_WHOLE_LINES = SMTP.clone(max_line_length=998)  # else a long link in a header would be encoded


class Action(BaseModel):
    type: str
    encoding: str = ""
    bucket: str = Field("", alias="bucketName")
    key: str = Field("", alias="objectKey")


class Receipt(BaseModel):
    timestamp: Time
    recipients: Annotated[ses_events.Addresses, Field(min_length=1)]
    action: Action


class Source(BaseModel):
    id: Annotated[ses_events.Id, Field(max_length=180)] = Field(alias="messageId")


class Received(BaseModel):
    receipt: Receipt
    mail: Source
    content: str | None = None


class Ses:
    channels = frozenset({Channel.EMAIL})
    limits = Limits(body=MAX_BODY, attachments=100, cc=49, reply_to=True, headers=20, reserved=("x-ses-",))

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._secret = secret

    def send(self, message: OutboundMessage) -> ProviderResult:
        access = credentials.aws_access(self._secret, self.name)
        copies = [_ascii(one) for one in message.cc if one != message.recipient]
        request = {
            "FromEmailAddress": _ascii(message.sender),
            "Destination": {"ToAddresses": [_ascii(message.recipient)], "CcAddresses": copies},
            "Content": {"Raw": {"Data": written(message, copies, fetch(message.attachments))}},
            "EmailTags": [{"Name": "reference", "Value": str(message.id)}],
        }
        if named := credentials.get_str(self._secret, "configuration_set"):
            request["ConfigurationSetName"] = named
        answer = aws_call.call(access, "sesv2", "send_email", request, FAILURES)
        try:
            return ProviderResult(_ID.validate_python(answer.get("MessageId")))
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer holds no MessageId.") from error

    def verify(self, webhook: Webhook) -> Verified:
        sns.verify(webhook.body, webhook.received_at, credentials.get_list(self._secret, "topics"))
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        found = sns.notification(webhook.body, GREETING)
        if found is None or found.fields.get("notificationType") in GREETINGS:
            return []
        try:
            if found.fields.get("notificationType") == "Received":
                received = Received.model_validate(found.fields)
                read, verdicts = (
                    mail_message.parse_mail(self._content(received)),
                    _verdicts(found.fields["receipt"]),
                )
                # By SES's id, for a sender may give two mails one Message-ID.
                return inbound.inbound_messages(
                    read, received.receipt.recipients, received.receipt.timestamp, verdicts, received.mail.id
                )
            return [ses_events.report(found.fields)]
        except ValidationError as error:
            raise Invalid.found(error.errors(include_input=False, include_url=False)) from None

    def _content(self, received: Received) -> bytes:
        """Raises Unavailable where its bucket is away."""
        action = received.receipt.action
        if received.content is not None:
            try:
                encoded = action.encoding.upper() == "BASE64"
                return base64.b64decode(received.content) if encoded else received.content.encode()
            except ValueError as error:
                raise Unreadable("The content is not in its encoding.") from error
        if action.type != "S3" or not action.key or action.bucket != self._secret.get("bucket"):
            raise Unreadable("The mail is neither here nor in the bucket of this provider.")
        try:
            access = credentials.aws_access(self._secret, self.name)
            return aws_call.read_object(access, action.bucket, action.key, MAX_MAIL)
        except (Misconfigured, PermanentFailure) as error:  # S3 says 403 of what is not there, too
            raise Unreadable(f"The bucket does not give the mail: {error.code}.") from error
        except (TemporaryFailure, OutcomeUnknown) as error:
            raise Unavailable("The bucket is away; try again.") from error

    def answer(self, kept: Sequence[str | None]) -> Answer:  # noqa: ARG002  # it asks for no more than 200
        return Answer(content_type="text/plain")


def _verdicts(receipt: Mapping[str, Any]) -> dict[str, str]:
    told = {name: receipt.get(name) for name in VERDICTS}
    return {
        name: clean_text(str(one.get("status"))[:64]) for name, one in told.items() if isinstance(one, dict)
    }


def written(message: OutboundMessage, copies: Sequence[str], files: Sequence[FetchedFile]) -> bytes:
    """The mail as it travels. Raises PermanentFailure where it cannot be written as one."""
    text, html = mail_message.text_and_html(message)
    mime = EmailMessage()
    try:
        mime["From"], mime["To"] = _ascii(message.sender), _ascii(message.recipient)
        for name, value in {
            "Cc": ", ".join(copies),
            "Reply-To": message.reply_to and _ascii(message.reply_to),
            "Subject": message.subject,
            **message.headers,
        }.items():
            if value:
                mime[name] = value
        if text is not None:
            mime.set_content(text, cte="quoted-printable")
        if html is not None:
            add = mime.set_content if text is None else mime.add_alternative
            add(html, subtype="html", cte="quoted-printable")
        for one in files:
            kind, _, subtype = one.content_type.partition("/")
            if kind in ("message", "multipart") or not subtype:
                kind, subtype = "application", "octet-stream"
            name = "".join(letter if letter.isprintable() else "_" for letter in one.name)
            mime.add_attachment(one.content, maintype=kind, subtype=subtype, filename=name)
        return mime.as_bytes(policy=_WHOLE_LINES)
    except Exception as error:
        raise PermanentFailure("not_valid", "This cannot be written as a mail.") from error


def _ascii(address: str) -> str:
    """With the domain as it stands in the DNS: SES takes no other."""
    local, _, domain = address.rpartition("@")
    try:
        return f"{local}@{idna.encode(domain, uts46=True).decode()}"
    except idna.IDNAError:
        return address
