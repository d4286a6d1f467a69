"""Decodes the transfer encodings of parts and encoded words. Decoding never fails, but it can lose bytes.

https://www.rfc-editor.org/rfc/rfc2045#section-6
"""

import binascii
import re
from enum import StrEnum
from string import ascii_letters, digits

from messaging.mail.defects import Defect

MIN_BASE64_LINE = 40
"""Characters of a line that is base64, and not a word of a text."""
MAX_ODD_SHARE = 1 / 8
"""The share of blanks and characters outside base64's alphabet, from which on the content is not base64."""
MAX_ODD_SHARE_IF_UNLIKELY = 1 / 25
"""The same if nothing else speaks for base64."""

_BASE64 = (ascii_letters + digits + "+/").encode()
_BLANKS = b" \t\r\n\f\v\0"
_NOT_BASE64 = bytes({*range(256)} - {*_BASE64, *b"="})
_FROM_URL_SAFE = bytes.maketrans(b"-_", b"+/")  # RFC 4648, section 5
_BASE64_LINES = re.compile(rb"(?:\s*+[A-Za-z0-9+/]++={0,2}[ \t]*+(?=[\r\n]|\Z))++\s*+")
_BASE64_RUN = re.compile(rb"[A-Za-z0-9+/]{%d}" % MIN_BASE64_LINE)
_LONG_BASE64_LINE = re.compile(rb"(?m)^[A-Za-z0-9+/]{%d,}+=*+[ \t\r]*+$" % MIN_BASE64_LINE)
_TWO_BASE64_LINES = re.compile(rb"[A-Za-z0-9+/]{%d,80}+\r*+\n[A-Za-z0-9+/]" % MIN_BASE64_LINE)
_NOTE_LINE = re.compile(rb"[ \t]*+(?:[^\s]++[ \t]++[^\s]|[^A-Za-z0-9\s]++[ \t]*+(?:[\r\n]|\Z))")
"""A line with several words, or only of punctuation."""
_BLANK_INSIDE = re.compile(rb"(?<=[^\s])[ \t]++(?=[^\s])")
_WORDS = re.compile(rb"(?:[A-Z]?[a-z_-]*+|[A-Z]++|[0-9]++)(?:\s++(?:[A-Z]?[a-z_-]++|[A-Z]++|[0-9]++))*+\s*+")
_CHUNK = re.compile(rb"[^=]++")
_INCOMPLETE_CHUNK = re.compile(rb"(?:\A|=)(?:[^=]{4})*+[^=](?:=|\Z)")
"""Characters of base64 that end with six bits, which are not a byte."""
_CONTROL_CHARACTERS = bytes({*range(32)} - {*b"\t\n\f\r\x1b"})

_SOFT_LINE_BREAK = re.compile(rb"=[ \t]*+(?:\r*+\n|\Z)")
_ESCAPE = re.compile(rb"=[0-9A-Fa-f]{2}")
_LONE_EQUALS_SIGN = re.compile(rb"=(?![0-9A-Fa-f]{2})")


class Encoding(StrEnum):
    IDENTITY = "identity"
    BASE64 = "base64"
    QUOTED_PRINTABLE = "quoted-printable"
    UUENCODE = "uuencode"


def decode_transfer(
    content: bytes, encoding: Encoding, defects: set[Defect], *, is_text_in_utf8: bool = False
) -> bytes:
    """Return the decoded content of a part, and add what is guessed or lost to `defects`.

    Content that is clearly not in its declared encoding is returned as it is, or decoded from the encoding
    that it has. What should be text in UTF-8 shows by its bytes whether it is decoded correctly.
    """
    if encoding is Encoding.BASE64:
        return _decode_base64_part(content, defects, is_text_in_utf8=is_text_in_utf8)
    if encoding is Encoding.QUOTED_PRINTABLE:
        return _decode_quoted_printable_part(content, defects, is_text_in_utf8=is_text_in_utf8)
    return content


def decode_base64(content: bytes) -> bytes:
    """Decode base64 leniently: other characters, missing padding and incomplete bytes are ignored.

    Several texts, each with its padding, are joined.
    """
    characters = content.translate(None, _NOT_BASE64).rstrip(b"=")
    if b"=" not in characters:
        return _decode_chunk(characters)
    decoded = bytearray()  # a list of chunks would need more memory
    for chunk in _CHUNK.finditer(characters):
        decoded += _decode_chunk(chunk[0])
    return bytes(decoded)


def _decode_chunk(characters: bytes) -> bytes:
    if len(characters) % 4 == 1:  # six bits, which are not a byte
        characters = characters[:-1]
    return binascii.a2b_base64(characters + b"=" * (-len(characters) % 4))


