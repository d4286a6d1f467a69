"""The types of a message's fields, with the same limits for requests, webhooks and stored messages."""

import json
import re
from datetime import UTC, datetime
from typing import Annotated, Any, cast

from pydantic import (
    AfterValidator,
    AnyHttpUrl,
    BeforeValidator,
    ConfigDict,
    Field,
    TypeAdapter,
    ValidationError,
)
from pydantic_core import PydanticCustomError

MAX_BODY = 2**20  # bytes of UTF-8

_HEADER_NAME = re.compile(r"[!-9;-~]+")  # RFC 5322: printable ASCII without the colon
_RESERVED_HEADER = re.compile(
    r"(?i)from|sender|to|cc|bcc|reply-to|subject|date|message-id|mime-version|content-.*|received|return-path"
    r"|dkim-signature|resent-.*"
)
_ESCAPED_NUL = re.compile(r"(?<!\\)((?:\\\\)*+)\\u0000")
_NOT_FINITE = re.compile("NaN|Infinity")
_SURROGATE = re.compile(r"[\ud800-\udfff]")
_SECONDS = re.compile(r"[0-9]{1,12}")
_URL = TypeAdapter(AnyHttpUrl, config=ConfigDict(defer_build=True))


def _check_storable(text: str) -> str:
    if "\0" in text:  # Postgres cannot store it in a text column
        raise PydanticCustomError("nul", "must not contain the character NUL")
    if _SURROGATE.search(text):  # UTF-8 cannot encode it
        raise PydanticCustomError("surrogate", "must not contain an unpaired surrogate")
    return text


def clean_text(text: str) -> str:
    """Make the text storable in Postgres: remove NULs and replace each unpaired surrogate by `?`."""
    if text.isascii():  # the usual case, which needs no encoding
        return text.replace("\0", "")
    return text.replace("\0", "").encode(errors="replace").decode()


def _clean_json(fields: dict[str, Any]) -> dict[str, Any]:
    """Make JSON storable in Postgres: as clean_text does, and with null for NaN and Infinity."""
    text = json.dumps(fields, ensure_ascii=False)
    cleaned = clean_text(_ESCAPED_NUL.sub(r"\1", text))
    if cleaned == text and not _NOT_FINITE.search(text):
        return fields  # the usual case
    return cast("dict[str, Any]", json.loads(cleaned, parse_constant=lambda _: None))


def _check_body_size(text: str) -> str:
    if len(text.encode()) > MAX_BODY:
        raise PydanticCustomError("mebibyte", "must be at most 1 MiB of UTF-8")
    return text


def _check_single_line(text: str) -> str:
    if len(text.splitlines()) > 1 or text.endswith(("\r", "\n")):
        raise PydanticCustomError("one_line", "must be a single line")
    return text


def _check_url(text: str) -> str:
    _URL.validate_python(text)  # its result is not used: normalising a signed URL would break the signature
    if text != text.strip() or not text.isprintable():  # pydantic accepts these and drops them
        raise PydanticCustomError("url", "must not contain line ends or other control characters")
    return text


def _null_to_list(value: object) -> object:
    return [] if value is None else value


def _check_rfc3339(value: object) -> object:
    """Refuse the numbers and strings of digits that pydantic would read as seconds or milliseconds."""
    is_time = isinstance(value, datetime) or (isinstance(value, str) and value[4:5] == "-")
    if not is_time:
        raise PydanticCustomError("timestamp", "must be an RFC 3339 time, such as 2024-11-01T14:00:00Z")
    return value


def _to_utc(time: datetime) -> datetime:
    try:
        return time.replace(tzinfo=UTC) if time.tzinfo is None else time.astimezone(UTC)
    except OverflowError as error:
        raise PydanticCustomError("timestamp", "must be between the years 1 and 9999 in UTC") from error


def _clean_if_text(value: object) -> object:
    return clean_text(value) if isinstance(value, str) else value


Text = Annotated[str, AfterValidator(_check_storable)]
Body = Annotated[Text, AfterValidator(_check_body_size)]
CleanedBody = Annotated[Body, BeforeValidator(_clean_if_text)]
"""The body of an inbound message. Characters that cannot be stored are removed or replaced, not refused."""
Subject = Annotated[Text, Field(max_length=998), AfterValidator(_check_single_line)]
"""A header's value: RFC 5322 allows 998 characters, and a second line would be another header."""
WebAddress = Annotated[
    Text, Field(max_length=2048, json_schema_extra={"format": "uri"}), AfterValidator(_check_url)
]
_WEB_ADDRESS: TypeAdapter[str] = TypeAdapter(WebAddress, config=ConfigDict(defer_build=True))


def is_web_address(text: str) -> bool:
    """Whether a text can be the URL of an attachment."""
    try:
        _WEB_ADDRESS.validate_python(text)
    except ValidationError:
        return False
    return True


_WebAddresses = Annotated[list[WebAddress], Field(max_length=100)]
Attachments = Annotated[
    _WebAddresses, BeforeValidator(_null_to_list, json_schema_input_type=_WebAddresses | None)
]
"""URLs. null means none."""
Time = Annotated[datetime, BeforeValidator(_check_rfc3339), AfterValidator(_to_utc)]
"""A time in UTC. A time without an offset is taken as UTC."""


ProviderId = Annotated[Text, Field(min_length=1, max_length=512)]
"""The id that a provider gave to a message."""


def epoch_seconds(text: str) -> int | None:
    """Return the whole seconds since 1970 that a header or field holds, or None if it holds none."""
    return int(text) if _SECONDS.fullmatch(text) else None


def _check_header_name(name: str) -> str:
    if not _HEADER_NAME.fullmatch(name):
        raise PydanticCustomError("header", "must be a valid header name, such as X-Campaign")
    if _RESERVED_HEADER.fullmatch(name):
        raise PydanticCustomError("header", "must not be a header that the message already has")
    return name


def _check_unique_names(headers: dict[str, str]) -> dict[str, str]:
    if len({name.lower() for name in headers}) < len(headers):
        raise PydanticCustomError("header", "must not contain the same header twice")
    return headers


def _null_to_dict(value: object) -> object:
    return {} if value is None else value


HeaderName = Annotated[str, Field(min_length=1, max_length=100), AfterValidator(_check_header_name)]
_Headers = Annotated[dict[HeaderName, Subject], Field(max_length=20), AfterValidator(_check_unique_names)]
Headers = Annotated[_Headers, BeforeValidator(_null_to_dict, json_schema_input_type=_Headers | None)]
"""Extra headers of a mail, by name. null means none."""
Extra = Annotated[dict[str, Any], AfterValidator(_clean_json)]
"""What a provider sent besides the message's own fields. Only what cannot be stored is changed."""
