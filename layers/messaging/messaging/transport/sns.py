r"""The envelope of notifications from AWS: SNS signs it, and its topic says whose notification it is.

    {"Type": "Notification", "MessageId": "22b80b92-fdea-4c2c-8f9d-bdfb0c7bf324",
     "TopicArn": "arn:aws:sns:us-west-2:123456789012:mail", "Message": "{\"eventType\": \"Send\", ...}",
     "Timestamp": "2024-11-01T14:00:00.000Z", "SignatureVersion": "2", "Signature": "EXAMPLE...==",
     "SigningCertURL": "https://sns.us-west-2.amazonaws.com/SimpleNotificationService-f3ecfb7224c7233f.pem"}

    {"Type": "SubscriptionConfirmation", "Token": "2336412f37...", "SubscribeURL":
     "https://sns.us-west-2.amazonaws.com/?Action=ConfirmSubscription&TopicArn=...&Token=2336412f37...", ...}

The signature covers the values of the fields, not the bytes of the body. Raw message delivery is not signed
and is refused. The request's headers repeat some fields, unsigned, and are ignored.

https://docs.aws.amazon.com/sns/latest/dg/sns-verify-signature-of-message.html
https://docs.aws.amazon.com/sns/latest/dg/sns-message-delivery-retries.html
"""

import base64
import re
from collections.abc import Sequence
from datetime import datetime, timedelta
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from pydantic import BaseModel, ConfigDict, Field, TypeAdapter, ValidationError

from messaging.failures import Failure, Misconfigured, PermanentFailure
from messaging.fields import Time
from messaging.problems import Invalid, Problem, SignatureRejected, Unavailable, Unreadable
from messaging.transport import client
from messaging.transport.payload import json_object

if TYPE_CHECKING:
    from cryptography.x509 import Certificate

TOLERANCE = timedelta(minutes=65)
"""SNS repeats a notification for at most an hour, with the timestamp and the id of the first request."""
BUDGET = 4.0  # seconds for the certificate, and for the confirmation: SNS waits 15 for the response

_NOTIFICATION_FIELDS = ("Message", "MessageId", "Subject", "Timestamp", "TopicArn", "Type")
_CONFIRMATION_FIELDS = ("Message", "MessageId", "SubscribeURL", "Timestamp", "Token", "TopicArn", "Type")
"""The signed fields, in the order of the signed text."""
_TIME: TypeAdapter[datetime] = TypeAdapter(Time, config=ConfigDict(hide_input_in_errors=True))


class Notification(NamedTuple):
    fields: dict[str, Any]
    """The message of the topic, which is JSON."""
    published_at: datetime


class Envelope(BaseModel):
    model_config = ConfigDict(hide_input_in_errors=True)

    type: Literal["Notification", "SubscriptionConfirmation", "UnsubscribeConfirmation"] = Field(alias="Type")
    topic: str = Field(alias="TopicArn")
    message: str = Field(alias="Message")
    message_id: str = Field(alias="MessageId")
    timestamp: str = Field(alias="Timestamp")
    """As SNS wrote it, because this text is signed."""
    subject: str | None = Field(None, alias="Subject")
    token: str = Field("", alias="Token")
    subscribe_url: str = Field("", alias="SubscribeURL")
    signature_version: Literal["1", "2"] = Field(alias="SignatureVersion")
    signature: str = Field(alias="Signature")
    certificate_url: str = Field(alias="SigningCertURL")

    def signed_text(self) -> bytes:
        names = _NOTIFICATION_FIELDS if self.type == "Notification" else _CONFIRMATION_FIELDS
        values = self.model_dump(by_alias=True)
        lines = [f"{name}\n{values[name]}\n" for name in names if values[name] is not None]
        return "".join(lines).encode()


