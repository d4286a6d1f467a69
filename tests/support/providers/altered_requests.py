"""A vendor's requests with something changed, in any of their formats."""

import json
from collections.abc import Iterator
from typing import Any
from urllib.parse import parse_qsl, urlencode

from hypothesis import strategies as st

Path = tuple[str | int, ...]

ODD_TEXT = ("", "\0", "x", "0", "1", "\ud800", "-1", "9" * 400, "x" * 5000, "\r\n", "🙂", "\\u0000", "null")
ODD: tuple[Any, ...] = (*ODD_TEXT, None, True, 0, -1, 2**63, 10**400, 1.5, [], {}, [[]], {"": ""})

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)
FORM = st.lists(st.tuples(st.text(max_size=20), st.text(max_size=20)), max_size=6)
ANYTHING = (
    st.binary()
    | JSON.map(lambda value: json.dumps(value).encode())
    | FORM.map(lambda fields: urlencode(fields, errors="replace").encode())
    | st.sampled_from([b"[" * 100_000, b'{"a":' * 100_000, b"a=&" * 5000, b"[" + b"{}," * 200_000 + b"{}]"])
)


def altered(body: bytes, content_type: str) -> st.SearchStrategy[bytes]:
    """Bodies with flipped, cut or repeated bytes, and with missing, odd, repeated or additional fields."""
    return altered_bytes(body) | _fields(body, content_type)


def with_field(body: bytes, content_type: str, name: str, value: str) -> bytes:
    """The body with `value` in every field of this name, at any depth."""
    if body[:1] in (b"{", b"["):
        return _written(_renamed(json.loads(body), name, value))
    if "multipart" in content_type:
        parts = multipart(body, content_type)
        return b"".join(_with_content(part, value) if _names(part, name) else part for part in parts)
    fields = [(key, value if key == name else old) for key, old in _form(body)]
    return urlencode(fields, errors="replace").encode()


def with_more(body: bytes, content_type: str) -> bytes:
    """The body with one more field."""
    if body[:1] == b"{":
        return _written({**json.loads(body), "more": "x"})
    if "multipart" in content_type:
        first, *others = multipart(body, content_type)
        head = first.partition(b"\r\n")[0] + b'\r\nContent-Disposition: form-data; name="more"'
        return b"".join((_with_content(head, "x"), first, *others))
    return body + b"&more=x"


def _fields(body: bytes, content_type: str) -> st.SearchStrategy[bytes]:
    if body[:1] in (b"{", b"["):
        document = json.loads(body)
        where = st.sampled_from([(), *paths(document)])
        changes = st.lists(st.tuples(where, st.sampled_from(ODD) | JSON), min_size=1, max_size=3)
        return changes.map(lambda changes: _written(_changed(document, changes))) | _doubled(body, document)
    if "multipart" in content_type:
        return _shuffled(multipart(body, content_type)).map(b"".join)
    names = [name for name, _ in _form(body)]
    more = st.lists(st.tuples(st.sampled_from(names) | st.text(max_size=9), st.sampled_from(ODD_TEXT)))
    pairs = st.tuples(_shuffled(_form(body)), more).map(lambda both: [*both[0], *both[1]])
    return pairs.map(lambda fields: urlencode(fields, errors="replace").encode())


def _shuffled(parts: list[Any]) -> st.SearchStrategy[list[Any]]:
    """Some of the parts, in any order, some of them twice."""
    most = st.permutations(parts).flatmap(
        lambda order: st.integers(0, 3).map(lambda cut: order[: len(order) - cut])
    )
    return most | st.lists(st.sampled_from(parts), max_size=2 * len(parts)) | st.just(parts)


# --- Bytes -------------------------------------------------------------------------------------------


