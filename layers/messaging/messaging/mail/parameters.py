"""The values and parameters of the Content-Type and Content-Disposition headers, parsed leniently.

Senders omit semicolons and quotes, write comments, and number the pieces of a long parameter (RFC 2231).
https://www.rfc-editor.org/rfc/rfc2045#section-5.1
"""

import re
from collections.abc import Mapping
from typing import NamedTuple
from urllib.parse import unquote, unquote_to_bytes

from messaging.mail.charset import decode

MAX_HEADER = 4000  # characters
MAX_PARAMETERS = 100

_COMMENTS = r"(?:\s*+\([^()]*+\))*+"
_VALUE = re.compile(
    rf"""{_COMMENTS}[\s"']*+((?P<value>[^\s;,:"'()=/]++(?:\s*+/\s*+[^\s;,:"'()=/]++)?+)(?!\s*+=)["']*+)?+{_COMMENTS}"""
)
_PARAMETER = re.compile(
    r"""(?:\A|(?<=[\s;,:)"']))(?P<name>[^\s;,:"'()=*]++)(?:\*(?P<number>[0-9]{1,3}))?+(?P<extended>\*)?+\s*+=\s*+
    (?:"(?P<quoted>(?:[^"\\]++|\\.|"(?!\s*+(?:[;(]|\Z|[\w*-]++\s*+=)))*+)"
      |(?P<bare>(?:[^;\s]++|\s++(?![\w*-]++\s*+=))*+))""",
    re.VERBOSE | re.DOTALL,
)
"""Quotes inside a quoted value do not end it if more text follows. A bare value ends at a semicolon, or
before a blank and the next parameter."""
_ESCAPED = re.compile(r'\\(["\\])')  # not any character: Windows paths contain backslashes
_PERCENT_ENCODED = re.compile(r"(?=[^%]*+%)(?:[^%\s]++|%[0-9A-Fa-f]{2})++")


class HeaderValue(NamedTuple):
    """A header such as `text/plain; charset=utf-8`."""

    value: str
    """In lower case and without white space. Empty if the header begins with a parameter."""
    parameters: Mapping[str, str]
    """By their names in lower case. Of several with the same name, the first."""


class _Piece(NamedTuple):
    text: str
    is_extended: bool
    """Whether the text is percent-encoded, and its charset precedes it in the first piece."""


def parse_header(header: str) -> HeaderValue:
    """Parse at most MAX_HEADER characters and MAX_PARAMETERS parameters of a header.

    An extended parameter (`filename*`) is preferred to a numbered one (`filename*0`), and this to a simple
    one.
    Numbered pieces are joined in the order of their numbers; missing ones are ignored.
    """
    header = header[:MAX_HEADER]
    first = _VALUE.match(header)
    value = (first["value"] or "") if first else ""
    simple: dict[str, str] = {}
    pieces: dict[str, dict[int, _Piece]] = {}
    for count, match in enumerate(_PARAMETER.finditer(header, first.end() if first else 0)):
        if count == MAX_PARAMETERS:
            break
        name = match["name"].lower()
        text = _text(match)
        if match["number"] or match["extended"]:
            number = int(match["number"] or -1)
            pieces.setdefault(name, {}).setdefault(number, _Piece(text, bool(match["extended"])))
        else:
            simple.setdefault(name, text)
    joined = {name: _join(numbered) for name, numbered in pieces.items()}
    parameters = simple | {name: text for name, text in joined.items() if text}
    return HeaderValue("".join(value.split()).lower(), parameters)


def _text(match: re.Match[str]) -> str:
    if match["quoted"] is not None:
        return _ESCAPED.sub(r"\1", match["quoted"])
    text: str = match["bare"].strip()
    return text.strip('"') if text.startswith('"') or text.endswith('"') else text


def _join(pieces: Mapping[int, _Piece]) -> str:
    if -1 in pieces:  # a parameter without a number
        pieces = {-1: pieces[-1]}
    charset = None
    content = b""
    for position, number in enumerate(sorted(pieces)):
        text, is_extended = pieces[number]
        if position == 0 and is_extended and text.count("'") >= 2:
            charset, _, text = text.split("'", 2)
        content += unquote_to_bytes(text) if is_extended else text.encode(errors="replace")
    return decode(content, charset)


def file_name(disposition: HeaderValue, content_type: HeaderValue) -> str:
    """Return the file's name, which may contain encoded words and folders, or an empty string.

    The Content-Disposition header is preferred. Some senders percent-encode a name without saying so.
    """
    name = disposition.parameters.get("filename") or content_type.parameters.get("name") or ""
    if len(name) > 1 and name[0] == name[-1] == "'":
        name = name[1:-1]
    if _PERCENT_ENCODED.fullmatch(name):
        decoded = unquote(name, errors="replace")
        if decoded.isprintable() and "\ufffd" not in decoded:
            return decoded
    return name
