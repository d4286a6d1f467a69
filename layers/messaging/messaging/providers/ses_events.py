"""What became of a mail that SES sent: the events of a configuration set, and the feedback of an identity,
which says `notificationType` and has no tags. Samples stand in ses.py."""

from collections.abc import Mapping
from contextlib import suppress
from typing import Annotated, Any

from pydantic import AliasChoices, BaseModel, Field
from pydantic_core import PydanticCustomError

from messaging.address import normalize_email
from messaging.fields import Text, Time
from messaging.models import DeliveryReport, Status
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
"""Of events. A click may be a scanner's, and a complaint says nothing of the delivery."""

DETAILS = {"Rendering Failure": "failure", "DeliveryDelay": "deliveryDelay"}
"""Where an event's own fields stand; else under its name, in lower case."""

Id = Annotated[Text, Field(min_length=1, max_length=512)]
Word = Annotated[Text, Field(max_length=100)]
Addresses = Annotated[list[Annotated[str, Field(max_length=1000)]], Field(max_length=100)]


class Headers(BaseModel):
    to: Addresses = []


class Sent(BaseModel):
    id: Id = Field(alias="messageId")
    timestamp: Time
    destination: Addresses = []
    headers: Headers = Field(Headers(), alias="commonHeaders")
    tags: dict[str, list[str]] = {}

    def main(self) -> str | None:
        """The address that the message is to, which is not a copy's; None where that is not told."""
        known = self.headers.to if len(self.headers.to) == 1 else self.destination
        return _plain(known[0]) if len(known) == 1 else None


class Recipient(BaseModel):
    address: Annotated[str, Field(max_length=1000)] = Field(alias="emailAddress")
    action: Word = ""
    why: str | None = Field(None, alias="diagnosticCode")


class Detail(BaseModel):
    timestamp: Time | None = None
    type: Word | None = Field(
        None, validation_alias=AliasChoices("bounceType", "complaintFeedbackType", "delayType")
    )
    subtype: Word | None = Field(None, validation_alias=AliasChoices("bounceSubType", "complaintSubType"))
    why: str | None = Field(None, validation_alias=AliasChoices("reason", "errorMessage"))
    recipients: list[Annotated[str, Field(max_length=1000)] | Recipient] | None = Field(
        None,
        max_length=100,
        validation_alias=AliasChoices(
            "bouncedRecipients", "complainedRecipients", "delayedRecipients", "recipients"
        ),
    )


class Event(BaseModel):
    kind: Word = Field(validation_alias=AliasChoices("eventType", "notificationType"))
    mail: Sent
    detail: Detail = Detail()

    def read(self) -> DeliveryReport:
        status = STATUS.get(self.kind)
        code = ".".join(filter(None, (self.kind, self.detail.type, self.detail.subtype)))
        main, found = self.mail.main(), None
        if self.detail.recipients is not None:
            found = {_plain(_address(one)): one for one in self.detail.recipients}.get(main or "")
            if found is None:
                status, code = None, f"copy_{code}"  # which says nothing of the message itself
        elif self.kind == "Open" and len(self.mail.destination) != 1:
            status = None  # whoever it was
        given_up = isinstance(found, Recipient) and found.action == "failed"
        if self.kind == "Bounce" and self.detail.type != "Permanent" and not given_up:
            status = None  # an absence note counts as a bounce as well
        why = found.why if isinstance(found, Recipient) else None
        tells = status in (None, Status.FAILED)
        return DeliveryReport(
            provider_message_id=self.mail.id,
            reference=parse_reference("".join(self.mail.tags.get("reference", ()))),
            status=status,
            code=code if tells else None,
            reason=redact(why or self.detail.why) if tells else None,
            timestamp=self.detail.timestamp or self.mail.timestamp,
        )


def report(told: Mapping[str, Any]) -> DeliveryReport:
    """Raises ValidationError."""
    kind = str(told.get("eventType") or told.get("notificationType"))
    return Event.model_validate({**told, "detail": told.get(DETAILS.get(kind, kind.lower())) or {}}).read()


def _address(recipient: str | Recipient) -> str:
    return recipient if isinstance(recipient, str) else recipient.address


def _plain(address: str) -> str:
    with suppress(PydanticCustomError):
        return normalize_email(address)
    return address.lower()
