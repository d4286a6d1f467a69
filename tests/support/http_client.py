"""A client of the HTTP API, which ignores proxies because everything is on this machine."""

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from http.client import HTTPResponse
from threading import Barrier
from typing import Any, TypeVar
from urllib.error import HTTPError
from urllib.request import ProxyHandler, Request, build_opener

T = TypeVar("T")

JSON = "application/json"


@dataclass(frozen=True)
class Answer:
    status: int
    body: Any
    """The value, if the response is JSON, or else the text."""
    headers: Mapping[str, str] = field(default_factory=dict, compare=False)


def call(
    method: str, url: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
) -> Answer:
    """Raises OSError if nothing answers."""
    data = body.encode() if isinstance(body, str) else body
    request = Request(url, data, dict(headers or {}), method=method)
    try:
        with build_opener(ProxyHandler({})).open(request, timeout=60) as response:
            return _answer(response)
    except HTTPError as error:
        with error:
            return _answer(error)


def get(url: str, headers: Mapping[str, str] | None = None) -> Answer:
    return call("GET", url, headers=headers)


def post(url: str, fields: object, headers: Mapping[str, str] | None = None) -> Answer:
    return call("POST", url, json.dumps(fields), {"content-type": JSON, **(headers or {})})


def call_concurrently(calls: Sequence[Callable[[], T]]) -> list[T]:
    """Start all calls at the same moment, and return their results in order."""
    ready = Barrier(len(calls))

    def begin(call: Callable[[], T]) -> T:
        ready.wait()
        return call()

    with ThreadPoolExecutor(len(calls)) as threads:
        return list(threads.map(begin, calls))


def _answer(response: HTTPResponse | HTTPError) -> Answer:
    headers = {name.lower(): value for name, value in response.headers.items()}
    text = response.read().decode()
    is_json = headers.get("content-type", "").partition(";")[0].endswith("json")
    return Answer(response.status or 0, json.loads(text) if is_json else text, headers)
