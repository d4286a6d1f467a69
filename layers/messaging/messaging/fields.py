"""The types of a message's fields: what each may hold, wherever it comes from."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, AnyHttpUrl, BeforeValidator, ConfigDict, Field, TypeAdapter
from pydantic_core import PydanticCustomError

MAX_BODY = 2**20  # bytes of UTF-8

_HEADER = re.compile(r"[!-9;-~]+")  # RFC 5322: printable, and no colon
_OURS = re.compile(
    r"(?i)from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-.*|received|return-path"
    r"|dkim-signature|resent-.*"
)
_ESCAPED_NUL = re.compile(r"(?<!\\)(?:\\\\)*\\u0000")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SECONDS = re.compile(r"[0-9]{1,12}")
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(defer_build=True))


def _storable(text: str) -> str:
    if "\0" in text:  # Postgres' text cannot hold it
        raise PydanticCustomError("nul", "must not contain the character NUL")
    if _SURROGATE.search(text):  # nor UTF-8
        raise PydanticCustomError("surrogate", "must not contain half of a surrogate pair")
    return text


def clean_text(text: str) -> str:
    """What Postgres can hold of it: no NUL, no half of a surrogate pair."""
    if text.isascii():  # nearly always, and without a copy
        return text.replace("\0", "")
    return text.replace("\0", "").encode(errors="replace").decode()


def _storable_json(fields: dict[str, Any]) -> dict[str, Any]:
    try:
        written = json.dumps(fields, allow_nan=False, ensure_ascii=False)
    except ValueError as error:
        raise PydanticCustomError("not_json", "must not contain a number without an end") from error
    if _ESCAPED_NUL.search(written):
        raise PydanticCustomError("nul", "must not contain the character NUL")
    _storable(written)
    return fields


def _at_most_one_mebibyte(text: str) -> str:
    if len(text.encode()) > MAX_BODY:
        raise PydanticCustomError("mebibyte", "must be at most 1 MiB of UTF-8")
    return text


def _one_line(text: str) -> str:
    if len(text.splitlines()) > 1 or text.endswith(("\r", "\n")):
        raise PydanticCustomError("one_line", "must be a single line")
    return text


def _web_address(text: str) -> str:
    _URL.validate_python(text)  # kept as it was written: a signed URL must not be normalised
    if text != text.strip() or not text.isprintable():  # which that would have dropped
        raise PydanticCustomError("url", "must not contain line ends or other control characters")
    return text


def _listed(value: object) -> object:
    return [] if value is None else value


def _written_time(value: object) -> object:
    """Only RFC 3339: pydantic would read numbers, and strings of digits, as seconds or milliseconds too."""
    if not isinstance(value, (str, datetime)) or (isinstance(value, str) and not value[4:5] == "-"):
        raise PydanticCustomError("timestamp", "must be a time in RFC 3339, such as 2024-11-01T14:00:00Z")
    return value


def _in_utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("timestamp", "must lie between the years 1 and 9999 in UTC") from error


Text = Annotated[str, AfterValidator(_storable)]
Body = Annotated[Text, AfterValidator(_at_most_one_mebibyte)]
CleanedBody = Annotated[
    Body, BeforeValidator(lambda text: clean_text(text) if isinstance(text, str) else text)
]
"""Of a message that somebody sent us: what cannot be kept of it does not lose the rest."""
Subject = Annotated[Text, Field(max_length=998), AfterValidator(_one_line)]
"""A line of a mail's head: RFC 5322 allows 998 characters, and a second line would be a header of its own."""
WebAddress = Annotated[
    Text, Field(max_length=2048, json_schema_extra={"format": "uri"}), AfterValidator(_web_address)
]
_Listed = Annotated[list[WebAddress], Field(max_length=100)]
Attachments = Annotated[_Listed, BeforeValidator(_listed, json_schema_input_type=_Listed | None)]
"""URLs; null is none."""
Time = Annotated[datetime, BeforeValidator(_written_time), AfterValidator(_in_utc)]
"""UTC; a time without an offset is taken as UTC."""


def _from_epoch(seconds: float) -> datetime:
    return datetime.fromtimestamp(seconds, UTC)


ProviderId = Annotated[Text, Field(min_length=1, max_length=512)]
"""The id that a provider gave to a message."""
EpochSeconds = Annotated[
    float, Field(ge=0, lt=253_402_300_800, allow_inf_nan=False), AfterValidator(_from_epoch)
]
"""Seconds since 1970, up to the year 9999; read as a datetime in UTC."""


def epoch_seconds(text: str) -> int | None:
    """Reads a header or field that holds whole seconds since 1970. None if it does not."""
    return int(text) if _SECONDS.fullmatch(text) else None


def _header(name: str) -> str:
    if not _HEADER.fullmatch(name):
        raise PydanticCustomError("header", "must be named as a mail's header is, such as X-Campaign")
    if _OURS.fullmatch(name):
        raise PydanticCustomError("header", "must not name a header that the message has by itself")
    return name


def _each_once(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise PydanticCustomError("header", "must not name a header twice")
    return headers


def _by_name(value: object) -> object:
    return {} if value is None else value


HeaderName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_header)]
_Headers = Annotated[dict[HeaderName, Subject], Field(max_length=20), AfterValidator(_each_once)]
Headers = Annotated[_Headers, BeforeValidator(_by_name, json_schema_input_type=_Headers | None)]
"""Of a mail, beside those that it has by itself; null is none."""
Extra = Annotated[dict[str, Any], AfterValidator(_storable_json)]
"""What a provider says beside, kept raw."""
