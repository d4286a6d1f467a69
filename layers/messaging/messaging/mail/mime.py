"""Headers of mails and of their parts (RFC 5322, MIME), parsed within limits.

Nothing here uses the standard library's parser of whole mails. It recurses as deep as a mail is nested,
compares every line with every boundary, and raises on malformed headers.
https://www.rfc-editor.org/rfc/rfc2045
"""

import re
from collections.abc import Mapping, Sequence
from typing import NamedTuple

from messaging.mail.defects import Defect
from messaging.mail.header_text import decode_raw_header, find_charset

MAX_HEADERS = 10_000
"""Headers of a mail, with those of its parts."""
MAX_HEAD = 2**20
"""Bytes of one block of headers. Postfix accepts 102,400 bytes, Exim 1 MiB."""
MAX_UNFOLDED_LINES = 10
"""Lines between two headers that can continue the first of them without an indentation."""

Bytes = bytes | memoryview

Headers = Mapping[str, Sequence[str]]
"""The values of each header, by its name in lower case. They are unfolded; encoded words are not decoded."""

_NAME = rb"[!-9;-~]++[ \t]*+:"
_BEFORE_HEADERS = re.compile(rb"(?:\xef\xbb\xbf|[\s\0]++|>?From ++[^\s:][^\r\n]*+[\r\n])*+(?=%s)" % _NAME)
"""A byte order mark, blank lines, and the line that begins a mail in an mbox file."""
_LINE = re.compile(
    rb"(?P<text>[^\r\n]*+(?:(?<=[^\r\n])\r(?!\r*+\n|[\r \t]|%s)[^\r\n]*+)*+)(?P<end>\r*+\n|\r|\Z)" % _NAME
)
"""A line ends with LF after any number of CRs, or with one CR before a header or an empty line."""
_BLANK_LINES = re.compile(rb"(?:[ \t]++\r*+\n)*+")
_HEADER = re.compile(rb"([!-9;-~]++)[ \t]*+:")
_ODD_HEADER = re.compile(rb"([A-Za-z\x80-\xff][A-Za-z\x80-\xff -]{0,60}+):")
"""A header with blanks or other characters than ASCII in its name. It is one only if other headers follow."""
_LINE_BREAK = re.compile(rb"[\r\n]++[ \t]*+")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_PARAMETER = re.compile(rb"[\w*-]++[ \t]*+=")
_COMMON_PARAMETER = re.compile(rb"(?i)(?:boundary|charset|filename|format|name|type)\*?[ \t]*+=")
_WELL_KNOWN = re.compile(
    rb"(?i)(?:(?:(?:x|arc|content|dkim|domainkey|in-reply|original|received|resent)-[!-9;-~]++"
    rb"|auto-submitted|authentication-results|delivered-to|disposition-notification-[!-9;-~]++|envelope-to"
    rb"|errors-to|feedback-id|list-(?:archive|help|id|owner|post|(?:un)?subscribe[!-9;-~]*+)|message-id"
    rb"|mime-version|received|reply-to|return-(?:path|receipt-to)|subject|thread-(?:index|topic)|user-agent"
    rb")[ \t]*+:|date[ \t]*+:[^\r\n]*[0-9]:[0-9]"
    rb"|(?:bcc|cc|from|references|sender|to)[ \t]*+:(?:[^\r\n]*?(?:@|=\?|;)|[ \t]*+[\r\n]))"
)
"""A line of headers that is not a line of a text. Headers whose names are words need a date or an address."""
_REPEATABLE = re.compile(
    r"(?:x|arc|authentication|delivered|dkim|list|received)-.++|comments|keywords|received"
)


def split_mail(raw: Bytes, defects: set[Defect]) -> tuple[Headers, memoryview]:
    """Return the headers of a mail, and the content after them, as split_head does.

    Blank lines and the like before the headers are ignored.
    """
    before = _BEFORE_HEADERS.match(raw)
    return split_head(memoryview(raw)[before.end() if before else 0 :], defects)


def split_head(raw: Bytes, defects: set[Defect]) -> tuple[Headers, memoryview]:
    """Return the headers of a mail or of a part, and the content after them.

    If the headers do not end with an empty line, they end at the first line that is not a header, and before
    the header that exceeds MAX_HEAD. Headers after MAX_HEADERS are ignored.
    """
    head = _Head(memoryview(raw), defects)  # its slices are no copies, which matters for parts inside parts
    content = head.scan()
    return head.headers(), content


class _Field(NamedTuple):
    name: str
    start: int
    value_start: int


