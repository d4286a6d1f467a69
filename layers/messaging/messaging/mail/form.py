"""A mail that its provider took apart into the fields of a form, for what such providers do alike."""

import re
from collections.abc import Mapping, Sequence
from typing import Any

from messaging.mail.charset import decode
from messaging.mail.mime import make_file
from messaging.models import File
from messaging.problems import Invalid, Unreadable
from messaging.transport.payload import Field, json_object

MAX_SAID = 5000  # characters

_ATTACHMENT = re.compile(r"attachment-?[0-9]{1,4}")

Fields = Mapping[str, Field]


def fields_by_name(fields: Sequence[Field]) -> Fields:
    """By their names, of which each is there once."""
    return {one.name: one for one in fields}


def decode_fields(fields: Fields, charsets: Mapping[str, Any], *names: str) -> list[str | None]:
    """These fields, each in the charset that is given under its name; None for one that is not there."""
    return [_text(fields[name], charsets.get(name)) if name in fields else None for name in names]


def _text(field: Field, charset: object = None) -> str:
    return decode(field.content, charset if isinstance(charset, str) else None).replace("\r\n", "\n")


def json_field(fields: Fields, name: str) -> Mapping[str, Any]:
    """What a field says beside the mail, as a JSON object; empty where it is none."""
    try:
        return json_object(fields[name].content) if name in fields else {}
    except Unreadable:
        return {}


def files(fields: Fields, about: Mapping[str, Any]) -> Mapping[str, File]:
    """The mail's files in their order, each under its field's name; `about` may say more of a field."""
    found = [one for one in fields.values() if one.filename is not None or _ATTACHMENT.fullmatch(one.name)]
    kept: dict[str, File] = {}
    for one in sorted(found, key=lambda field: (len(field.name), field.name)):
        more = about.get(one.name)
        told = more if isinstance(more, dict) else {}
        names = [told.get("filename"), told.get("name"), one.filename]
        kinds = [told.get("type"), one.content_type, ""]
        kept[one.name] = make_file(_first(names), _first(kinds) or "", one.content)
    return kept


def _first(values: Sequence[object]) -> str | None:
    """The first that is one."""
    return next((one for one in values if one and isinstance(one, str)), None)


def content_ids(told: Mapping[str, Any], files: Mapping[str, File]) -> Mapping[str, int]:
    """By which the HTML names an image: its place among the files, where `told` has its field's name."""
    places = {name: place for place, name in enumerate(files)}
    return {
        id.strip("<> "): places[name] for id, name in told.items() if isinstance(name, str) and name in places
    }


def extra_fields(fields: Fields, names: Sequence[str]) -> dict[str, str]:
    """What the provider itself says of the mail in these fields."""
    found = {name.lower(): _text(fields[name]) for name in names if name in fields}
    return {name: value[:MAX_SAID] for name, value in found.items() if value}


def envelope_recipients(fields: Fields) -> list[str]:
    """Those of our addresses that the mail's envelope names. Raises Invalid where it names none."""
    named = json_field(fields, "envelope").get("to")
    if not isinstance(named, list) or not named:
        raise Invalid.field("envelope", "names nobody whom it reached")
    return [str(one) for one in named]
