"""A webhook's body, read within bounds: whoever sends it, it is small before it is looked into."""

import re
from collections.abc import Sequence
from io import BytesIO
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from multipart import MultipartError, MultipartParser, parse_options_header
from pydantic_core import from_json

from messaging.models import MAX_ID
from messaging.problems import Unreadable
from messaging.providers.provider import Webhook

MAX_FIELDS = 1000
"""Of a form, its files included. The largest known is a mail with a hundred attachments."""
MAX_VALUES = 100_000
"""Of a JSON document. Its depth ends at 200, in the library."""
_STRING = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)', re.DOTALL)


class Field(NamedTuple):
    """Of a form. Its bytes are not text yet: a vendor may send each field in a charset of its own."""

    name: str
    content: bytes
    filename: str | None = None
    """None of what is no file."""
    content_type: str = ""


def json_value(body: bytes) -> Any:
    """Raises Unreadable."""
    bare = _STRING.sub(b"", body)
    if bare.count(b",") + bare.count(b"[") + bare.count(b"{") > MAX_VALUES:
        raise Unreadable(f"The body holds more than {MAX_VALUES} values.")
    try:
        return from_json(body, allow_inf_nan=False)
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
        return parse_qsl(
            text if isinstance(text, str) else text.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError as error:
        raise Unreadable("The body is not a form in UTF-8, or has too many fields.") from error


def form(webhook: Webhook) -> Sequence[Field]:
    """The fields of a form, urlencoded or multipart, as its Content-Type says. Raises Unreadable."""
    kind, options = parse_options_header(webhook.headers.get("content-type", ""))
    if kind != "multipart/form-data":
        return [Field(name, value.encode()) for name, value in urlencoded(webhook.body)]
    try:
        parser = MultipartParser(
            BytesIO(webhook.body),
            options.get("boundary", ""),
            part_limit=MAX_FIELDS,
            memory_limit=len(webhook.body) + 1,  # it is in memory, and nothing of it goes to a disk
            spool_limit=len(webhook.body) + 1,
        )
        return [Field(part.name, part.raw, part.filename, part.content_type or "") for part in parser]
    except (MultipartError, ValueError) as error:
        raise Unreadable("The body is not a form, or has too many fields.") from error


def our_id(text: str | None) -> int | None:
    """Our reference, as a vendor brings it back; None where it is none."""
    if not text or len(text) > 19 or not (text.isascii() and text.isdigit()):
        return None
    return int(text) if int(text) <= MAX_ID else None
