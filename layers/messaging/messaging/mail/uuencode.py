"""Decodes files that old mailers write as lines of text between `begin` and `end` (uuencode, POSIX)."""

import binascii
import re
from typing import NamedTuple

from messaging.mail.charset import decode
from messaging.mail.defects import Defect

MAX_NAME = 1000  # bytes

_BEGIN = rb"(?m)^begin [0-7]{3,4} +(?P<name>[^\r\n]{1,%d}+)\r*+\n" % MAX_NAME
_LINES = rb"(?P<lines>(?:[!-`][ -`]*+\r*+\n)++)"
_END = rb"(?:[` ]?\r*+\n)?end[ \t]*+(?:\r*+\n|\Z)"
_FIRST_LINE = re.compile(_BEGIN)
_FILE = re.compile(_BEGIN + _LINES + _END)
_LINE = re.compile(rb"[^\r\n]++")


class UuencodedFile(NamedTuple):
    name: str
    content: bytes


def decode_uuencode(content: bytes, defects: set[Defect]) -> UuencodedFile:
    """Decode a part whose transfer encoding is uuencode. Text around the file is ignored.

    Without the line that begins the file, the content is not changed.
    """
    first_line = _FIRST_LINE.search(content)
    if not first_line:
        defects.add(Defect.UUENCODE_INVALID)
        return UuencodedFile("", content)
    decoded = bytearray()
    end = len(content)
    for line in _LINE.finditer(content, first_line.end()):
        if line[0].rstrip() == b"end":
            end = line.end()
            break
        decoded += _decode_line(line[0], defects)
    else:
        defects.add(Defect.UUENCODE_INVALID)
    if content[: first_line.start()].strip() or content[end:].strip():
        defects.add(Defect.UUENCODE_INVALID)
    return UuencodedFile(_name(first_line), bytes(decoded))


def extract_files(text: bytes, defects: set[Defect]) -> tuple[bytes, list[UuencodedFile]]:
    """Return the text without the files in it, and the files.

    What only looks like a file, such as a list of words between `begin` and `end`, remains text.
    """
    files: list[UuencodedFile] = []
    remaining: list[bytes] = []
    end = 0
    for match in _FILE.finditer(text):
        first = _LINE.match(match["lines"])
        if first and len(first[0]) > _encoded_length(first[0]):
            lines = _LINE.finditer(match["lines"])
            content = b"".join(_decode_line(line[0], defects) for line in lines)
            files.append(UuencodedFile(_name(match), content))
            remaining.append(text[end : match.start()])
            end = match.end()
    return b"".join([*remaining, text[end:]]), files


def _name(match: re.Match[bytes]) -> str:
    return decode(match["name"].strip(), None)


def _length(line: bytes) -> int:
    """Return the number of bytes, for which the first character stands."""
    return (line[0] - 32) % 64


def _encoded_length(line: bytes) -> int:
    """Return the number of characters after the first."""
    return (_length(line) + 2) // 3 * 4


def _decode_line(line: bytes, defects: set[Defect]) -> bytes:
    """Decode a line. Blanks at its end may be missing; characters after its end are ignored.

    The last characters may encode no byte. Some programs fill them with bits of their memory.
    """
    significant = 1 + (_length(line) * 4 + 2) // 3
    try:
        content = binascii.a2b_uu(line[:significant])
    except binascii.Error:
        defects.add(Defect.UUENCODE_INVALID)
        return b""
    if len(line) <= _encoded_length(line):
        defects.add(Defect.UUENCODE_INVALID)
    return content
