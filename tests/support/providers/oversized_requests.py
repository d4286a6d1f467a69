"""A vendor's requests with too many parts, too long values, or too deep nesting."""

import json
from collections.abc import Iterator
from typing import Any

from tests.support.providers import altered_requests


def grown(body: bytes, content_type: str, size: int) -> Iterator[bytes]:
    """Requests of about `size` bytes each."""
    if body[:1] in (b"{", b"["):
        yield from map(_written, _json(json.loads(body), size))
    elif "multipart" in content_type:
        yield from _multipart(body, content_type, size)
    else:
        for pair in body.split(b"&"):
            yield body + b"&" + pair * (size // max(len(pair), 1))
            yield body + (b"&" + pair) * (size // (len(pair) + 1))
            yield body + (b"&" + pair) * 500
        yield body + b"%F0%9F%98%80" * (size // 12)


def _written(value: Any) -> bytes:
    return json.dumps(value).encode()


def _json(value: Any, size: int) -> Iterator[Any]:
    for path in altered_requests.paths(value):
        yield altered_requests.at(value, path, "x" * size)
        yield altered_requests.at(value, path, "\0" * (size // 6))
        yield altered_requests.at(value, path, _deep(150))
    for path in ((), *altered_requests.paths(value)):
        items = altered_requests.value_at(value, path)
        if isinstance(items, list) and items:
            many = items * (size // len(_written(items)) + 1)
            yield altered_requests.at(value, path, many)


def _deep(levels: int) -> Any:
    deep: Any = "x"
    for _ in range(levels):
        deep = [{"": deep}]
    return deep


def _multipart(body: bytes, content_type: str, size: int) -> Iterator[bytes]:
    parts = altered_requests.multipart(body, content_type)
    for index, part in enumerate(parts[:-1]):
        following = b"".join(parts[index + 1 :])
        head, _, content = part.partition(b"\r\n\r\n")
        for filling in (b"x", b"\r\n", b'"', b"[", b"{", b"=", b"\xe9", b"<a@b.example>,", content):
            many = filling * (size // max(len(filling), 1))
            yield b"".join(parts[:index]) + head + b"\r\n\r\n" + many + b"\r\n" + following
        yield b"".join(parts[:index]) + part * min(size // len(part), 900) + following
