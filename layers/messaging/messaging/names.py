"""The names beside the email addresses of a message.

A name comes in `Name <address>` or in a field of its own. It is stored and shown in its own field.
"""

import re
from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import AfterValidator, BeforeValidator, Field
from pydantic_core import PydanticCustomError

from messaging.address import EmailAddress, Mailbox, split_mailbox
from messaging.fields import Text, clean_text

MAX_NAME = 320  # characters
MAX_NAMES = 50

NAME_FIELDS = {"from": "from_name", "to": "to_name", "reply_to": "reply_to_name"}
"""The field of the name, by the field of the email address."""

_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def _check_name(text: str) -> str:
    if _CONTROL.search(text):  # a line end would begin another header
        raise PydanticCustomError("name", "must not contain line ends or other control characters")
    if not text.strip():
        raise PydanticCustomError("name", "must not be blank")
    return text.strip()


def _blank_to_null(value: object) -> object:
    return None if isinstance(value, str) and not value.strip() else value


def _empty_to_null(value: object) -> object:
    return None if value == {} else value


_Text = Annotated[Text, Field(max_length=MAX_NAME), AfterValidator(_check_name)]
Name = Annotated[_Text | None, BeforeValidator(_blank_to_null, json_schema_input_type=_Text | None)]
"""One line. A blank name is None."""
_Names = Annotated[dict[Text, _Text], Field(max_length=MAX_NAMES)]
NamesByAddress = Annotated[
    _Names | None, BeforeValidator(_empty_to_null, json_schema_input_type=_Names | None)
]
_NewNames = Annotated[dict[EmailAddress, _Text], Field(max_length=MAX_NAMES)]
NewNamesByAddress = Annotated[
    _NewNames | None, BeforeValidator(_empty_to_null, json_schema_input_type=_NewNames | None)
]


def split_names(fields: Mapping[str, Any]) -> dict[str, Any]:
    """Return the addresses in the fields of an email without their names, and the names in their own fields.

    Fields without a name, and those that are not text, are left out.
    """
    split: dict[str, Any] = {}
    for field, name_field in NAME_FIELDS.items():
        mailbox = split_mailbox(fields[field]) if isinstance(fields.get(field), str) else None
        if mailbox and mailbox.name:
            split |= {field: mailbox.address, name_field: mailbox.name}
    cc = fields.get("cc")
    if isinstance(cc, list):
        copies = [split_mailbox(copy) if isinstance(copy, str) else Mailbox(None, copy) for copy in cc]
        names = {copy.address: copy.name for copy in reversed(copies) if copy.name}
        if names:  # of an address that is there twice, the first name
            split |= {"cc": [copy.address for copy in copies], "cc_names": names}
    return split


def storable_names(fields: Mapping[str, Any]) -> tuple[dict[str, Any], dict[str, Any]]:
    """Return the names of an inbound message as they can be stored, and those that differ from what came.

    Control characters become blanks, and a long name is cut. What is not a name is only in the second result.
    """
    names: dict[str, Any] = {}
    changed: dict[str, Any] = {}
    for field in (*NAME_FIELDS.values(), "cc_names"):
        value = fields.get(field)
        if field == "cc_names":
            name: Any = _storable_by_address(value)
        else:
            name = _storable_name(value)
        names[field] = name
        if name != value:
            changed[field] = value
    return names, changed


def _storable_by_address(value: object) -> dict[str, str] | None:
    if not isinstance(value, dict):
        return None
    names = {address: _storable_name(name) for address, name in value.items() if isinstance(address, str)}
    return {address: name for address, name in list(names.items())[:MAX_NAMES] if name} or None


def _storable_name(value: object) -> str | None:
    if not isinstance(value, str):
        return None
    return _CONTROL.sub(" ", clean_text(value)).strip()[:MAX_NAME].strip() or None
