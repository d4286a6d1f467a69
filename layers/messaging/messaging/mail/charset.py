"""Decodes the bytes of mails and forms in any charset. Decoding never fails, but it can lose characters."""

import codecs
import quopri
import re
from encodings import __path__ as codec_folder
from encodings import normalize_encoding
from encodings.aliases import aliases
from functools import cache
from pkgutil import iter_modules

from messaging.fields import clean_text
from messaging.mail.transfer_encoding import decode_base64

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
"""Browsers and mail readers decode these charsets as their supersets, because senders confuse them."""
_NOT_CHARSETS = {
    "ascii",
    "idna",
    "mbcs",
    "oem",
    "punycode",
    "raw-unicode-escape",
    "undefined",
    "unicode-escape",
}
"""Python's codecs that no mail uses, and ASCII: mails that declare it often contain other characters."""

_AFFIXES = re.compile(r"^[\s'\"]*(?:x-)?|(?:-i)?[\s'\"]*$")
"""What can surround the name of a charset: quotes, as in x-sjis, or as in iso-8859-8-i."""

_ENCODED_WORD = re.compile(r"=\?([^?\s*]{1,40})(?:\*[^?\s]{0,40})?\?([bBqQ])\?([^?]*)\?=")
_ENCODED_WORDS = re.compile(rf"{_ENCODED_WORD.pattern}(?:\s+{_ENCODED_WORD.pattern})*")


def decode(content: bytes, charset: str | None) -> str:
    """Return the text. What the charset cannot decode becomes a replacement character.

    Without a charset, or with an unknown one, the content is decoded as UTF-8 if it is valid, else as
    windows-1252.
    """
    codec = _codec(charset)
    try:
        return clean_text(content.decode(codec or "utf-8"))
    except UnicodeError:
        return clean_text(content.decode(codec or "cp1252", errors="replace"))


def _codec(charset: str | None) -> str | None:
    """Return the name of Python's codec for a charset, or None if there is none."""
    if not charset or len(charset) > 40:
        return None
    charset = _AFFIXES.sub("", charset.lower())
    if normalize_encoding(charset).replace(".", "_") not in _codec_names():
        return None
    try:
        name = codecs.lookup(charset).name
        "".encode(name)  # raises LookupError for a codec that is not a text encoding, such as hex
    except (LookupError, ValueError):
        return None
    if name in _NOT_CHARSETS:
        return None
    return _SUPERSETS.get(name, name)


@cache
def _codec_names() -> frozenset[str]:
    """Return the names that may be looked up. Python would search the disk for others, and cache them."""
    return frozenset({*aliases, *(module.name for module in iter_modules(codec_folder))})


def decode_header(header: str) -> str:
    """Return the header's value with its encoded words (RFC 2047) decoded.

    Malformed words, and everything after MAX_HEADER characters, are not changed.
    """
    decoded = _ENCODED_WORDS.sub(lambda match: _decode_words(match[0]), header[:MAX_HEADER])
    return decoded + header[MAX_HEADER:]


def _decode_words(encoded: str) -> str:
    """Decode adjacent encoded words.

    A sender may split a character between two words. So the bytes of words with the same charset are joined
    before they are decoded.
    """
    runs: list[tuple[str, bytes]] = []  # charset and content
    for charset, encoding, text in _ENCODED_WORD.findall(encoded):
        if encoding in "bB":
            content = decode_base64(text.encode())
        else:
            content = quopri.decodestring(text.encode(), header=True)
        if runs and runs[-1][0] == charset.lower():
            _, previous = runs.pop()
            content = previous + content
        runs.append((charset.lower(), content))
    return "".join(decode(content, charset) for charset, content in runs)
