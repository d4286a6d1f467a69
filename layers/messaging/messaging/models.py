"""The vocabulary of the service: channels, statuses, and messages on their way in and out."""

from datetime import UTC, datetime
from enum import StrEnum
from functools import cached_property
from hashlib import sha256
from typing import Annotated, Any, Literal, Self
from uuid import UUID

from pydantic import (
    AwareDatetime,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError, to_json

from messaging.address import (
    EmailAddress,
    EmailAddresses,
    EmailRecipient,
    Mailbox,
    PhoneAddress,
    PhoneRecipient,
    is_new_email,
)
from messaging.fields import Attachments, Body, Extra, Headers, Subject, Text, Time
from messaging.names import NAME_FIELDS, Name, NamesByAddress, NewNamesByAddress, split_names
from messaging.settings import DeliveryPolicy

SCHEMA_REVISION = "0001"
"""The Alembic revision of the tables that these models fit. A test compares it with the newest migration."""
MAX_ID = 2**63 - 1
MAX_RESPONSE_BYTES = 5_000_000
MAX_ESCAPED_BYTES = 7
"""The most bytes of one character in JSON inside JSON: a control character becomes `\\\\u0001`."""


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
    """The request may have reached the provider, but no answer came. It is not sent again blindly."""
    RECEIVED = "received"
    """The status of every inbound message, and of no outbound message."""


class Model(BaseModel, defer_build=True):
    """A model that pydantic builds at its first use: a cold start pays only for the models that it uses."""


class Content(Model):
    """The fields that requests, stored messages and providers' messages share."""

    model_config = ConfigDict(extra="forbid", hide_input_in_errors=True)

    type: Channel
    sender: Annotated[str, Field(alias="from")]
    recipient: Annotated[str, Field(alias="to")]
    from_name: Name = None
    to_name: Name = None
    cc: EmailAddresses = []
    cc_names: NamesByAddress = None
    reply_to: EmailAddress | None = None
    reply_to_name: Name = None
    headers: Headers = {}
    subject: Text | None = None
    body: Body = ""
    html: Body | None = None
    attachments: Attachments = []
    timestamp: Time = Field(default_factory=lambda: datetime.now(UTC))

    @model_validator(mode="after")
    def _fits_in_a_response(self) -> Self:
        """Lambda limits a response to 6 MB, and the message is a JSON string inside the response's JSON."""
        text = self.body + (self.html or "")
        if len(text) * MAX_ESCAPED_BYTES <= MAX_RESPONSE_BYTES:
            return self  # the usual case, which needs no copy
        if len(to_json(to_json(text).decode())) > MAX_RESPONSE_BYTES:
            raise _refused("body", "is too long after its characters are escaped")
        return self

    def content(self) -> dict[str, Any]:
        """Return the fields of Content, not those of a subclass, as JSON values under their API names."""
        return self.model_dump(mode="json", by_alias=True, include=set(Content.model_fields))


def _refused(field: str, message: str) -> ValidationError:
    """Return an error under the field's name, for rules that compare several fields."""
    error = PydanticCustomError("conflicting_fields", "{message}", {"message": message})
    return ValidationError.from_exception_data(field, [{"type": error, "loc": (field,), "input": None}])


class NewMessage(Content):
    """A message that a caller asks us to send."""

    delivery_policy: Annotated[
        DeliveryPolicy | None,
        Field(
            description="Whether to send the message again if nobody can find out whether its provider took"
            " it. The default is the deployment's DELIVERY_POLICY."
        ),
    ] = None

    @property
    def requires_conversation(self) -> bool:
        """Whether it can only be sent to a contact that exists: `to` breaks the rules for new addresses."""
        return False


class NewSms(NewMessage):
    """An SMS to send, or an MMS if it has attachments."""

    type: Literal[Channel.SMS, Channel.MMS] = Channel.SMS
    """The default is mms if there are attachments, else sms."""
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
            raise _refused("attachments", "must be empty for an sms; leave type out, or set it to mms")
        if not self.body and (self.type is Channel.SMS or not self.attachments):
            raise _refused("body", "is required, unless the message is an mms with attachments")
        return self


class NewEmail(NewMessage):
    """An email to send. The body is sent as HTML if it contains a tag and `html` is not set.

    An address can be `Name <address>`, or its name can be in the field for names.
    """

    type: Literal[Channel.EMAIL] = Channel.EMAIL
    sender: Annotated[EmailAddress, Field(alias="from")]
    recipient: Annotated[EmailRecipient, Field(alias="to")]
    cc_names: NewNamesByAddress = None
    subject: Subject | None = None
    body: Annotated[Body, Field(min_length=1)]

    @property
    def requires_conversation(self) -> bool:
        return not is_new_email(self.recipient)

    @model_validator(mode="before")
    @classmethod
    def _names_have_fields(cls, fields: Any) -> Any:
        if not isinstance(fields, dict):
            return fields
        split = split_names(fields)
        for name_field in (*NAME_FIELDS.values(), "cc_names"):
            if name_field in split and fields.get(name_field) not in (None, split[name_field]):
                raise _refused(name_field, "must equal what stands beside the address, or be left out")
        return fields | split

    @model_validator(mode="after")
    def _every_name_has_an_address(self) -> Self:
        if self.reply_to_name and not self.reply_to:
            raise _refused("reply_to_name", "must be left out if there is no reply_to")
        if not set(self.cc_names or ()) <= set(self.cc):
            raise _refused("cc_names", "must only name addresses in cc")
        return self


class OutboundMessage(Content):
    """A message that is claimed for one delivery attempt. The database sends other columns, too."""

    model_config = ConfigDict(extra="ignore")

    id: int
    provider: str
    token: UUID
    """Identifies the attempt. Its result is recorded under this token."""
    attempt: int
    tries: int
    """The number of attempts so far, with this one, without those that failed because of our credentials."""
    attempted_at: AwareDatetime = Field(default_factory=lambda: datetime.now(UTC))
    """When the attempt began, by the database's clock. `timestamp` is the caller's and may be any time."""

    @property
    def from_mailbox(self) -> Mailbox:
        return Mailbox(self.from_name, self.sender)

    @property
    def to_mailbox(self) -> Mailbox:
        return Mailbox(self.to_name, self.recipient)

    @property
    def reply_to_mailbox(self) -> Mailbox | None:
        return Mailbox(self.reply_to_name, self.reply_to) if self.reply_to else None

    @property
    def copies(self) -> list[Mailbox]:
        """The mailboxes in `cc`, without the recipient: vendors refuse an address that is named twice."""
        names = self.cc_names or {}
        return [Mailbox(names.get(address), address) for address in self.cc if address != self.recipient]


class File(Model):
    """A part of an inbound mail that is stored as one of the message's attachments."""

    name: Annotated[Text, Field(max_length=255)]
    content_type: Annotated[Text, Field(max_length=255)]
    content: bytes

    @cached_property
    def key(self) -> str:
        """The key of the object in the media bucket. Files with equal content share one object."""
        return sha256(self.content).hexdigest()


_TextList = Annotated[list[Text], Field(max_length=50)]
ReceivedAddresses = Annotated[
    _TextList,
    BeforeValidator(
        lambda addresses: [] if addresses is None else addresses, json_schema_input_type=_TextList | None
    ),
]


class Substitute(Model):
    """Who wrote an inbound mail if its sender turns out to be an address of the account that received it."""

    sender: Text
    from_name: Name = None
    extra: Extra
    """Fields that replace those of the message's `extra`."""


class InboundMessage(Content):
    """A message that a provider's webhook delivered to us. Its addresses are in their canonical form."""

    cc: ReceivedAddresses = []  # the rules for new addresses do not judge them
    reply_to: Text | None = None
    provider_message_id: Annotated[Text, Field(min_length=1, max_length=512)]
    files: Annotated[list[File], Field(max_length=100)] = []
    """Files that came inside the webhook. Their URLs are appended to `attachments`."""
    extra: Extra = {}
    """The provider's other fields, stored as they came."""
    substitute: Substitute | None = None


class DeliveryReport(Model):
    """A provider's report on a message that we sent.

    It names the message by the provider's id, by ours (`reference`), or by both.
    """

    provider_message_id: Text | None
    reference: int | None
    status: Status | None
    """None if the provider's status does not change ours."""
    code: Annotated[Text, Field(max_length=512)] | None = None
    reason: Text | None = None
    timestamp: Time

    @classmethod
    def of_message(
        cls, status: Status | None, code: str | None, reason: str | None, **fields: Any
    ) -> "DeliveryReport":
        """Return a report about a message. `fields` are the other fields.

        It has the code and the reason if the message failed, or if its status does not change: they say why.
        """
        if status not in (None, Status.FAILED):
            code = reason = None
        return cls(status=status, code=code, reason=reason, **fields)

    @classmethod
    def of_copy(cls, event: str, **fields: Any) -> "DeliveryReport":
        """Return a report about a cc copy. It is recorded and does not change the message's status.

        `event` is the provider's word; `fields` are the other fields, without status and code.
        """
        return cls(status=None, code=f"copy_{event}", **fields)