class _Head:
    def __init__(self, raw: memoryview, defects: set[Defect]) -> None:
        self._raw = raw
        self._defects = defects
        self._fields: list[_Field] = []
        self._names: set[str] = set()
        self._end = 0
        self._next_header = 0
        """The start of a header that ends a run of lines that are not headers."""

    def scan(self) -> memoryview:
        """Find the headers, and return what follows them."""
        line = self._line(self._end)
        while line["text"] and self._add(line):
            self._end = line.end()
            line = self._line(self._end)
        if line["end"] and not line["text"].strip():
            return self._raw[line.end() :]
        self._end_without_empty_line()
        return self._raw[self._end :]

    def headers(self) -> Headers:
        headers: dict[str, list[str]] = {}
        ends = [*(field.start for field in self._fields[1:]), self._end]
        is_ascii = bytes(self._raw[: self._end]).isascii()
        charset = None if is_ascii else find_charset(self._raw)
        for field, end in zip(self._fields, ends, strict=False):
            if not field.name:  # the headers after MAX_HEADERS
                break
            value = _LINE_BREAK.sub(b" ", self._raw[field.value_start : end])
            text = decode_raw_header(value, charset, self._defects)
            headers.setdefault(field.name, []).append(text.strip())
        return headers

    def _line(self, start: int) -> re.Match[bytes]:
        return next(_LINE.finditer(self._raw, start, MAX_HEAD))  # it matches an empty text, too

    def _add(self, line: re.Match[bytes]) -> bool:
        """Add a line to the headers. Return False if it is content."""
        text = line["text"]
        header = _HEADER.match(text)
        if not header:
            if not self._fields or text.startswith(b"--"):  # a boundary
                return False
            is_blank = text.isspace()
            if text[:1] in (b" ", b"\t") and not is_blank:
                return True
            if not self._is_header(line.start(), line.end()):
                return False
            if is_blank:
                return True
            self._defects.add(Defect.HEADER_NOT_FOLDED)
            header = _ODD_HEADER.match(text)
        if header:
            name = decode_raw_header(header[1]).strip().lower()
            if len(self._fields) < MAX_HEADERS:
                self._fields.append(_Field(name, line.start(), line.start() + header.end()))
                self._names.add(name)
            elif self._fields[-1].name:
                self._fields.append(_Field("", line.start(), line.end()))
                self._defects.add(Defect.HEADERS_OMITTED)
        return True

    def _is_well_known(self, start: int) -> bool:
        return bool(_WELL_KNOWN.match(self._raw, start, MAX_HEAD))

    def _is_header(self, start: int, end: int) -> bool:
        """Whether a line that is blank or not indented belongs to the headers.

        It does if it continues a Content-Type, or if other headers follow that the mail does not have yet.
        """
        if start < self._next_header:
            return True
        previous = self._fields[-1]
        if previous.name in ("content-type", "content-disposition") and _PARAMETER.match(self._raw, start):
            end_of_previous = bytes(self._raw[max(previous.start, start - 10) : start]).rstrip()
            return end_of_previous.endswith(b";") or bool(_COMMON_PARAMETER.match(self._raw, start))
        blank_lines = _BLANK_LINES.match(self._raw, end, MAX_HEAD)
        end = blank_lines.end() if blank_lines else end
        for _ in range(MAX_UNFOLDED_LINES):
            line = self._line(end)
            if not line["text"]:
                return False
            if header := _HEADER.match(line["text"]):
                name = decode_raw_header(header[1]).lower()
                is_new = name not in self._names or bool(_REPEATABLE.fullmatch(name))
                if is_new and self._is_well_known(end):
                    self._next_header = end
                    return True
                return False
            end = line.end()
        return False

    def _end_without_empty_line(self) -> None:
        """Exclude the last headers if they are rather lines of a text: `Note: call me`."""
        is_content = self._end < len(self._raw)
        if self._end == MAX_HEAD and is_content:  # the last header is not complete
            self._end = self._fields.pop().start
        while self._fields and not self._is_well_known(self._fields[-1].start):
            self._end = self._fields.pop().start
            is_content = True
        if is_content:
            self._defects.add(Defect.HEADER_SEPARATOR_MISSING)


def parse_headers(block: bytes, charset: str | None = None) -> tuple[dict[str, list[str]], set[Defect]]:
    """Parse a block of headers. Lines without a colon, and lines after MAX_HEADERS, are ignored.

    `charset` is that of values that are not encoded and not in UTF-8.
    """
    defects: set[Defect] = set()
    lines = _FOLD.sub(b" ", block).split(b"\n", MAX_HEADERS)
    if len(lines) > MAX_HEADERS and lines.pop():
        defects.add(Defect.HEADERS_OMITTED)
    headers: dict[str, list[str]] = {}
    for line in lines:
        name, colon, value = line.partition(b":")
        if colon:
            values = headers.setdefault(decode_raw_header(name).strip().lower(), [])
            values.append(decode_raw_header(value, charset).strip())
    return headers, defects


def count_headers(headers: Headers) -> int:
    return sum(len(values) for values in headers.values())


def first_header(headers: Headers, name: str) -> str:
    """Return the first value of a header, or an empty string if there is none."""
    values = headers.get(name)
    return values[0] if values else ""
