"""A provider as somebody would add it: this file, and one line in the registry.

Out, POST a form to the secret's `url`:        dst=%2B18045551234&src=%2B12016661234&text=Hello&ref=7
                                               200 OK message-9
In, messages and reports together, signed with the secret's `key`:
    {"got": [{"n": "message-1", "src": "+18045551234", "dst": "+12016661234", "text": "in"}],
     "did": [{"n": "message-9", "ref": 7, "state": "done"}]}
    x-pager-signature: <hex of the HMAC-SHA256 of the body>
It wants to hear <thanks for="2"/>.
"""

import hashlib
import hmac
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Annotated, Any, TypeVar
from urllib.parse import urlencode

from pydantic import BaseModel, Field, TypeAdapter, ValidationError
from pydantic_core import from_json

from messaging.address import PhoneAddress
from messaging.failures import Misconfigured, OutcomeUnknown
from messaging.fields import Body, Text
from messaging.models import MAX_ID, Channel, DeliveryReport, InboundMessage, OutboundMessage, Status
from messaging.problems import Invalid, SignatureRejected, Unreadable
from messaging.providers.credentials import get_str
from messaging.providers.provider import Answer, Limits, ProviderResult, Verified, Webhook
from messaging.transport import client

STATUS = {"done": Status.DELIVERED, "lost": Status.FAILED}

Name = Annotated[Text, Field(min_length=1, max_length=512)]
_NAME: TypeAdapter[str] = TypeAdapter(Name)


class Got(BaseModel):
    n: Name
    src: PhoneAddress
    dst: PhoneAddress
    text: Body


class Did(BaseModel):
    n: Name
    ref: Annotated[int, Field(ge=1, le=MAX_ID)]
    state: Annotated[Text, Field(max_length=64)]


class Told(BaseModel):
    got: list[dict[str, Any]] = []
    did: list[dict[str, Any]] = []


class Pager:
    channels = frozenset({Channel.SMS})
    limits = Limits(body=160, attachments=0)

    def __init__(self, name: str, secret: Mapping[str, Any]) -> None:
        self.name = name
        self._url = get_str(secret, "url")
        self._key = get_str(secret, "key").encode()

    def send(self, message: OutboundMessage) -> ProviderResult:
        if not self._url:
            raise Misconfigured("not_configured", "The secret holds no url.")
        form = {"dst": message.recipient, "src": message.sender, "text": message.body, "ref": message.id}
        answer = client.post(
            self._url, urlencode(form).encode(), {"Content-Type": "application/x-www-form-urlencoded"}
        )
        word, _, id = answer.body.decode(errors="replace").partition(" ")
        try:
            return ProviderResult(_NAME.validate_python(id if word == "OK" else ""))
        except ValidationError as error:
            raise OutcomeUnknown("unreadable_answer", "The answer is not OK.") from error

    def verify(self, webhook: Webhook) -> Verified:
        signature = hmac.new(self._key, webhook.body, hashlib.sha256).hexdigest()
        given = webhook.headers.get("x-pager-signature", "").encode(errors="replace")
        if not self._key or not hmac.compare_digest(signature.encode(), given):
            raise SignatureRejected("The pager has not signed this.")
        return Verified()

    def parse(self, webhook: Webhook) -> Sequence[InboundMessage | DeliveryReport | Invalid]:
        try:
            told = Told.model_validate(from_json(webhook.body))
            return [
                *(_part(_message, fields) for fields in told.got),
                *(_part(_report, fields, webhook.received_at) for fields in told.did),
            ]
        except ValidationError as error:
            raise Invalid.found(error.errors()) from None
        except ValueError as error:
            raise Unreadable("The body is not JSON.") from error

    def answer(self, kept: Sequence[str | None]) -> Answer:
        return Answer(f'<thanks for="{len(kept)}"/>', "application/xml")


Part = TypeVar("Part", InboundMessage, DeliveryReport)


def _part(read: Callable[..., Part], *told: object) -> Part | Invalid:
    try:
        return read(*told)
    except ValidationError as error:
        return Invalid.found(error.errors(include_input=False))


def _message(fields: Mapping[str, Any]) -> InboundMessage:
    got = Got.model_validate(fields)
    addresses = {"type": Channel.SMS, "from": got.src, "to": got.dst}
    return InboundMessage.model_validate({**addresses, "body": got.text, "provider_message_id": got.n})


def _report(fields: Mapping[str, Any], received_at: datetime) -> DeliveryReport:
    did = Did.model_validate(fields)
    status = STATUS.get(did.state)
    return DeliveryReport(provider_message_id=did.n, reference=did.ref, status=status, timestamp=received_at)
