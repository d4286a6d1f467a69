"""A mail as it travels (RFC 5322, MIME), taken apart within bounds: whoever wrote it, nothing of it raises.

The standard library's parser is not used for this: it goes as deep as a mail pretends to be, looks for every
boundary in every line, and its headers raise where they are malformed.
https://www.rfc-editor.org/rfc/rfc2045
"""

import mimetypes
import quopri
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from email.message import Message
from html import escape
from itertools import chain
from typing import NamedTuple

from messaging.fields import clean_text
from messaging.mail.charset import decode, decode_base64, decode_header
from messaging.models import File
from messaging.problems import Unreadable

MAX_HEADERS = 10_000
"""Of a mail with those of its parts."""
MAX_HEAD = 2**20
"""Bytes of one block of headers. Postfix takes 102,400, Exim 1 MiB."""
MAX_PARTS = 1000
MAX_DEPTH = 20
"""Of multiparts within each other; what lies deeper is kept as one file."""
MAX_TEXTS = 4 * 2**20
"""Bytes of all texts; of one that is more, the beginning is text, and the whole a file."""
MAX_BEGINNING = 2**18  # bytes
MAX_DECLARATION = 4000  # characters of a header that says what a part is
MAX_PARAMETERS = 100  # of it: the library's time is the square of their number

Bytes = bytes | memoryview

Headers = Mapping[str, Sequence[str]]
"""Names in lower case; values unfolded, with their encoded words as they came."""

_HEAD_END = re.compile(rb"(?:\A|\n)\r?\n")
_FOLD = re.compile(rb"\r?\n[ \t]+")
_KIND = re.compile(r"[a-z0-9][a-z0-9!#$&^_.+-]*/[a-z0-9][a-z0-9!#$&^_.+-]*")
_UNPRINTABLE = re.compile(r"[\x00-\x1f\x7f]+")


class _Text(NamedTuple):
    is_html: bool
    text: str


class _Bodies(NamedTuple):
    """The same told twice: to who wants plain text and to who wants HTML, as far as it is there as that."""

    plain: Sequence[_Text]
    html: Sequence[_Text]


@dataclass
class Parts:
    """What stands in a mail beside its headers."""

    text: str | None = None
    """Where all that it says is there as plain text."""
    html: str | None = None
    files: list[File] = field(default_factory=list)
    content_ids: dict[str, int] = field(default_factory=dict)
    """By which the HTML names an image (`cid:`): its place among the files."""
    _seen: int = 0
    _room: int = MAX_TEXTS
    _headers: int = 0

    def enter(self, headers: Headers) -> None:
        self._seen += 1
        if self._seen > MAX_PARTS:
            raise Unreadable(f"The mail has more than {MAX_PARTS} parts.")
        self._headers += sum(map(len, headers.values()))
        _check(self._headers)

    def keep(self, kept: File, content_id: str = "") -> _Bodies:
        if content_id:
            self.content_ids.setdefault(content_id, len(self.files))
        self.files.append(kept)
        return _Bodies([], [])

    def text_of(self, declared: "_Declared", content: bytes) -> _Bodies:
        if len(content) > self._room:
            self.keep(make_file(declared.name, declared.kind, content))
            content = content[: min(self._room, MAX_BEGINNING)]
        self._room -= len(content)
        text = decode(content, declared.charset).replace("\r\n", "\n")
        bodies = [_Text(declared.kind == "text/html", text)]
        return _Bodies(bodies, bodies)


def split_head(raw: Bytes) -> tuple[Headers, memoryview]:
    """The headers of a mail or of a part, and what follows them. Where their end is far off, there are none.
    Raises Unreadable where they are too many."""
    raw = memoryview(raw)  # a slice of bytes would be a copy of them, for every part within a part
    end = _HEAD_END.search(raw, 0, MAX_HEAD)
    if end:
        return parse_headers(bytes(raw[: end.start()])), raw[end.end() :]
    return (parse_headers(bytes(raw)), raw[len(raw) :]) if len(raw) <= MAX_HEAD else ({}, raw)


def parse_headers(block: bytes) -> Headers:
    """Raises Unreadable where they are too many."""
    unfolded = _FOLD.sub(b" ", block)
    _check(unfolded.count(b"\n"))
    found: dict[str, list[str]] = {}
    for line in unfolded.split(b"\n"):
        name, colon, value = line.partition(b":")
        if colon:
            found.setdefault(decode(name, None).strip().lower(), []).append(decode(value, None).strip())
    return found


def check_header_count(headers: Headers) -> Headers:
    """These, wherever they stood. Raises Unreadable where they are too many."""
    _check(sum(map(len, headers.values())))
    return headers


def _check(count: int) -> None:
    if count > MAX_HEADERS:
        raise Unreadable(f"The mail has more than {MAX_HEADERS} headers.")


def first_header(headers: Headers, name: str) -> str:
    return next(iter(headers.get(name, ())), "")


