"""Parses the forms that carry a mail: multipart/form-data (RFC 7578), or urlencoded.

Vendors do not sign the Content-Type of a request: whoever has captured a signed request can send it again
with another one. So only the body decides how it is read. A body is multipart if its first line is `--` and
a boundary; the declared boundary is ignored. https://www.rfc-editor.org/rfc/rfc7578
"""

import re
from collections.abc import Iterator, Sequence
from typing import NamedTuple

from messaging.mail.charset import decode
from messaging.mail.mime import Headers, first_header, split_head
from messaging.mail.parameters import file_name, parse_header
from messaging.problems import Unreadable
from messaging.transport.payload import MAX_FIELDS, urlencoded_bytes

MAX_HEAD = 16_384
"""Bytes of the headers of a part."""
MAX_HEAD_LINES = 2 * MAX_FIELDS
"""Lines of the headers of all parts, with the empty ones. Vendors write two or three for each part."""

_FIRST_LINE = re.compile(rb"\s*+--(?P<boundary>[^\r\n]{1,200}?)[ \t]*+(?P<line_break>\r?\n)")

_HEAD = re.compile(rb"(?s).{0,%d}?(?:\A|\n)\r?\n" % MAX_HEAD)
"""The headers of a part with the empty line after them. Without it, the part has no headers."""


class Field(NamedTuple):
    """One field of a form. The content is bytes, because a vendor may send each field in another charset."""

    name: str
    content: bytes
    filename: str | None = None
    """None if the field is not a file. A part without a name is a file."""
    content_type: str = "text/plain"
    charset: str | None = None
    """As the part declares it."""
    has_extended_name: bool = False
    """Whether the filename was written as `filename*`, which can have all characters."""


def is_json(body: bytes) -> bool:
    """Whether a body is JSON and not a form."""
    return body.lstrip()[:1] in (b"{", b"[")


def parse_form(body: bytes) -> Sequence[Field]:
    """Return the fields of a form in their order.

    Raises Unreadable if it has more than MAX_FIELDS, or its parts more than MAX_HEAD_LINES. Nothing else is
    an error: parts without a name, lines that end with LF, a missing end, and bytes of any charset in names
    are read.
    """
    first_line = _FIRST_LINE.match(body)
    if first_line is None:
        return [Field(decode(name, None), content) for name, content in urlencoded_bytes(body)]
    fields: list[Field] = []
    head_lines = 0
    for part in _parts(body, first_line):
        if len(fields) == MAX_FIELDS:
            raise Unreadable(f"The body has more than {MAX_FIELDS} fields.")
        head = _HEAD.match(part)
        head_lines += head[0].count(b"\n") if head else 0
        if head_lines > MAX_HEAD_LINES:
            raise Unreadable(f"The parts of the body have more than {MAX_HEAD_LINES} lines of headers.")
        fields.append(_field(*split_head(part, set()) if head else ({}, part)))
    return fields


def _parts(body: bytes, first_line: re.Match[bytes]) -> Iterator[memoryview]:
    """Yield the parts, byte for byte: the line break before a boundary belongs to the boundary."""
    line = re.compile(
        rb"\n--%s(?:(?P<closing>--)|[ \t]*+(?=(?P<end>\r?\n))|-?\Z)" % re.escape(first_line["boundary"])
    )
    view = memoryview(body)
    start = first_line.end()
    for boundary in line.finditer(body, start - 1):
        end = boundary.start()
        if end >= start:
            is_crlf = first_line["line_break"] == b"\r\n" and body[end - 1 : end] == b"\r"
            yield view[start : end - is_crlf]
        if boundary["closing"]:
            return
        start = boundary.end("end") if boundary["end"] else len(body)
    if start < len(body):
        yield view[start:]


def _field(headers: Headers, content: memoryview) -> Field:
    disposition_header = first_header(headers, "content-disposition")
    disposition = parse_header(disposition_header)
    content_type = parse_header(first_header(headers, "content-type"))
    name = disposition.parameters.get("name", "")
    is_file = not name or "filename" in disposition.parameters or "name" in content_type.parameters
    filename = file_name(disposition, content_type) if is_file else None
    return Field(
        name=name,
        content=bytes(content),
        filename=filename,
        content_type=content_type.value or ("application/octet-stream" if filename else "text/plain"),
        charset=content_type.parameters.get("charset"),
        has_extended_name=filename is not None and "filename*" in disposition_header.lower(),
    )