def altered_bytes(body: bytes) -> st.SearchStrategy[bytes]:
    """Bodies with flipped, cut or repeated bytes."""
    at = st.integers(0, max(len(body) - 1, 0))
    flipped = st.lists(st.tuples(at, st.integers(0, 255)), min_size=1, max_size=5).map(
        lambda changes: _flipped(body, changes)
    )
    cut = at.map(lambda end: body[:end])
    doubled = st.tuples(at, at).map(lambda ends: body[: max(ends)] + body[min(ends) :])
    return flipped | cut | doubled


def _flipped(body: bytes, changes: list[tuple[int, int]]) -> bytes:
    flipped = bytearray(body or b"\0")
    for index, value in changes:
        flipped[index] = value
    return bytes(flipped)


# --- Forms -------------------------------------------------------------------------------------------


def _form(body: bytes) -> list[tuple[str, str]]:
    return parse_qsl(body.decode(), keep_blank_values=True)


def multipart(body: bytes, content_type: str) -> list[bytes]:
    """The parts of a multipart body, each with its first line. The last is the line that ends the body."""
    boundary = b"--" + content_type.partition("boundary=")[2].split(";")[0].strip('" ').encode()
    return [boundary + part for part in body.split(boundary)[1:]]


def _names(part: bytes, name: str) -> bool:
    return f'name="{name}"'.encode() in part.partition(b"\r\n\r\n")[0]


def _with_content(part: bytes, value: str) -> bytes:
    return part.partition(b"\r\n\r\n")[0] + b"\r\n\r\n" + value.encode(errors="replace") + b"\r\n"


# --- JSON, and JSON in the strings of JSON -----------------------------------------------------------


def paths(value: Any) -> Iterator[Path]:
    """The path to each value in it, at any depth."""
    inner = _inner(value)
    if isinstance(inner, (dict, list)):
        for name, item in inner.items() if isinstance(inner, dict) else enumerate(inner):
            yield (name,)
            yield from ((name, *path) for path in paths(item))


def value_at(value: Any, path: Path) -> Any:
    """The value at the path. A string that holds JSON is parsed."""
    for name in path:
        value = _inner(value)[name]
    return _inner(value)


def _inner(value: Any) -> Any:
    """The value, parsed if it is a string that holds JSON."""
    if isinstance(value, str) and value[:1] in ("{", "["):
        try:
            return json.loads(value)
        except ValueError:
            return value
    return value


def _doubled(body: bytes, document: Any) -> st.SearchStrategy[bytes]:
    """The body with a repeated name. The second value is at the beginning or at the end."""
    names = st.sampled_from([*document] if isinstance(document, dict) else [""])
    members = st.tuples(names, st.sampled_from(ODD)).map(lambda pair: _written(dict([pair]))[1:-1])
    ends = body.rstrip()
    return members.map(lambda member: body[:1] + member + b"," + body[1:]) | members.map(
        lambda member: ends[:-1] + b"," + member + ends[-1:]
    )


def _changed(value: Any, changes: list[tuple[Path, Any]]) -> Any:
    for path, odd in changes:
        value = at(value, path, odd)
    return value


def at(value: Any, path: Path, odd: Any) -> Any:
    """The value with `odd` at the path; None removes it. Unchanged if nothing is at the path."""
    if not path:
        return odd
    inner = _inner(value)
    name = path[0]
    if isinstance(inner, dict) and name in inner:
        changed: Any = {**inner, name: at(inner[name], path[1:], odd)}
        if not path[1:] and odd is None:
            del changed[name]
    elif isinstance(inner, list) and isinstance(name, int) and name < len(inner):
        changed = [*inner[:name], at(inner[name], path[1:], odd), *inner[name + 1 :]]
    else:
        return value
    return json.dumps(changed) if isinstance(value, str) else changed


def _renamed(value: Any, name: str, text: str) -> Any:
    if isinstance(value, dict):
        return {
            key: text if key == name and not isinstance(item, dict) else _renamed(item, name, text)
            for key, item in value.items()
        }
    return [_renamed(item, name, text) for item in value] if isinstance(value, list) else value


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()
