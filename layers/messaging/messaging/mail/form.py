"""Reads mail that a provider delivers as the fields of a form."""

import re
from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple

from messaging.mail.charset import decode
from messaging.mail.defects import Defect
from messaging.mail.files import clean_content_id, make_file
from messaging.mail.form_data import Field
from messaging.models import File
from messaging.problems import Unreadable
from messaging.transport.payload import json_object

MAX_EXTRA_FIELD = 5000  # characters

_ATTACHMENT = re.compile(r"attachment-?[0-9]{1,4}")

Fields = Mapping[str, Field]


def fields_by_name(fields: Sequence[Field]) -> Fields:
    """The fields by their names. Of several texts with the same name, the last; files get unique names."""
    result: dict[str, Field] = {}
    for field in fields:
        name = field.name
        if _is_file(field) and name in result:
            name = f"{name}#{len(result)}"
        result[name] = field._replace(name=name)
    return result


def _is_file(field: Field) -> bool:
    return field.filename is not None or _ATTACHMENT.fullmatch(field.name) is not None


def decode_fields(
    fields: Fields, charsets: Mapping[str, Any], *names: str, defects: set[Defect] | None = None
) -> list[str | None]:
    """The texts of these fields, each decoded in the charset that `charsets` has for its name, or that the
    field declares. None for a missing field. What was guessed or lost is added to `defects`."""
    return [_text(fields[name], charsets.get(name), defects) if name in fields else None for name in names]


def _text(field: Field, charset: object = None, defects: set[Defect] | None = None) -> str:
    label = charset if isinstance(charset, str) else field.charset
    return decode(field.content, label, defects).replace("\r\n", "\n")


def json_field(fields: Fields, name: str) -> Mapping[str, Any]:
    """A field that holds a JSON object; empty if it is missing or is not one."""
    try:
        return json_object(fields[name].content) if name in fields else {}
    except Unreadable:
        return {}


class FileDescription(NamedTuple):
    """What the provider says about a file, besides what its form field says."""

    name: str | None
    content_type: str | None


def files(fields: Fields, descriptions: Mapping[str, FileDescription]) -> Mapping[str, File]:
    """The mail's files in order, by their fields' names. A description overrides what the field says."""
    attachments = [field for field in fields.values() if _is_file(field)]
    result: dict[str, File] = {}
    for field in sorted(attachments, key=lambda field: (len(field.name), field.name)):
        description = descriptions.get(field.name, FileDescription(None, None))
        content_type = first_text(description.content_type, field.content_type) or ""
        result[field.name] = make_file(_file_name(field, description), content_type, field.content)
    return result


def _file_name(field: Field, description: FileDescription) -> str | None:
    """Return the name in `filename*` (RFC 6266), which has all characters, or else the provider's name."""
    extended_name = field.filename if field.has_extended_name else None
    return first_text(extended_name, description.name, field.filename)


def first_text(*values: object) -> str | None:
    """The first value that is text and not empty."""
    return next((value for value in values if value and isinstance(value, str)), None)


def content_ids(fields_by_cid: Mapping[str, Any], files: Mapping[str, File]) -> Mapping[str, int]:
    """The position among the files of each content id, by which the HTML refers to images.

    `fields_by_cid` has the names of the files' fields.
    """
    positions = {name: position for position, name in enumerate(files)}
    result: dict[str, int] = {}
    for cid, name in fields_by_cid.items():
        content_id = clean_content_id(cid)
        if content_id and isinstance(name, str) and name in positions:
            result[content_id] = positions[name]
    return result


def extra_fields(fields: Fields, names: Sequence[str]) -> dict[str, str]:
    """What the provider says about the mail in these fields, by their names in lower case."""
    texts = {name.lower(): _text(fields[name]) for name in names if name in fields}
    return {name: text[:MAX_EXTRA_FIELD] for name, text in texts.items() if text}
