"""The parts of a mail (MIME): its text, its HTML and its files, parsed within limits.

Nothing that a sender writes raises anything but Unreadable.
https://www.rfc-editor.org/rfc/rfc2046
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from email.message import Message
from html import escape
from typing import NamedTuple

from messaging.mail.charset import decode
from messaging.mail.defects import Defect
from messaging.mail.mime import (
    Bytes,
    Headers,
    check_header_count,
    count_headers,
    first_header,
    make_file,
    split_head,
)
from messaging.mail.transfer_encoding import decode_transfer
from messaging.models import File
from messaging.problems import Unreadable

MAX_PARTS = 1000
MAX_DEPTH = 20
"""Multiparts inside each other. A deeper one becomes a single file."""
MAX_TEXTS = 4 * 2**20
"""Bytes of all texts together. A text that exceeds them becomes a file, and its beginning remains text."""
MAX_BEGINNING = 2**18  # bytes
MAX_DECLARATION = 4000  # characters of a Content-Type or Content-Disposition header
MAX_PARAMETERS = 100  # of such a header: the standard library's time grows with the square of their number


class _Text(NamedTuple):
    is_html: bool
    text: str


class _Body(NamedTuple):
    """The same content in two ways: for readers of plain text, and for readers of HTML.

    If a mail has only one of them, both lists contain it.
    """

    plain: Sequence[_Text]
    html: Sequence[_Text]


@dataclass
class Parts:
    """The content of a mail without its headers."""

    text: str | None = None
    """None if the mail does not have all of its content as plain text."""
    html: str | None = None
    files: list[File] = field(default_factory=list)
    content_ids: dict[str, int] = field(default_factory=dict)
    """The index in `files` of each image that the HTML names by `cid:`."""
    defects: set[Defect] = field(default_factory=set)


def parse_parts(headers: Headers, content: Bytes) -> Parts:
    """Parse the content of a mail. Raises Unreadable if it has too many parts or headers."""
    parser = _Parser()
    body = parser.parse(headers, content, MAX_DEPTH, "text/plain")
    parts = parser.parts
    if body.plain and not _has_html(body.plain):
        parts.text = "\n".join(text.text for text in body.plain)
    if _has_html(body.html):
        parts.html = "\n".join(_as_html(text) for text in body.html)
    return parts


def _as_html(text: _Text) -> str:
    return text.text if text.is_html else f"<pre>{escape(text.text)}</pre>"


def _has_html(texts: Sequence[_Text]) -> bool:
    return any(text.is_html for text in texts)


class _Declaration(NamedTuple):
    """What the headers of a part say about its content."""

    media_type: str
    charset: str | None = None
    boundary: str | None = None
    disposition: str | None = None
    file_name: str | None = None

    @classmethod
    def parse(cls, headers: Headers, default_type: str) -> "_Declaration":
        # The standard library's Message knows all forms of the parameters (RFC 2231).
        message = Message()
        message.set_default_type(default_type)
        for name in ("content-type", "content-disposition"):
            value = first_header(headers, name)[:MAX_DECLARATION]
            if value:
                message[name] = ";".join(value.split(";")[:MAX_PARAMETERS])
        try:
            return cls(
                message.get_content_type(),
                message.get_content_charset(),
                message.get_boundary(),
                message.get_content_disposition(),
                message.get_filename(),
            )
        except Exception:  # noqa: BLE001  # malformed parameters raise many kinds of exceptions
            return cls("application/octet-stream")

    @property
    def is_multipart(self) -> bool:
        return self.media_type.startswith("multipart/")

    @property
    def is_body(self) -> bool:
        """Whether the part is shown as text, and not as a file."""
        # A multipart comes here only if it has no parts. Then its content is shown as text.
        is_text = self.media_type in ("text/plain", "text/html") or self.is_multipart
        return is_text and not self.file_name and self.disposition != "attachment"


class _Parser:
    def __init__(self) -> None:
        self.parts = Parts()
        self._part_count = 0
        self._header_count = 0
        self._text_bytes_left = MAX_TEXTS

    def parse(self, headers: Headers, content: Bytes, depth: int, default_type: str) -> _Body:
        """Parse one part with the parts inside it, add its files, and return its texts.

        `depth` is how many levels of multiparts may follow. `default_type` is the part's media type if its
        headers do not declare one.
        """
        self._count(headers)
        declaration = _Declaration.parse(headers, default_type)
        if declaration.is_multipart and declaration.boundary:
            if depth == 0:
                self._add_file(None, declaration.media_type, bytes(content))
                return _Body([], [])
            bodies = self._parse_multipart(declaration.media_type, declaration.boundary, content, depth)
            if bodies:
                is_alternative = declaration.media_type == "multipart/alternative"
                return _choose(bodies) if is_alternative else _join(bodies)
        decoded = decode_transfer(
            bytes(content), first_header(headers, "content-transfer-encoding"), self.parts.defects
        )
        if declaration.is_body:
            return self._add_text(declaration, decoded)
        content_id = first_header(headers, "content-id").strip("<> ")
        if content_id:
            self.parts.content_ids.setdefault(content_id, len(self.parts.files))
        self._add_file(declaration.file_name, declaration.media_type, decoded)
        return _Body([], [])

    def _parse_multipart(self, media_type: str, boundary: str, content: Bytes, depth: int) -> list[_Body]:
        default_type = "message/rfc822" if media_type == "multipart/digest" else "text/plain"
        bodies = []
        for part in _split_parts(boundary, content):
            headers, part_content = split_head(part)
            bodies.append(self.parse(headers, part_content, depth - 1, default_type))
        return bodies

    def _count(self, headers: Headers) -> None:
        self._part_count += 1
        if self._part_count > MAX_PARTS:
            raise Unreadable(f"The mail has more than {MAX_PARTS} parts.")
        self._header_count += count_headers(headers)
        check_header_count(self._header_count)

    def _add_file(self, name: str | None, media_type: str, content: bytes) -> None:
        self.parts.files.append(make_file(name, media_type, content))

    def _add_text(self, declaration: _Declaration, content: bytes) -> _Body:
        if len(content) > self._text_bytes_left:
            self._add_file(declaration.file_name, declaration.media_type, content)
            content = content[: min(self._text_bytes_left, MAX_BEGINNING)]
        self._text_bytes_left -= len(content)
        text = decode(content, declaration.charset).replace("\r\n", "\n")
        texts = [_Text(declaration.media_type == "text/html", text)]
        return _Body(texts, texts)


def _join(bodies: Sequence[_Body]) -> _Body:
    """Return the bodies one after the other, as in multipart/mixed."""
    plain: list[_Text] = []
    html: list[_Text] = []
    for body in bodies:
        plain += body.plain
        html += body.html
    return _Body(plain, html)


def _choose(bodies: Sequence[_Body]) -> _Body:
    """Returns, of bodies with the same content (multipart/alternative), the plain ones and the HTML ones."""
    plain = _join([body for body in bodies if not _has_html(body.plain)]).plain
    html = _join([body for body in bodies if _has_html(body.html)]).html
    return _Body(plain or html, html or plain)


def _split_parts(boundary: str, content: Bytes) -> Iterator[Bytes]:
    """Yield the parts between the boundary's lines. The last line may be missing.

    The line break before a boundary belongs to it. Searching for both together keeps the search linear: else
    each place in a long run of dashes could begin a boundary.
    """
    line = b"--" + re.escape(boundary.encode(errors="surrogatepass")) + rb"(--)?[ \t]*(?=(\r?\n|\Z))"
    start: int | None = None
    for match in _boundary_lines(line, content):
        if start is not None:
            end = match.start()
            if content[end - 1 : end] == b"\r":
                end -= 1
            yield content[start:end]
        if match[1]:  # the closing boundary
            return
        start = match.end(2)
    if start is not None:
        yield content[start:]


def _boundary_lines(line: bytes, content: Bytes) -> Iterator[re.Match[bytes]]:
    first = re.match(line, content)
    if first:
        yield first
    yield from re.finditer(b"\n" + line, content)
