"""Signatures as SendGrid makes them, with a key made here, checked against SendGrid's own library."""

import base64
from collections.abc import Mapping
from datetime import UTC, datetime

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP256R1, EllipticCurvePrivateKey
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as generate
from cryptography.hazmat.primitives.asymmetric.types import PublicKeyTypes
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

SIGNATURE = "x-twilio-email-event-webhook-signature"
TIMESTAMP = "x-twilio-email-event-webhook-timestamp"


def shown(key: PublicKeyTypes) -> str:
    """The public key as the console shows it."""
    return base64.b64encode(key.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)).decode()


KEY, OTHER_KEY = generate(SECP256R1()), generate(SECP256R1())
PUBLIC_KEY, OTHER_PUBLIC_KEY = shown(KEY.public_key()), shown(OTHER_KEY.public_key())
CREDENTIALS = {"public_key": PUBLIC_KEY}


def headers(body: bytes, at: datetime | None = None, key: EllipticCurvePrivateKey = KEY) -> Mapping[str, str]:
    seconds = str(int((at or datetime.now(UTC)).timestamp()))
    signature = key.sign(seconds.encode() + body, ECDSA(SHA256()))
    return {TIMESTAMP: seconds, SIGNATURE: base64.b64encode(signature).decode()}