def verify(body: bytes, received_at: datetime, topics: Sequence[str]) -> None:
    """Check that SNS signed this request for one of our topics, and confirm a subscription to it.

    Raises SignatureRejected, and Unavailable if SNS cannot be asked: SNS sends the request again after a 5xx.
    """
    try:
        envelope = Envelope.model_validate(json_object(body))
        published_at = _TIME.validate_python(envelope.timestamp)
        signature = base64.b64decode(envelope.signature, validate=True)
        signed_text = envelope.signed_text()
    except ValidationError as error:
        reason = f"The request is not an SNS envelope: {Invalid.of(error).summary()}"
        raise SignatureRejected("The request is not an SNS envelope.", reason) from None
    except (Problem, ValueError) as error:
        raise SignatureRejected("The request is not an SNS envelope.") from error
    if envelope.topic not in topics:
        missing = "" if topics else "The secret holds no topics."
        raise SignatureRejected("The topic does not belong to this provider.", missing)
    if abs(received_at - published_at) > TOLERANCE:
        raise SignatureRejected("The request is stale.")
    host = _host(envelope.topic)
    if not re.fullmatch(rf"https://{host}/[A-Za-z0-9_-]+\.pem", envelope.certificate_url):
        raise SignatureRejected("The certificate's URL is not in the topic's region.")
    certificate = _certificate(envelope.certificate_url)
    if not certificate.not_valid_before_utc <= received_at <= certificate.not_valid_after_utc:
        raise SignatureRejected("The certificate is not valid at this time.")
    _check_signature(certificate, envelope.signature_version, signature, signed_text)
    if envelope.type == "SubscriptionConfirmation":
        _confirm(envelope.subscribe_url, host)


def notification(body: bytes, greeting: str = "") -> Notification | None:
    """Read a verified request. None if it is about the subscription, or only holds the greeting that
    the publishing service sends to a new topic.

    Raises Unreadable and Invalid.
    """
    try:
        envelope = Envelope.model_validate(json_object(body))
        if envelope.type != "Notification" or envelope.message == greeting:
            return None
        published_at = _TIME.validate_python(envelope.timestamp)
        return Notification(json_object(envelope.message.encode()), published_at)
    except ValidationError as error:
        raise Invalid.of(error) from None
    except UnicodeEncodeError as error:
        raise Unreadable("The message is not text.") from error


def _host(topic: str) -> str:
    """A pattern for the SNS host of the topic's region.

    It matches this host only: other hosts below amazonaws.com can be buckets, which anyone may name.
    """
    _, partition, _, region, *_ = [*topic.split(":"), "", "", "", ""]
    suffix = ".com.cn" if partition == "aws-cn" else ".com"
    return re.escape(f"sns.{region}.amazonaws{suffix}")


def _certificate(url: str) -> "Certificate":
    try:
        return _fetch_certificate(url)
    except (Misconfigured, PermanentFailure, ValueError) as error:  # 403, 404, or not a PEM file
        raise SignatureRejected("There is no certificate at its URL.") from error
    except Failure as error:
        raise Unavailable("The certificate could not be fetched; try again.") from error


@lru_cache(maxsize=16)
def _fetch_certificate(url: str) -> "Certificate":
    from cryptography.x509 import load_pem_x509_certificate  # 60 ms of a cold start

    return load_pem_x509_certificate(client.get(url, {}, BUDGET).body)


def _check_signature(certificate: "Certificate", version: str, signature: bytes, signed_text: bytes) -> None:
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.padding import PKCS1v15
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
    from cryptography.hazmat.primitives.hashes import SHA1, SHA256

    key = certificate.public_key()
    if not isinstance(key, RSAPublicKey):
        raise SignatureRejected("The certificate does not hold an RSA key.")
    digest = SHA1() if version == "1" else SHA256()  # noqa: S303  # the topic's owner chooses the version
    try:
        key.verify(signature, signed_text, PKCS1v15(), digest)
    except InvalidSignature as error:
        raise SignatureRejected("The request is not signed by SNS.") from error


def _confirm(url: str, host: str) -> None:
    if not re.fullmatch(rf"https://{host}/\?Action=ConfirmSubscription&[!-~]+", url):
        raise SignatureRejected("The subscription's URL is not in the topic's region.")
    try:
        client.get(url, {}, BUDGET)
    except Failure as error:
        raise Unavailable("The subscription could not be confirmed; try again.") from error
