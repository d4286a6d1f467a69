"""Recognises text that a vendor sends in base64 without saying so.

https://github.com/nyaruka/rapidpro/pull/1187
"""

import re
from base64 import b64decode
from codecs import getincrementaldecoder

MIN_LENGTH = 60
"""Characters from which a text may be in base64. Below, a word could be base64 by accident."""

_LINES = re.compile(r"(?:[A-Za-z0-9+/]++={0,2}+\r?\n?)++")
_NOT_TEXT = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\ue000-\uf8ff\ufffd]")


def decode_base64_text(text: str) -> str | None:
    """Return the decoded text, or None if `text` is not base64 or its bytes are not text.

    Nothing but base64 may be in it, and the bytes must be UTF-8 without control characters, with blanks or
    letters beyond ASCII: 45 random bytes, such as those of a key, are that with a probability below 10^-15.
    The end may be cut: a character that is incomplete is left out.
    """
    text = text.strip()
    if len(text) < MIN_LENGTH or not _LINES.fullmatch(text):
        return None
    encoded = "".join(text.split())
    try:
        content = b64decode(encoded + "=" * (-len(encoded) % 4), validate=True)
        decoded = getincrementaldecoder("utf-8")().decode(content)
    except ValueError:
        return None
    has_words = not decoded.isascii() or len(decoded.split()) > 1
    return decoded if has_words and not _NOT_TEXT.search(decoded) else None
