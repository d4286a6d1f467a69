"""The parts of a mail (MIME): its text, its HTML and its files, parsed within limits.

Nothing that a sender writes raises anything.
https://www.rfc-editor.org/rfc/rfc2046
"""

import re
from dataclasses import dataclass, field
from typing import NamedTuple

from messaging.mail.body import Body, Text, combine
from messaging.mail.charset import decode, decode_html
from messaging.mail.declaration import Declaration
from messaging.mail.defects import Defect
from messaging.mail.files import clean_content_id, guess_type, make_file
from messaging.mail.mime import (
    MAX_HEADERS,
    Bytes,
    Headers,
    count_headers,
    first_header,
    split_head,
    split_mail,
)
from messaging.mail.multipart import find_boundary, is_multipart, split_parts
from messaging.mail.transfer_encoding import Encoding, decode_transfer, looks_like_base64
from messaging.mail.uuencode import decode_uuencode, extract_files
from messaging.models import File

MAX_PARTS = 1000
MAX_DEPTH = 20
"""Multiparts inside each other. A deeper one becomes a single file."""
MAX_ENCODED_MULTIPARTS = 3
"""Multiparts of a mail that are decoded as a whole. Each is a copy."""
MAX_TEXTS = 4 * 2**20
"""Bytes of all texts together. A text that exceeds them becomes a file, and its beginning remains text."""
MAX_BEGINNING = 2**18  # bytes

_DATA = {
    "text/calendar",
    "text/csv",
    "text/directory",
    "text/rfc822-headers",
    "text/rtf",
    "text/tab-separated-values",
    "text/vcard",
    "text/x-vcard",
    "text/xml",
}
"""Texts that programs read. All other texts are shown (RFC 2046, section 4.1.4)."""
_VARIANTS = {"text/x-amp-html", "text/watch-html"}
"""Alternatives to the HTML for some mail readers."""
_BODY_TYPES = {"text/plain", "text/html"}
_BODY_NAME = re.compile(r"(?i)[^.]*+|.*\.(?:txt|text|html?)")
_NOT_BLANK = re.compile(rb"[^\s\0]")
_ENCODED_HEADER = re.compile(rb"(?im)^content-[a-z-]++:[^\r\n]*(?:\r?\n[ \t][^\r\n]*)?=3D")
_HEAD_IN_TEXT = re.compile(
    rb"(?i)\s*+(?:content-[a-z-]++|mime-version|received|return-path|from|date|delivered-to):"
)
_YENC = re.compile(rb"(?m)^=ybegin [^\r\n]*?\bname=(?P<name>[^\r\n]++)")
_CARRIAGE_RETURNS = re.compile(r"(?<!\r)\r+\n")


@dataclass
class Parts:
    """The content of a mail without its headers."""

    text: str | None = None
    """None if the mail does not have all of its content as plain text."""
    html: str | None = None
    files: list[File] = field(default_factory=list)
    content_ids: dict[str, int] = field(default_factory=dict)
    """The index in `files` of each image that the HTML names by `cid:`."""


def parse_parts(headers: Headers, content: Bytes, defects: set[Defect]) -> Parts:
    """Parse the content of a mail, up to MAX_PARTS and MAX_HEADERS."""
    parser = _Parser(defects)
    parts = parser.parts
    parts.text, parts.html = parser.parse(headers, content, _Position(MAX_DEPTH)).text_and_html()
    if not (parts.text or parts.html or "").strip():
        _read_forwarded(parts, defects)
    return parts


def _read_forwarded(parts: Parts, defects: set[Defect]) -> None:
    """Show the texts of the mails in `parts.files`, for a mail that only forwards them."""
    parser = _Parser(set())  # the defects of these mails are not those of the mail
    bodies: list[Body] = []
    for file in parts.files:
        if file.content_type == "message/rfc822":
            headers, content = split_mail(file.content, set())
            bodies.append(parser.parse(headers, content, _Position(MAX_DEPTH)))
    text, html = combine("multipart/mixed", bodies).text_and_html()
    if text or html:
        defects.add(Defect.TEXT_FORWARDED)
        parts.text, parts.html = text, html


class _Position(NamedTuple):
    """Where a part is in the mail."""

    depth: int
    """How many levels of multiparts may follow."""
    default_type: str = "text/plain"
    is_body: bool = True
    """Whether a text here is the mail's text even if it has a file's name."""

    def inside(self, media_type: str, *, is_first: bool) -> "_Position":
        """Return the position of a part of a multipart. As in RFC 8621, the first part is the body."""
        return _Position(
            self.depth - 1,
            "message/rfc822" if media_type == "multipart/digest" else "text/plain",
            is_first or media_type == "multipart/alternative",
        )


