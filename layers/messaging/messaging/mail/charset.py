"""Text out of the bytes of mails and forms, in whatever charset: always read, if not always well."""

import base64
import codecs
import quopri
import re
from encodings import __path__ as codec_folder
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import cache
from pkgutil import iter_modules
from string import ascii_letters, digits

from messaging.fields import clean_text

MAX_HEADER = 20_000  # characters

_SUPERSETS = {
    "euc_kr": "cp949",
    "gb2312": "gb18030",
    "gbk": "gb18030",
    "iso2022_jp": "iso2022_jp_ext",
    "iso8859-1": "cp1252",
    "iso8859-9": "cp1254",
    "shift_jis": "cp932",
}
"""What is meant where the smaller one is named, as browsers and mail readers have it."""
_NO_CHARSETS = {
    "ascii",
    "idna",
    "mbcs",
    "oem",
    "punycode",
    "raw-unicode-escape",
    "undefined",
    "unicode-escape",
}
"""Codecs of Python's that no mail is written in; what is said to be ASCII often is not."""

_WRITTEN = re.compile(r"^[\s'\"]*(?:x-)?|(?:-i)?[\s'\"]*$")
"""Around a charset's name: x-sjis is one, and so is iso-8859-8-i, in the order of its reader."""

_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*)\?=")
_WORDS = re.compile(rf"{_WORD.pattern}(?:\s+{_WORD.pattern})*")
_NO_BASE64 = bytes({*range(256)} - {*(ascii_letters + digits + "+/").encode()})


def decode(content: bytes, charset: str | None) -> str:
    """Without a charset, or with one that nobody knows: UTF-8 where it is that, else windows-1252. What the
    charset does not have becomes a replacement character."""
    codec = _codec(charset)
    try:
        return clean_text(content.decode(codec or "utf-8"))
    except UnicodeError:
        return clean_text(content.decode(codec or "cp1252", errors="replace"))


def _codec(charset: str | None) -> str | None:
    if not charset or len(charset) > 40:
        return None
    wanted = _WRITTEN.sub("", charset.lower())
    if normalize_encoding(wanted).replace(".", "_") not in _known():
        return None
    try:
        name = codecs.lookup(wanted).name
        "".encode(name)  # refused by a codec of something else than text
    except (LookupError, ValueError):
        return None
    return None if name in _NO_CHARSETS else _SUPERSETS.get(name, name)


@cache
def _known() -> frozenset[str]:
    """All that may be looked up: of others Python keeps each for ever, once it was looked for on the disk."""
    return frozenset({*aliases, *(module.name for module in iter_modules(codec_folder))})


def decode_header(header: str) -> str:
    """A header's value with its encoded words (RFC 2047) decoded; what is not well-formed, or stands past the
    length that a header has, stays."""
    return _WORDS.sub(lambda run: _run(run[0]), header[:MAX_HEADER]) + header[MAX_HEADER:]


def _run(run: str) -> str:
    """Adjacent words. A character may be cut in two between words of one charset."""
    decoded: list[tuple[str, bytes]] = []
    for charset, encoding, text in _WORD.findall(run):
        content = (
            decode_base64(text.encode())
            if encoding in "bB"
            else quopri.decodestring(text.encode(), header=True)
        )
        if decoded and decoded[-1][0] == charset.lower():
            content = decoded.pop()[1] + content
        decoded.append((charset.lower(), content))
    return "".join(decode(content, charset) for charset, content in decoded)


def decode_base64(content: bytes) -> bytes:
    """As much as it holds: without what is not of its alphabet, whether it was padded or not."""
    held = content.translate(None, _NO_BASE64)
    if len(held) % 4 == 1:
        held = held[:-1]
    return base64.b64decode(held + b"=" * (-len(held) % 4))
