"""A webhook's body, read within bounds: whoever sends it, it is small before it is looked into."""

import re
from binascii import unhexlify
from collections.abc import Iterator, Sequence
from io import BytesIO
from itertools import islice
from typing import Any, NamedTuple

from multipart import MultipartError, MultipartParser, parse_options_header
from pydantic_core import from_json

from messaging.models import MAX_ID
from messaging.problems import Unreadable

MAX_FIELDS = 1000
"""Of a form, its files included. The largest known is a mail with a hundred attachments."""
MAX_TOKENS = 200_000
"""Of a JSON document: its strings, and what begins a value. Its depth ends at 200, in the library."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[,\[{]', re.DOTALL)
_LETTER = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<half>u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""Of JSON, written as an escape: a surrogate pair, half of one, or another."""
_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")


class Field(NamedTuple):
    """Of a form. Its bytes are not text yet: a vendor may send each field in a charset of its own."""

    name: str
    content: bytes
    filename: str | None = None
    """None of what is no file."""
    content_type: str = ""


def json_value(body: bytes) -> Any:
    """Half a surrogate pair becomes a replacement character. Raises Unreadable."""
    if next(islice(_TOKEN.finditer(body), MAX_TOKENS, None), None):
        raise Unreadable(f"The body holds more than {MAX_TOKENS} values and names.")
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        return _mended(body)


def _mended(body: bytes) -> Any:
    """With a replacement character, of as many bytes, for half of an emoji that somebody cut in two."""
    mended = bytearray(body)
    for letter in _LETTER.finditer(body):
        if letter["half"]:
            mended[letter.start() : letter.end()] = rb"\ufffd"
    try:
        return from_json(mended, allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable("The body is not JSON.") from error


def json_object(body: bytes) -> dict[str, Any]:
    """Raises Unreadable."""
    fields = json_value(body)
    if not isinstance(fields, dict):
        raise Unreadable("The body is not a JSON object.")
    return fields


def urlencoded(text: bytes | str) -> Sequence[tuple[str, str]]:
    """The fields of a form or a query, in their order, blank and repeated ones too. Raises Unreadable."""
    try:
        written = text.encode() if isinstance(text, str) else text
        return [(name, value.decode()) for name, value in _pairs(written)]
    except ValueError as error:
        raise Unreadable("The body is not a form in UTF-8.") from error


def _pairs(form: bytes) -> Iterator[tuple[str, bytes]]:
    """Raises Unreadable and ValueError."""
    if form.count(b"&") >= MAX_FIELDS:
        raise Unreadable(f"The body has more than {MAX_FIELDS} fields.")
    for pair in form.split(b"&"):
        name, _, value = pair.partition(b"=")
        if pair:
            yield _unescaped(name).decode(), _unescaped(value)


def _unescaped(text: bytes) -> bytes:
    """The standard library's unquote makes two objects of each %: a gigabyte of what anybody may send."""
    text = text.replace(b"+", b" ")
    unescaped, end = bytearray(), 0
    for run in _ESCAPES.finditer(text):
        unescaped += text[end : run.start()] + unhexlify(run[0].replace(b"%", b""))
        end = run.end()
    return bytes(unescaped + text[end:])


def form(content_type: str, body: bytes) -> Sequence[Field]:
    """The fields of a form, urlencoded or multipart, as its Content-Type says. Raises Unreadable."""
    kind, options = parse_options_header(content_type)
    try:
        if kind != "multipart/form-data":
            return [Field(name, value) for name, value in _pairs(body)]
        parser = MultipartParser(
            BytesIO(body),
            options.get("boundary", ""),
            part_limit=MAX_FIELDS,
            memory_limit=len(body) + 1,  # it is in memory, and nothing of it goes to a disk
            spool_limit=len(body) + 1,
        )
        return [Field(part.name, part.raw, part.filename, part.content_type or "") for part in parser]
    except (MultipartError, ValueError) as error:
        raise Unreadable("The body is not a form, or has too many fields.") from error


def parse_reference(text: str | None) -> int | None:
    """Our reference, as a vendor brings it back; None where it is none."""
    if not text or len(text) > 19 or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if int(text) <= MAX_ID else None
