"""Signatures as Mailgun makes them: https://documentation.mailgun.com/docs/mailgun/user-manual/webhooks."""

import hashlib
import hmac
import json
import secrets
from collections.abc import Mapping
from datetime import UTC, datetime
from urllib.parse import urlencode

KEY, OTHER_KEY = "signing-key-1", "signing-key-2"
CREDENTIALS = {"signing_key": KEY}
BOUNDARY = "b4a7c1"
URLENCODED = "application/x-www-form-urlencoded"
MULTIPART = f'multipart/form-data; boundary="{BOUNDARY}"'


def signature(at: datetime | None = None, token: str = "", key: str = KEY) -> dict[str, str]:
    timestamp = str(int((at or datetime.now(UTC)).timestamp()))
    token = token or secrets.token_hex(25)
    signed = hmac.new(key=key.encode(), msg=f"{timestamp}{token}".encode(), digestmod=hashlib.sha256)
    return {"timestamp": timestamp, "token": token, "signature": signed.hexdigest()}


def signed(body: bytes, content_type: str, at: datetime | None = None) -> bytes:
    """The body with a signature inside."""
    if content_type == "application/json":
        return json.dumps({"signature": signature(at), **json.loads(body)}).encode()
    if content_type == URLENCODED:
        return body + b"&" + urlencode(signature(at)).encode()
    return b"".join(part(name, text.encode()) for name, text in signature(at).items()) + body


def part(name: str, content: bytes, more: str = "") -> bytes:
    head = f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{more}\r\n\r\n'
    return head.encode() + content + b"\r\n"


def multipart(fields: Mapping[str, str], files: Mapping[str, tuple[str, str, bytes]]) -> bytes:
    """A form with files. `files`: name, content type and content, by field."""
    parts = [part(name, text.encode()) for name, text in fields.items()]
    for field, (name, kind, content) in files.items():
        parts.append(part(field, content, f'; filename="{name}"\r\nContent-Type: {kind}'))
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()
