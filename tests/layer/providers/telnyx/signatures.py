"""Signatures as Telnyx makes them, by PyNaCl: https://github.com/team-telnyx/telnyx-python."""

from base64 import b64encode
from datetime import UTC, datetime

from nacl.signing import SigningKey

_KEY = SigningKey(bytes(range(32)))
PUBLIC_KEY = b64encode(bytes(_KEY.verify_key)).decode()
OTHER_PUBLIC_KEY = b64encode(bytes(SigningKey(b"\7" * 32).verify_key)).decode()
CREDENTIALS = {"public_key": PUBLIC_KEY}


def headers(body: bytes, at: datetime | None = None) -> dict[str, str]:
    time = str(int((at or datetime.now(UTC)).timestamp()))
    signature = _KEY.sign(f"{time}|".encode() + body).signature
    return {"telnyx-timestamp": time, "telnyx-signature-ed25519": b64encode(signature).decode()}
