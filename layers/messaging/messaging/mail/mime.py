"""Headers and file names of mails (RFC 5322, MIME), parsed within limits.

Nothing here uses the standard library's parser of whole mails. It recurses as deep as a mail is nested,
compares every line with every boundary, and raises on malformed headers.
https://www.rfc-editor.org/rfc/rfc2045
"""

import mimetypes
import re
from collections.abc import Mapping, Sequence

from messaging.fields import clean_text
from messaging.mail.charset import decode, decode_header
from messaging.models import File
from messaging.problems import Unreadable

MAX_HEADERS = 10_000
"""Headers of a mail, with those of its parts."""
MAX_HEAD = 2**20
"""Bytes of one block of headers. Postfix accepts 102,400 bytes, Exim 1 MiB."""
MAX_NAME = 255  # characters of a file's name or type
MAX_EXTENSION = 20  # characters that are kept if a file's name is shortened

Bytes = bytes | memoryview

Headers = Mapping[str, Sequence[str]]
"""The values of each header, by its name in lower case. They are unfolded; encoded words are not decoded."""

_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_MEDIA_TYPE = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_CONTROL_CHARACTERS = re.compile(r"[\x00-\x1f\x7f]+")


def split_head(raw: Bytes) -> tuple[Headers, memoryview]:
    """Return the headers of a mail or of a part, and the content after them.

    If the headers do not end within MAX_HEAD, the mail has no headers and everything is content.
    Raises Unreadable if there are more than MAX_HEADERS.
    """
    raw = memoryview(raw)  # slices of a memoryview are no copies, which matters for parts inside parts
    end = _HEAD_END.search(raw, 0, MAX_HEAD)
    if end:
        return parse_headers(bytes(raw[: end.start()])), raw[end.end() :]
    if len(raw) <= MAX_HEAD:
        return parse_headers(bytes(raw)), raw[len(raw) :]
    return {}, raw


def parse_headers(block: bytes) -> Headers:
    """Parse a block of headers. Lines without a colon are ignored.

    Raises Unreadable if there are more than MAX_HEADERS.
    """
    unfolded = _FOLD.sub(b" ", block)
    check_header_count(unfolded.count(b"\n"))
    headers: dict[str, list[str]] = {}
    for line in unfolded.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            values = headers.setdefault(decode(name, None).strip().lower(), [])
            values.append(decode(value, None).strip())
    return headers


def count_headers(headers: Headers) -> int:
    return sum(len(values) for values in headers.values())


def check_header_count(count: int) -> None:
    """Raises Unreadable if there are more than MAX_HEADERS."""
    if count > MAX_HEADERS:
        raise Unreadable(f"The mail has more than {MAX_HEADERS} headers.")


def first_header(headers: Headers, name: str) -> str:
    """Return the first value of a header, or an empty string if there is none."""
    values = headers.get(name)
    return values[0] if values else ""


def make_file(name: str | None, content_type: str, content: bytes) -> File:
    """Return a file with the sender's name for it, without folders, or with a name that fits its type."""
    media_type = content_type.partition(";")[0].strip().lower()
    if not _MEDIA_TYPE.fullmatch(media_type) or len(media_type) > MAX_NAME:
        media_type = "application/octet-stream"
    file_name = _file_name(name or "") or f"attachment{mimetypes.guess_extension(media_type) or ''}"
    return File(name=file_name, content_type=media_type, content=content)


def _file_name(text: str) -> str:
    path = _CONTROL_CHARACTERS.sub(" ", clean_text(decode_header(text))).replace("\\", "/")
    name = path.rpartition("/")[2].strip()
    if len(name) <= MAX_NAME:
        return name
    stem, dot, extension = name.rpartition(".")
    if len(extension) >= MAX_EXTENSION:
        return name[:MAX_NAME]
    extension = dot + extension
    return stem[: MAX_NAME - len(extension)] + extension
