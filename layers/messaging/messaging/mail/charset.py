"""Decodes the bytes of mails and forms in any charset. Decoding never fails, but it can lose characters.

The label of a charset is often wrong: programs copy it from a template, and gateways convert a text without
its label. So the content decides if it contradicts its label.
"""

import codecs
import re
from collections.abc import Iterable
from typing import NamedTuple

from messaging.fields import clean_text
from messaging.mail import decoders
from messaging.mail.charset_guess import guess_encoding
from messaging.mail.charset_labels import ASCII, find_encoding
from messaging.mail.decoders import REPLACEMENT
from messaging.mail.defects import Defect

MAX_HTML_HEAD = 4096  # bytes in which HTML declares its charset

_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_LE, "utf-32le"),  # begins with the mark of UTF-16
    (codecs.BOM_UTF32_BE, "utf-32be"),
    (codecs.BOM_UTF16_LE, "utf-16le"),
    (codecs.BOM_UTF16_BE, "utf-16be"),
)
_NOT_LIKE_UTF_8 = {
    "iso-2022-jp",
    "iso-8859-15",
    "iso-8859-2",
    "koi8-r",
    "koi8-u",
    "macintosh",
    "utf-16be",
    "utf-16le",
    "windows-1250",
    "windows-1251",
    "windows-1252",
    "windows-1254",
}
"""Encodings in which nobody writes a text that is also valid UTF-8, such as `\u00c3\u00bc` in windows-1252.

Others have such texts: a word in Thai (`\u0e40\u0e02\u0e15`), or two characters in Chinese.
"""
_NOT_ASCII = bytes(range(0x80, 0x100))
_SEVEN_BIT = {"hz", "iso-2022-jp", "iso-2022-kr", "utf-7"}
_MISTAKEN_FOR = {
    "big5": ("gbk",),
    "euc-jp": ("shift_jis",),
    "euc-kr": ("johab",),
    "gbk": ("big5",),
}
"""Other encodings of the language, which senders use under the label of the first."""

_ESCAPE = re.compile(rb"\x1b\$(?:[@B]|(\)C))")
"""Selects Japanese characters in ISO-2022-JP, or Korean ones in ISO-2022-KR."""
_CONTROL = re.compile(rb"[^\t\r\n -~]")
_COMMENT = re.compile(rb"(?s)<!--.*?(?:-->|\Z)")
_HTML_CHARSET = re.compile(
    rb"(?i)\A\s*<\?xml\s[^>]{0,200}?encoding\s*=\s*[\"']([^\"'>]{1,60})"
    rb"|<meta\s[^>]{0,500}?charset\s*=\s*[\"']?\s*([^\s\"'>;/]{1,60})"
)


def decode(
    content: bytes, charset: str | None, defects: set[Defect] | None = None, hint: str | None = None
) -> str:
    """Return the text without NULs. What cannot be decoded becomes a replacement character.

    `charset` is the label that the sender declares. `hint` is a label to try if the content has no label or
    contradicts it, such as that of the mail's text for its headers. What was guessed or lost is added to
    `defects`.

    A content without a label that is valid UTF-8 is UTF-8. A byte order mark overrides the label.
    """
    declared = find_encoding(charset)
    decoded = _decode(content, declared, find_encoding(hint))
    if defects is not None:
        _add_defects(defects, content, charset, declared, decoded)
    return clean_text(decoded.text)


def decode_html(content: bytes, charset: str | None, defects: set[Defect] | None = None) -> str:
    """Return the text of HTML. `charset` is the label of its part.

    HTML can have a label of its own. As in browsers, that of the part is tried first: a program that converts
    a text changes the label of the part, but not the HTML.
    """
    own_charset = _html_charset(content)
    return decode(content, charset or own_charset, defects, own_charset)


def _html_charset(content: bytes) -> str | None:
    match = _HTML_CHARSET.search(_COMMENT.sub(b"", content[:MAX_HTML_HEAD]))
    if match is None:
        return None
    label = (match[1] or match[2]).decode("ascii", "replace")
    # A label that can be read as ASCII is not in UTF-16.
    return "utf-8" if (find_encoding(label) or "").startswith("utf-16") else label


class _Decoded(NamedTuple):
    text: str
    encoding: str | None
    """The encoding that the content is in."""


def _add_defects(
    defects: set[Defect], content: bytes, charset: str | None, declared: str | None, decoded: _Decoded
) -> None:
    if decoded.text.count(REPLACEMENT) > content.count(REPLACEMENT.encode()):
        defects.add(Defect.CHARACTERS_REPLACED)
    if decoded.encoding == declared:
        return
    if declared:
        defects.add(Defect.CHARSET_CONTRADICTED)
    elif charset:
        defects.add(Defect.CHARSET_UNKNOWN)
    elif decoded.encoding != "utf-8":
        defects.add(Defect.CHARSET_GUESSED)


def _decode(content: bytes, declared: str | None, hint: str | None) -> _Decoded:
    for mark, encoding in _BYTE_ORDER_MARKS:
        if content.startswith(mark):
            marked = decoders.decode(content[len(mark) :], encoding)
            is_declared = declared and encoding.startswith(declared.removesuffix("le").removesuffix("be"))
            return _Decoded(marked, declared if is_declared else encoding)
    if content.isascii():
        return _decode_ascii(content, declared)
    if declared in (None, ASCII, "utf-8"):
        text = _decode_utf_8(content, is_declared=declared == "utf-8")
        if text is not None:
            return _Decoded(text, "utf-8")
        guess = guess_encoding(content)
        return _first_complete(content, [hint, guess]) or _decode_as(guess, content)
    preferred = ["utf-8", declared] if declared in _NOT_LIKE_UTF_8 else [declared, "utf-8"]
    encodings = [*preferred, *_MISTAKEN_FOR.get(declared, ()), hint]
    return _first_complete(content, encodings) or _decode_as(declared, content)


def _first_complete(content: bytes, encodings: Iterable[str | None]) -> _Decoded | None:
    """Decode from the first of the encodings in which all bytes are characters. None if there is none."""
    for encoding in encodings:
        if encoding and encoding != ASCII:
            decoded = _decode_as(encoding, content)
            if REPLACEMENT not in decoded.text:
                return decoded
    return None


def _decode_as(encoding: str, content: bytes) -> _Decoded:
    return _Decoded(decoders.decode(content, encoding), encoding)


def _decode_ascii(content: bytes, declared: str | None) -> _Decoded:
    """Decode bytes without the eighth bit, which most encodings read as ASCII."""
    escape = _ESCAPE.search(content)
    if escape and declared not in _SEVEN_BIT:
        return _decode_as("iso-2022-kr" if escape[1] else "iso-2022-jp", content)
    if declared in _SEVEN_BIT:
        return _decode_as(declared, content)
    if declared and declared.startswith(("utf-16", "utf-32")):
        return _decode_as(declared if _CONTROL.search(content) else ASCII, content)
    return _Decoded(content.decode("ascii"), declared)


def _decode_utf_8(content: bytes, *, is_declared: bool) -> str | None:
    """Return the text, in which some characters can be replaced, or None if the content is not UTF-8."""
    try:
        return content.decode()
    except UnicodeDecodeError as error:
        is_cut = error.end == len(content) and (error.end - error.start > 1 or content[error.start] < 0xE0)
    text = content.decode(errors="replace")
    replaced = text.count(REPLACEMENT)
    decoded = len(text) - replaced - len(content.translate(None, _NOT_ASCII))
    if decoded >= replaced:  # a single character that was cut is not a reason for another encoding
        return text
    return text if is_declared and is_cut and replaced == 1 else None
