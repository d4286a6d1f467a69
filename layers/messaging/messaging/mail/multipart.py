"""Splits the content of a multipart into its parts, whatever its boundary looks like (RFC 2046)."""

import re
from collections.abc import Iterator
from typing import NamedTuple

from messaging.mail.defects import Defect
from messaging.mail.mime import Bytes

MAX_SNIFFED_BOUNDARY = 200  # bytes

_LINE_FEED = re.compile(rb"\n")
_NOT_BLANK = re.compile(rb"[^\s\0]")
_NOTE_ABOUT_MIME = re.compile(rb"(?i)\bMIME\b|multi-?part")
"""Stands before the first boundary, in any language, for mail readers of the time before MIME."""
_FIRST_PART = re.compile(
    rb"(?i)(?:\A|[\r\n])--(?P<boundary>[^\r\n]{1,%d}?)[ \t]{0,%d}+(?:\r*+\n|\r)"
    rb"(?:content|mime)-[a-z-]++[ \t]*+:" % (MAX_SNIFFED_BOUNDARY, MAX_SNIFFED_BOUNDARY)
)
_CLOSING_LINE = re.compile(
    rb"[\r\n]--(?P<boundary>[^\s-][^\r\n]{0,%d}?)--[ \t]*+(?:[\r\n]|\Z)" % MAX_SNIFFED_BOUNDARY
)


class Part(NamedTuple):
    content: Bytes
    """The headers and the content of the part."""
    is_last: bool
    """Whether a closing boundary follows."""


def find_boundary(declared: str | None, content: Bytes, defects: set[Defect]) -> bytes | None:
    """Return the boundary that separates the content, or None if nothing does.

    If the declared one does not, it can have quotes around it, or the wrong line can be declared. Then the
    boundary is that of the first line which looks like one and precedes a header of MIME, or of the first
    closing line.
    """
    if declared:
        variants = (
            declared,
            declared.strip(" '\"<>"),
            declared.split(None, 1)[0] if declared.strip() else "",
        )
        for variant in dict.fromkeys(variants):
            boundary = variant.rstrip().encode(errors="surrogatepass")
            if boundary and next(_boundary_lines(boundary, content), None):
                return boundary
    defects.add(Defect.BOUNDARY_WRONG)
    sign = _FIRST_PART.search(content) or _CLOSING_LINE.search(content)
    if not sign:
        return None
    first_line = next(_boundary_lines(sign["boundary"], content), None)
    return sign["boundary"] if first_line and not first_line["closing"] else None


def is_multipart(declared: str | None, content: Bytes) -> bool:
    """Whether a text is a multipart: it has the declared boundary, or it begins and ends with a boundary.

    The boundary must precede a header of MIME.
    """
    sign = _FIRST_PART.search(content)
    if sign is None:
        return False
    if declared and sign["boundary"] == declared.rstrip().encode(errors="surrogatepass"):
        return True
    if _is_text(content[: sign.start()]):
        return False
    return any(line["closing"] for line in _boundary_lines(sign["boundary"], content))


def split_parts(boundary: bytes, content: Bytes, defects: set[Defect]) -> Iterator[Part]:
    """Yield the parts between the boundary's lines. The closing line may be missing, or have more text.

    Parts after a closing line are parts, too. Other text after it, and before the first part, is ignored.
    """
    start: int | None = None
    closed: int | None = None  # the end of the last closing line
    inexact: re.Match[bytes] | None = None  # a closing line with more text
    _check_text_before_parts(boundary, content, defects)
    for line in _boundary_lines(boundary, content):
        if line["closing"] and line["more"].strip():
            inexact = inexact or line
            continue
        inexact = None
        if start is not None:
            yield Part(_part(content, start, line.start()), is_last=bool(line["closing"]))
        elif closed and not line["closing"]:
            defects.add(Defect.CLOSING_BOUNDARY_MISPLACED)
        if line["closing"]:
            start, closed = None, line.end()
        else:
            start, closed = line.end("end"), None
    if start is not None and inexact:
        yield Part(_part(content, start, inexact.start()), is_last=True)
        closed = inexact.start("more")
    elif start is not None:
        defects.add(Defect.CLOSING_BOUNDARY_MISSING)
        if _NOT_BLANK.search(content, start):
            yield Part(content[start:], is_last=True)
    if closed and _NOT_BLANK.search(content, closed):
        defects.add(Defect.TEXT_AFTER_PARTS)


def _check_text_before_parts(boundary: bytes, content: Bytes, defects: set[Defect]) -> None:
    first_line = next(_boundary_lines(boundary, content), None)
    before = content[: first_line.start()] if first_line else b""
    if _is_text(before):
        defects.add(Defect.TEXT_BEFORE_PARTS)


def _is_text(content: Bytes) -> bool:
    """Whether there is something to read, and not only a note about MIME."""
    return bool(_NOT_BLANK.search(content)) and not _NOTE_ABOUT_MIME.search(content)


def _part(content: Bytes, start: int, end: int) -> Bytes:
    """Return the part without the CRs of the line break before the next boundary."""
    for _ in range(2):
        if content[end - 1 : end] == b"\r":
            end -= 1
    return content[start:end]


def _boundary_lines(boundary: bytes, content: Bytes) -> Iterator[re.Match[bytes]]:
    """Yield the lines that are the boundary, or begin with a closing one.

    The line break before a boundary belongs to it. Searching for both together keeps the search linear: else
    each place in a long run of dashes could begin a boundary.
    """
    line_break = rb"\n" if _LINE_FEED.search(content) else rb"\r"
    line = rb"--%s(?:(?P<closing>--)(?P<more>[^\r\n]*+)|[ \t]*+)(?=(?P<end>\r*+\n|\r|\Z))" % re.escape(
        boundary
    )
    first = re.match(line, content)
    if first:
        yield first
    yield from re.finditer(line_break + line, content)