def _decode_base64_part(content: bytes, defects: set[Defect], *, is_text_in_utf8: bool) -> bytes:
    odd = content.translate(None, _BASE64 + b"=" + _BLANKS)
    is_for_urls = bool(odd) and not odd.strip(b"-_") and not {*b"+/"} & {*content}
    has_words = bool(_BLANK_INSIDE.search(content))
    data = _without_notes(content, is_text_in_utf8=is_text_in_utf8) if odd or has_words else content
    odd_count = 0 if is_for_urls else len(odd)
    if len(data) == len(content) and _is_plain(
        content, odd_count, has_words=has_words, is_text_in_utf8=is_text_in_utf8
    ):
        defects.add(Defect.TRANSFER_ENCODING_WRONG)
        return decode_quoted_printable(content) if _ESCAPE.search(content) else content
    if is_for_urls:
        data = data.translate(_FROM_URL_SAFE)
    if odd or len(data) < len(content) or _INCOMPLETE_CHUNK.search(data.translate(None, _NOT_BASE64)):
        defects.add(Defect.BASE64_INVALID)
    return decode_base64(data)


def _without_notes(content: bytes, *, is_text_in_utf8: bool) -> bytes:
    """Return the lines of base64 without the lines that a mailing list or a virus scanner has added."""
    first_line = _LONG_BASE64_LINE.search(content)
    if first_line and _NOTE_LINE.match(content.lstrip()):
        content = content[first_line.start() :]
    lines = _BASE64_LINES.match(content)
    if not lines or _LONG_BASE64_LINE.search(content, lines.end()):
        return content
    data = lines[0].rstrip()
    is_complete = data.endswith(b"=")
    if not is_complete and not _NOTE_LINE.match(content, lines.end()):
        return content
    if is_text_in_utf8:
        is_data = _is_text(decode_base64(data))
    else:
        is_data = is_complete or len(data) >= MIN_BASE64_LINE
    return data if is_data else content


def _is_plain(content: bytes, odd_count: int, *, has_words: bool, is_text_in_utf8: bool) -> bool:
    """Whether the content is not base64, though it is declared so.

    Evidence for base64 is a number of characters that encodes whole bytes, and a run of many of them.
    """
    count = len(content.translate(None, _NOT_BASE64))
    is_likely = count % 4 == 0 or bool(_BASE64_RUN.search(content))
    blank_count = content.count(b" ") + content.count(b"\t") if has_words else 0
    odd_share = (odd_count + blank_count) / max(1, len(content.strip())) if odd_count else 0
    if odd_share >= (MAX_ODD_SHARE if is_likely else MAX_ODD_SHARE_IF_UNLIKELY):
        return True
    looks_like_text = has_words or odd_count or _WORDS.fullmatch(content)
    if not looks_like_text or _BASE64_RUN.search(content):
        return False
    if not is_likely and b"=" not in content:
        return True
    return is_text_in_utf8 and not _is_text(decode_base64(content))


def _is_text(content: bytes) -> bool:
    """Whether the content is UTF-8 without control characters."""
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return len(content.translate(None, _CONTROL_CHARACTERS)) == len(content)


def _decode_quoted_printable_part(content: bytes, defects: set[Defect], *, is_text_in_utf8: bool) -> bytes:
    if looks_like_base64(content):
        decoded = decode_base64(content)
        if not is_text_in_utf8 or _is_text(decoded):
            defects.add(Defect.TRANSFER_ENCODING_WRONG)
            return decoded
    content = _SOFT_LINE_BREAK.sub(b"", content)
    if _LONE_EQUALS_SIGN.search(content):
        defects.add(Defect.QUOTED_PRINTABLE_INVALID)
    return decode_quoted_printable(content)


def looks_like_base64(content: bytes) -> bool:
    """Whether the content is base64 with padding, or has several long lines. It can still be a text."""
    lines = content.strip()
    is_padded = lines.endswith(b"=")
    if not is_padded and not _TWO_BASE64_LINES.match(lines):
        return False
    characters = lines.translate(None, _BLANKS)
    return (
        len(characters) % 4 == 0
        and b"=" not in characters.rstrip(b"=")
        and not characters.translate(None, _BASE64 + b"=")
    )


def decode_quoted_printable(content: bytes) -> bytes:
    """Decode quoted-printable leniently.

    Blanks after a soft line break are ignored, and an equals sign without two digits is not changed.
    """
    content = _SOFT_LINE_BREAK.sub(b"", content)
    for pair, escaped in ((b"==", b"=3D="), (b"==", b"=3D="), (b"=\r", b"=3D\r")):
        content = content.replace(pair, escaped)  # else binascii would omit a character
    return binascii.a2b_qp(content)
