"""The vocabulary of the service: channels, statuses, and messages on their way in and out."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field, ValidationError, model_validator
from pydantic_core import PydanticCustomError, to_json

from messaging.address import EmailAddress, EmailAddresses, PhoneAddress, PhoneRecipient
from messaging.fields import Attachments, Body, Extra, Headers, Subject, Text, Time
from messaging.settings import DeliveryPolicy

MAX_ID = 2**63 - 1
MAX_RESPONSE_BYTES = 5_000_000  # bytes


class Channel(StrEnum):
    SMS = "sms"
    MMS = "mms"
    EMAIL = "email"


class Direction(StrEnum):
    INBOUND = "inbound"
    OUTBOUND = "outbound"


class Status(StrEnum):
    QUEUED = "queued"
    SENDING = "sending"
    SENT = "sent"
    DELIVERED = "delivered"
    READ = "read"
    FAILED = "failed"
    UNKNOWN = "unknown"
    """The request may have been written and the answer never came: not sent again blindly."""
    RECEIVED = "received"
    """Every inbound message, and no other."""


class Model(BaseModel, defer_build=True):
    """Built when it is first used: a function's cold start pays for its own, and not for all of these."""


class Content(Model):
    """The fields that a request, a row and a provider's message share."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: Channel
    sender: Annotated[str, Field(alias="from")]
    recipient: Annotated[str, Field(alias="to")]
    cc: EmailAddresses = []
    reply_to: EmailAddress | None = None
    headers: Headers = {}
    subject: Text | None = None
    body: Body = ""
    html: Body | None = None
    attachments: Attachments = []
    timestamp: Time = Field(default_factory=lambda: datetime.now(UTC))

    @model_validator(mode="after")
    def _can_be_shown(self) -> Self:
        """An answer of Lambda ends at 6 MB, and there the message is JSON within JSON."""
        text = self.body + (self.html or "")
        longest = 7  # bytes for a character: a control character as \\u0001
        if (
            len(text) * longest > MAX_RESPONSE_BYTES
            and len(to_json(to_json(text).decode())) > MAX_RESPONSE_BYTES
        ):
            raise _refused("body", "is too long once its characters are escaped")
        return self

    def content(self) -> dict[str, Any]:
        """These fields alone, as JSON has them."""
        return self.model_dump(mode="json", by_alias=True, include=set(Content.model_fields))


def _refused(field: str, message: str) -> ValidationError:
    """What is wrong with a field beside others, under its own name."""
    wrong = PydanticCustomError("beside_others", "{message}", {"message": message})
    return ValidationError.from_exception_data(field, [{"type": wrong, "loc": (field,), "input": None}])


class NewMessage(Content):
    """What a caller asks us to send."""

    delivery_policy: Annotated[
        DeliveryPolicy | None,
        Field(
            description="Whether it is sent again where its provider may have it; the deployment's default."
        ),
    ] = None


class NewSms(NewMessage):
    """An SMS, or with attachments an MMS, to be sent."""

    type: Literal[Channel.SMS, Channel.MMS] = Channel.SMS
    """Where it is missing, mms with attachments and sms without."""
    sender: Annotated[PhoneAddress, Field(alias="from")]
    recipient: Annotated[PhoneRecipient, Field(alias="to")]
    subject: None = None
    html: None = None

    @model_validator(mode="before")
    @classmethod
    def _type_follows_from_attachments(cls, fields: Any) -> Any:
        if isinstance(fields, dict) and fields.get("type") is None:
            return fields | {"type": Channel.MMS if fields.get("attachments") else Channel.SMS}
        return fields

    @model_validator(mode="after")
    def _fits_its_type(self) -> Self:
        if self.type is Channel.SMS and self.attachments:
            raise _refused("attachments", "an sms has no attachments: leave type out, or say mms")
        if not self.body and (self.type is Channel.SMS or not self.attachments):
            raise _refused("body", "is required, except of an mms with attachments")
        return self


class NewEmail(NewMessage):
    """An email to be sent; its body is HTML where it holds a tag, unless `html` stands beside it."""

    type: Literal[Channel.EMAIL] = Channel.EMAIL
    sender: Annotated[EmailAddress, Field(alias="from")]
    recipient: Annotated[EmailAddress, Field(alias="to")]
    subject: Subject | None = None
    body: Annotated[Body, Field(min_length=1)]


class OutboundMessage(Content):
    """A message claimed for one attempt to deliver it."""

    id: int
    provider: str
    token: UUID
    """The attempt's own; what is recorded of it is recorded under this."""
    attempt: int
    tries: int
    """The attempts that count, this one included: not those that failed by our credentials."""
    attempted_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When the attempt began, by the database's clock: `timestamp` is the caller's and may be any time."""

    @property
    def copies(self) -> list[str]:
        """The addresses in `cc`, without the recipient: vendors refuse an address that is named twice."""
        return [address for address in self.cc if address != self.recipient]


class File(Model):
    """A part of a mail that came in, to be kept as one of its attachments."""

    name: Annotated[Text, Field(max_length=255)]
    content_type: Annotated[Text, Field(max_length=255)]
    content: bytes

    @cached_property
    def key(self) -> str:
        """Where it is kept: what holds the same is one object, however often it comes."""
        return sha256(self.content).hexdigest()


class InboundMessage(Content):
    """What a webhook told us reached us."""

    provider_message_id: Annotated[Text, Field(min_length=1, max_length=512)]
    files: Annotated[list[File], Field(max_length=100)] = []
    """What came with it, behind no URL of the provider's; they follow its attachments."""
    extra: Extra = {}
    """What else the provider said, as it said it."""


class DeliveryReport(Model):
    """What a provider says became of a message that we sent, named by its id or by ours."""

    provider_message_id: Text | None
    reference: int | None
    status: Status | None
    """None where the provider's word is one that says nothing to us."""
    code: Annotated[Text, Field(max_length=512)] | None = None
    reason: Text | None = None
    timestamp: Time

    @classmethod
    def of_copy(cls, event: str, **fields: Any) -> "DeliveryReport":
        """A report about a cc copy. It is recorded, but says nothing about the message itself.

        `event` is the provider's word; `fields` are the other fields, without status and code.
        """
        return cls(status=None, code=f"copy_{event}", **fields)
