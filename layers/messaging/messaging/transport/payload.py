"""Parses the bodies of webhooks within limits on their fields, values and memory.

Anyone can send a webhook, and its body must be parsed before its signature can be checked. So a body of the
maximum size must cost little, whatever it contains.
"""

import re
from binascii import unhexlify
from collections.abc import Iterator, Sequence
from itertools import islice
from typing import Any

from pydantic_core import from_json

from messaging.models import MAX_ID
from messaging.problems import Unreadable

MAX_FIELDS = 10_000
"""Fields and files of a form. A vendor sends each header of a mail as a field, too."""
MAX_TOKENS = 200_000
"""Strings, and beginnings of values, in a JSON document. The JSON parser itself limits the depth to 200."""
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+(?:"|\\?\Z)|[,\[{]', re.DOTALL)
_ESCAPE = re.compile(rb"\\(?:u[dD][89abAB]..\\u[dD][c-fC-F]..|(?P<unpaired>u[dD][89a-fA-F]..)|.)", re.DOTALL)
"""An escape in a JSON string: a surrogate pair, an unpaired surrogate, or any other."""
_REPLACEMENT = rb"\ufffd"
_PERCENT_ESCAPES = re.compile(rb"(?:%[0-9A-Fa-f]{2})++")


def json_value(body: bytes) -> Any:
    """Parse JSON. An unpaired surrogate becomes a replacement character.

    Raises Unreadable if the body is not JSON in UTF-8, contains NaN or Infinity, or has more than MAX_TOKENS.
    """
    token_after_last = next(islice(_TOKEN.finditer(body), MAX_TOKENS, None), None)
    if token_after_last:
        raise Unreadable(f"The body has more than {MAX_TOKENS} names and values.")
    try:
        return from_json(body, allow_inf_nan=False)
    except ValueError:
        pass
    try:
        return from_json(_replace_unpaired_surrogates(body), allow_inf_nan=False)
    except ValueError as error:
        raise Unreadable("The body is not JSON.") from error


def _replace_unpaired_surrogates(body: bytes) -> bytes:
    """Replace each escape in place: senders that cut a text can leave one half of an emoji."""
    replaced = bytearray(body)
    for escape in _ESCAPE.finditer(body):
        if escape["unpaired"]:
            replaced[escape.start() : escape.end()] = _REPLACEMENT  # of the same length
    return bytes(replaced)


def json_object(body: bytes) -> dict[str, Any]:
    """Parse a JSON object. Raises Unreadable like `json_value`, and if the body is another JSON value."""
    value = json_value(body)
    if not isinstance(value, dict):
        raise Unreadable("The body is not a JSON object.")
    return value


def urlencoded(text: bytes | str, *, errors: str | None = None) -> Sequence[tuple[str, str]]:
    """Return the names and values of a form or a query in their order, with blank and repeated ones.

    `errors` says how bytes that are not UTF-8 are decoded, as in bytes.decode. The default is that their name
    or value is in windows-1252. Raises Unreadable if there are more than MAX_FIELDS.
    """
    form = text.encode(errors="replace") if isinstance(text, str) else text
    if errors is None:
        return [(decode(name), decode(value)) for name, value in urlencoded_bytes(form)]
    return [
        (name.decode(errors=errors), value.decode(errors=errors)) for name, value in urlencoded_bytes(form)
    ]


def decode(text: bytes) -> str:
    """Decode text that should be in UTF-8, and otherwise is in windows-1252."""
    try:
        return text.decode()
    except UnicodeDecodeError:
        return text.decode("windows-1252", errors="replace")


def urlencoded_bytes(form: bytes) -> Iterator[tuple[bytes, bytes]]:
    """Yield the names and values of an urlencoded form, which may be in any charset.

    Raises Unreadable if there are more than MAX_FIELDS.
    """
    if form.count(b"&") >= MAX_FIELDS:
        raise Unreadable(f"The body has more than {MAX_FIELDS} fields.")
    for pair in form.split(b"&"):
        if not pair:
            continue
        name, _, value = pair.partition(b"=")
        yield _unquote_plus(name), _unquote_plus(value)


def _unquote_plus(text: bytes) -> bytes:
    """Does what urllib.parse.unquote_plus does, which creates two objects for each `%`: up to a gigabyte."""
    text = text.replace(b"+", b" ")
    unquoted = bytearray()
    end = 0
    for escapes in _PERCENT_ESCAPES.finditer(text):
        unquoted += text[end : escapes.start()]
        unquoted += unhexlify(escapes[0].replace(b"%", b""))
        end = escapes.end()
    unquoted += text[end:]
    return bytes(unquoted)


def parse_reference(text: str | None) -> int | None:
    """Return our message id from the reference that a provider sends back, or None if it is not an id."""
    if not text or len(text) > len(str(MAX_ID)):
        return None
    if not (text.isascii() and text.isdigit()):
        return None
    id = int(text)
    return id if id <= MAX_ID else None
