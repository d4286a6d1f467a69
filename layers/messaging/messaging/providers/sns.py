r"""The envelope in which Amazon's services tell something: SNS signs it, and its topic says whose it is.

    {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
     "TopicArn": "arn:aws:sns:us-west-2:123456789012:mail", "Message": "{\"eventType\": \"Send\", ...}",
     "Timestamp": "2024-11-01T14:00:00.000Z", "SignatureVersion": "2", "Signature": "EXAMPLE...==",
     "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233f.pem"}

    {"Type": "SubscriptionConfirmation", "Token": "2336412f37...", "SubscribeURL":
     "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=...&Token=2336412f37...", ...}

The signature is over the fields' values, not over the bytes; without it, as in raw message delivery, nothing
is let in. The headers repeat some fields, unsigned, and are not looked at.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

import base64
import re
from collections.abc import Mapping
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from messaging.failures import Failure, Misconfigured, PermanentFailure
from messaging.fields import Time
from messaging.problems import Invalid, Problem, SignatureRejected, Unavailable, Unreadable
from messaging.providers.credentials import several
from messaging.providers.provider import Answer, Verified, Webhook
from messaging.transport import client
from messaging.transport.payload import json_object

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TOLERANCE = timedelta(minutes=65)
"""SNS repeats a notification for at most an hour, with the time and the id of the first."""
BUDGET = 4.0  # seconds for the certificate, and for the confirmation: SNS waits 15 for an answer

ANSWER = Answer(content_type="text/plain")

_NOTIFICATION = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""What is signed, in its order."""
_TIME: TypeAdapter[datetime] = TypeAdapter(Time, config=ConfigDict(hide_input_in_errors=True))


class Notification(NamedTuple):
    told: dict[str, Any]
    at: datetime


class Envelope(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] = Field(alias="Type")
    topic: str = Field(alias="TopicArn")
    message: str = Field(alias="Message")
    message_id: str = Field(alias="MessageId")
    timestamp: str = Field(alias="Timestamp")
    """As it was written, for that is what is signed."""
    subject: str | None = Field(None, alias="Subject")
    token: str = Field("", alias="Token")
    subscribe_url: str = Field("", alias="SubscribeURL")
    signature_version: Literal["1", "2"] = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature")
    certificate_url: str = Field(alias="SigningCertURL")

    def signed(self) -> bytes:
        told = self.model_dump(by_alias=True)
        names = _NOTIFICATION if self.type == "Notification" else _CONFIRMATION
        return "".join(f"{name}\n{told[name]}\n" for name in names if told[name] is not None).encode()


def verify(webhook: Webhook, secret: Mapping[str, Any]) -> Verified:
    """Lets in what one of the secret's `topics` told, and confirms a subscription of one of them.

    Raises SignatureRejected, and Unavailable where Amazon is away: SNS comes again after a 5xx.
    """
    try:
        envelope = Envelope.model_validate(json_object(webhook.body))
        told_at = _TIME.validate_python(envelope.timestamp)
        signature = base64.b64decode(envelope.signature, validate=True)
        signed = envelope.signed()
    except ValidationError as error:
        wrong = Invalid.found(error.errors(include_input=False, include_url=False)).errors
        said = "; ".join(f"{one['field']}: {one['message']}" for one in wrong)
        raise SignatureRejected("The request is no envelope of SNS.", f"No envelope of SNS: {said}") from None
    except (Problem, ValueError) as error:
        raise SignatureRejected("The request is no envelope of SNS.") from error
    topics = several(secret, "topics")
    if envelope.topic not in topics:
        missing = "" if topics else "The secret holds no topics."
        raise SignatureRejected("The topic is none of this provider's.", missing)
    if abs(webhook.received_at - told_at) > TOLERANCE:
        raise SignatureRejected("The request is stale.")
    host = _host(envelope.topic)
    if not re.fullmatch(rf"https://{host}/[A-Za-z0-9_-]+\.pem", envelope.certificate_url):
        raise SignatureRejected("The certificate's URL is not of the topic's region.")
    certificate = _certificate_at(envelope.certificate_url)
    if not certificate.not_valid_before_utc <= webhook.received_at <= certificate.not_valid_after_utc:
        raise SignatureRejected("The certificate is not valid at this time.")
    _check(certificate, envelope.signature_version, signature, signed)
    if envelope.type == "SubscriptionConfirmation":
        _confirm(envelope.subscribe_url, host)
    return Verified()


def notification(webhook: Webhook, greeting: str = "") -> Notification | None:
    """What the topic tells, which is JSON; None where it speaks of itself, or says no more than the service's
    greeting. Raises Unreadable and Invalid."""
    try:
        envelope = Envelope.model_validate(json_object(webhook.body))
        if envelope.type != "Notification" or envelope.message == greeting:
            return None
        told_at = _TIME.validate_python(envelope.timestamp)
        return Notification(json_object(envelope.message.encode()), told_at)
    except ValidationError as error:
        raise Invalid.found(error.errors(include_input=False, include_url=False)) from None
    except UnicodeEncodeError as error:
        raise Unreadable("The message is no text.") from error


def _host(topic: str) -> str:
    """Of SNS where the topic is: exactly one, since a bucket may be named as one pleases."""
    _, partition, _, region, *_ = [*topic.split(":"), "", "", "", ""]
    suffix = ".com.cn" if partition == "aws-cn" else ".com"
    return re.escape(f"sns.{region}.amazonaws{suffix}")


def _certificate_at(url: str) -> "Certificate":
    try:
        return _fetched(url)
    except (Misconfigured, PermanentFailure, ValueError) as error:  # 403 and 404, or no PEM
        raise SignatureRejected("There is no certificate at its URL.") from error
    except Failure as error:
        raise Unavailable("The certificate cannot be had now; try again.") from error


@lru_cache(maxsize=16)
def _fetched(url: str) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate  # 60 ms of a cold start: for those who need it

    return load_pem_x509_certificate(client.get(url, {}, BUDGET).body)


def _check(certificate: "Certificate", version: str, signature: bytes, signed: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise SignatureRejected("The certificate holds no key of SNS.")
    try:
        key.verify(signature, signed, PKCS1v15(), SHA1() if version == "1" else SHA256())  # noqa: S303  # the topic's choice
    except InvalidSignature as error:
        raise SignatureRejected("The request is not signed by SNS.") from error


def _confirm(url: str, host: str) -> None:
    if not re.fullmatch(rf"https://{host}/\?Action=ConfirmSubscription&[!-~]+", url):
        raise SignatureRejected("The subscription's URL is not of the topic's region.")
    try:
        client.get(url, {}, BUDGET)
    except Failure as error:
        raise Unavailable("The subscription could not be confirmed; try again.") from error