class _Parser:
    def __init__(self, defects: set[Defect]) -> None:
        self.parts = Parts()
        self._defects = defects
        self._part_count = 0
        self._header_count = 0
        self._encoded_multiparts = 0
        self._text_bytes_left = MAX_TEXTS
        self._has_text = False

    def parse(self, headers: Headers, content: Bytes, position: _Position) -> Body:
        """Parse one part with the parts inside it, add its files, and return its texts."""
        self._part_count += 1
        self._header_count += count_headers(headers)
        declaration = Declaration.parse(headers, position.default_type, self._defects)
        body = None
        if declaration.is_multipart:
            body = self._parse_multipart(declaration, content, position)
        elif declaration.media_type == "text/plain":
            body = self._parse_headers_in_text(headers, declaration, content, position)
            body = body or self._parse_multipart_in_text(declaration, content, position)
        return body or self._parse_leaf(headers, declaration, content, position)

    def _may_read_more(self) -> bool:
        if self._part_count < MAX_PARTS and self._header_count < MAX_HEADERS:
            return True
        self._defects.add(Defect.PARTS_OMITTED)
        return False

    def _parse_multipart(self, declaration: Declaration, content: Bytes, position: _Position) -> Body | None:
        """Return None if the content has no boundary."""
        if not _NOT_BLANK.search(content):
            return Body(empty_multipart=declaration)
        boundary, content = self._find_boundary(declaration, content)
        if boundary is None:
            return None
        if position.depth == 0:
            self.parts.files.append(make_file(None, declaration.media_type, bytes(content)))
            return Body()
        groups: list[tuple[str, list[Body]]] = [(declaration.media_type, [])]
        for part in split_parts(boundary, content, self._defects):
            if not self._may_read_more():
                break
            media_type, bodies = groups[-1]
            headers, part_content = split_head(part.content, self._defects)
            body = self.parse(headers, part_content, position.inside(media_type, is_first=not bodies))
            inner = body.empty_multipart
            if inner and inner.boundary == declaration.boundary:
                groups.append((inner.media_type, []))  # the parts of both multiparts have the same boundary
            else:
                bodies.append(body)
            if part.is_last and len(groups) > 1:
                group = groups.pop()
                groups[-1][1].append(combine(*group))
        return combine(declaration.media_type, [body for _, bodies in groups for body in bodies])

    def _find_boundary(self, declaration: Declaration, content: Bytes) -> tuple[bytes | None, Bytes]:
        """Return the boundary, and the content, which is decoded if the multipart itself is encoded."""
        defects: set[Defect] = set()
        encoding = declaration.encoding
        boundary = find_boundary(declaration.boundary, content, defects)
        is_declared = Defect.BOUNDARY_WRONG not in defects
        if encoding is Encoding.QUOTED_PRINTABLE and is_declared and not _ENCODED_HEADER.search(content):
            encoding = Encoding.IDENTITY  # most senders who declare it do not encode the multipart
        if encoding is Encoding.QUOTED_PRINTABLE or (encoding is Encoding.BASE64 and not boundary):
            self._encoded_multiparts += 1
            if self._encoded_multiparts <= MAX_ENCODED_MULTIPARTS:
                decoded_defects = {Defect.MULTIPART_ENCODED}
                decoded = decode_transfer(bytes(content), encoding, decoded_defects)
                decoded_boundary = find_boundary(declaration.boundary, decoded, decoded_defects)
                if decoded_boundary:
                    self._defects |= decoded_defects
                    return decoded_boundary, decoded
        self._defects |= defects
        return boundary, content

    def _parse_headers_in_text(
        self, headers: Headers, declaration: Declaration, content: Bytes, position: _Position
    ) -> Body | None:
        """Parse a part whose headers follow an empty line, or a multipart with its headers in a text.

        Return None if the text only looks like it.
        """
        if declaration.file_name or declaration.is_attachment or position.depth == 0:
            return None
        if declaration.encoding is not Encoding.IDENTITY or not _HEAD_IN_TEXT.match(content):
            return None
        inner_headers, inner_content = _split_text(content)
        inner = Declaration.parse(inner_headers, "text/plain", set())
        is_mail = any(name != "mime-version" and not name.startswith("content-") for name in inner_headers)
        if inner.is_multipart and inner.boundary:
            if find_boundary(inner.boundary, inner_content, set()) is None:
                return None
        elif "content-type" not in inner_headers:
            return None
        elif inner.encoding is Encoding.IDENTITY and (is_mail or "content-type" in headers):
            return None  # its text can be read as it is
        self._defects.add(Defect.HEADERS_IN_TEXT)
        if is_mail:
            self.parts.files.append(make_file(None, "message/rfc822", bytes(content)))
        return self.parse(inner_headers, inner_content, position._replace(depth=position.depth - 1))

    def _parse_multipart_in_text(
        self, declaration: Declaration, content: Bytes, position: _Position
    ) -> Body | None:
        """Parse a multipart that is declared as text. Return None if it is text."""
        if declaration.file_name or declaration.is_attachment or position.depth == 0:
            return None
        if declaration.encoding is not Encoding.IDENTITY or not is_multipart(declaration.boundary, content):
            return None
        self._defects.add(Defect.HEADERS_IN_TEXT)
        declaration = declaration._replace(media_type="multipart/mixed")
        return self._parse_multipart(declaration, content, position)

    def _parse_leaf(
        self, headers: Headers, declaration: Declaration, content: Bytes, position: _Position
    ) -> Body:
        name, decoded = self._decode(declaration, bytes(content))
        is_body = declaration.media_type in _BODY_TYPES and (position.is_body or not self._has_text)
        is_text = _is_text(declaration) and (not name or declaration.is_inline or is_body)
        is_file = bool(name) and not (is_body and _BODY_NAME.fullmatch(name))
        if not is_text or is_file or len(decoded) > self._text_bytes_left:
            self._add_file(headers, name, declaration.media_type, decoded)
        return self._add_text(declaration, decoded) if is_text else Body()

    def _decode(self, declaration: Declaration, content: bytes) -> tuple[str, bytes]:
        """Return the name of the part and its decoded content."""
        if declaration.encoding is Encoding.UUENCODE:
            file = decode_uuencode(content, self._defects)
            return declaration.file_name or file.name, file.content
        encoding, is_utf8 = declaration.encoding, declaration.is_text_in_utf8
        if encoding is Encoding.IDENTITY and declaration.is_binary and looks_like_base64(content):
            self._defects.add(Defect.TRANSFER_ENCODING_WRONG)
            encoding = Encoding.BASE64
        decoded = decode_transfer(content, encoding, self._defects, is_text_in_utf8=is_utf8)
        return declaration.file_name, decoded

    def _add_file(self, headers: Headers, name: str, media_type: str, content: bytes) -> None:
        content_id = clean_content_id(first_header(headers, "content-id"))
        if content_id:
            self.parts.content_ids.setdefault(content_id, len(self.parts.files))
        self.parts.files.append(make_file(name, media_type, content))

    def _add_text(self, declaration: Declaration, content: bytes) -> Body:
        is_variant = declaration.media_type in _VARIANTS
        media_type = "text/html" if is_variant else declaration.media_type
        if len(content) > self._text_bytes_left:
            content = content[: min(self._text_bytes_left, MAX_BEGINNING)]
        if media_type == "text/plain":
            content = self._extract_files(content)
        self._text_bytes_left -= len(content)
        self._has_text |= not is_variant
        decode_text = decode_html if media_type == "text/html" else decode
        text = decode_text(content, declaration.charset, self._defects)
        texts = [Text(media_type, _with_line_feeds(text))]
        return Body(texts, texts, is_variant)

    def _extract_files(self, content: bytes) -> bytes:
        """Add the files that a text contains in other ways than MIME, and return the text without them."""
        if b"begin " in content:
            content, files = extract_files(content, self._defects)
            self.parts.files += [make_file(file.name, "", file.content) for file in files]
        yenc = _YENC.search(content)
        if yenc:  # its bytes are not text
            name = f"{decode(yenc['name'], None)}.yenc"
            self.parts.files.append(make_file(name, "application/octet-stream", content))
        return content


def _is_text(declaration: Declaration) -> bool:
    """Whether the content can be shown as text."""
    if declaration.is_attachment:
        return False
    if declaration.is_multipart:  # without parts
        return not declaration.file_name
    if not declaration.media_type.startswith("text/") or declaration.media_type in _DATA:
        return False
    type_of_name = guess_type(declaration.file_name)
    return type_of_name is None or type_of_name.startswith("text/")


def _with_line_feeds(text: str) -> str:
    """Replace CRLF, also with more CRs, and single CRs by line feeds."""
    return _CARRIAGE_RETURNS.sub("\n", text).replace("\r", "\n") if "\r" in text else text


def _split_text(content: Bytes) -> tuple[Headers, Bytes]:
    """Return the headers at the beginning of a text, if it has nothing else before an empty line."""
    defects: set[Defect] = set()
    headers, inner_content = split_mail(content, defects)
    return ({}, content) if defects else (headers, inner_content)