def parse_parts(headers: Headers, content: Bytes) -> Parts:
    """Raises Unreadable where there are too many, or too many headers in them."""
    found = Parts()
    bodies = _part(headers, content, found, MAX_DEPTH)
    if bodies.plain and not any(one.is_html for one in bodies.plain):
        found.text = "\n".join(one.text for one in bodies.plain)
    if any(one.is_html for one in bodies.html):
        found.html = "\n".join(
            one.text if one.is_html else f"<pre>{escape(one.text)}</pre>" for one in bodies.html
        )
    return found


def make_file(name: str | None, content_type: str, content: bytes) -> File:
    """A file by the name that its sender gave it, without folders, or by one that says what it is."""
    kind = content_type.partition(";")[0].strip().lower()
    if not _KIND.fullmatch(kind) or len(kind) > 255:
        kind = "application/octet-stream"
    name = (
        _UNPRINTABLE.sub(" ", clean_text(decode_header(name or "")))
        .replace("\\", "/")
        .rpartition("/")[2]
        .strip()
    )
    stem, dot, end = name.rpartition(".")
    if len(name) > 255:
        name = stem[: 255 - len(dot + end)] + dot + end if len(end) < 20 else name[:255]
    return File(
        name=name or f"attachment{mimetypes.guess_extension(kind) or ''}", content_type=kind, content=content
    )


def _part(headers: Headers, content: Bytes, found: Parts, depth: int, default: str = "text/plain") -> _Bodies:
    found.enter(headers)
    declared = _Declared.by(headers, default)
    if declared.kind.startswith("multipart/") and declared.boundary:
        if not depth:
            return found.keep(make_file(None, declared.kind, bytes(content)))
        inner = "message/rfc822" if declared.kind == "multipart/digest" else "text/plain"
        children = [
            _part(*split_head(part), found, depth - 1, inner) for part in _between(declared.boundary, content)
        ]
        if children:
            return _alternative(children) if declared.kind == "multipart/alternative" else _mixed(children)
    content = _decoded(bytes(content), first_header(headers, "content-transfer-encoding"))
    is_body = declared.kind in ("text/plain", "text/html") or declared.kind.startswith("multipart/")
    if is_body and not declared.name and declared.disposition != "attachment":
        return found.text_of(declared, content)
    content_id = first_header(headers, "content-id").strip("<> ")
    return found.keep(make_file(declared.name, declared.kind, content), content_id)


def _mixed(children: Sequence[_Bodies]) -> _Bodies:
    return _Bodies(
        [one for child in children for one in child.plain], [one for child in children for one in child.html]
    )


def _alternative(children: Sequence[_Bodies]) -> _Bodies:
    """Of those that say the same in several ways: to each who reads, what is in the way that is wanted."""
    plain = [child for child in children if not any(one.is_html for one in child.plain)]
    html = [child for child in children if any(one.is_html for one in child.html)]
    told = _Bodies(_mixed(plain).plain, _mixed(html).html)
    return _Bodies(told.plain or told.html, told.html or told.plain)


def _between(boundary: str, content: Bytes) -> Iterator[Bytes]:
    """What stands between the lines of this boundary, each searched for with the line end before it, which is
    its own: else every place in a run of dashes would be looked at for one."""
    line = b"--" + re.escape(boundary.encode(errors="surrogatepass")) + rb"(--)?[ \t]*(?=(\r?\n|\Z))"
    first = re.match(line, content)
    start: int | None = None
    for found in chain([first] if first else [], re.finditer(b"\n" + line, content)):
        if start is not None:
            end = found.start()
            yield content[start : end - 1 if content[end - 1 : end] == b"\r" else end]
        if found[1]:
            return
        start = found.end(2)
    if start is not None:  # the last one was not closed
        yield content[start:]


def _decoded(content: bytes, encoding: str) -> bytes:
    match encoding.lower():
        case "base64":
            return decode_base64(content)
        case "quoted-printable":
            return quopri.decodestring(content)
    return content


class _Declared(NamedTuple):
    """What a part is by its headers."""

    kind: str
    charset: str | None = None
    boundary: str | None = None
    disposition: str | None = None
    name: str | None = None

    @classmethod
    def by(cls, headers: Headers, default: str) -> "_Declared":
        message = Message()  # for the parameters' many forms (RFC 2231)
        message.set_default_type(default)
        for name in ("content-type", "content-disposition"):
            if value := first_header(headers, name)[:MAX_DECLARATION]:
                message[name] = ";".join(value.split(";")[:MAX_PARAMETERS])
        try:
            return cls(
                message.get_content_type(),
                message.get_content_charset(),
                message.get_boundary(),
                message.get_content_disposition(),
                message.get_filename(),
            )
        except Exception:  # noqa: BLE001  # of many kinds, where the parameters are not well-formed
            return cls("application/octet-stream")
