"""Decodes the transfer encodings of parts and encoded words. Decoding never fails, but it can lose bytes.

https://www.rfc-editor.org/rfc/rfc2045#section-6
"""

import base64
import quopri
from string import ascii_letters, digits

from messaging.mail.defects import Defect

_BASE64 = (ascii_letters + digits + "+/").encode()
_NOT_BASE64 = bytes({*range(256)} - {*_BASE64})
_BASE64_LAYOUT = _BASE64 + b"= \t\r\n"


def decode_transfer(content: bytes, encoding: str, defects: set[Defect]) -> bytes:
    """Return the decoded content of a part, and add what is lost to `defects`."""
    match encoding.lower():
        case "base64":
            if not _is_base64(content):
                defects.add(Defect.BASE64_INVALID)
            return decode_base64(content)
        case "quoted-printable":
            return quopri.decodestring(content)
    return content


def decode_base64(content: bytes) -> bytes:
    """Decode base64 leniently: other characters, missing padding and an incomplete last byte are ignored."""
    characters = content.translate(None, _NOT_BASE64)
    if len(characters) % 4 == 1:  # six bits, which are not a byte
        characters = characters[:-1]
    return base64.b64decode(characters + b"=" * (-len(characters) % 4))


def _is_base64(content: bytes) -> bool:
    """Whether the content has only characters of base64 and white space, and whole bytes."""
    return not content.translate(None, _BASE64_LAYOUT) and len(content.translate(None, _NOT_BASE64)) % 4 != 1
