"""A server that answers requests as Twilio's API does, and records them."""

import json
import socket
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import NamedTuple
from urllib.parse import parse_qs

from messaging.providers.twilio import Twilio
from tests.support.tcp_server import read_request, serve

ACCOUNT = "AC" + "0123456789abcdef" * 2
MESSAGES = f"/2010-04-01/Accounts/{ACCOUNT}/Messages.json"


class Request(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    form: dict[str, list[str]]


@contextmanager
def answering(
    status: int, answer: object, head: str = "", secret: Mapping[str, object] = {}
) -> Iterator[tuple[Twilio, list[Request]]]:
    """A provider with these fields in its secret. Every request of it gets this answer."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    requests: list[Request] = []

    def script(client: socket.socket) -> None:
        requests.append(_parsed(read_request(client)))
        lines = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        client.sendall(lines.encode() + body)

    with serve(script) as address:
        fields = {"account_sid": ACCOUNT, "auth_token": "token", "api_url": f"http://{address}/"}
        yield Twilio("twilio-eu", {**fields, **secret}), requests


def _parsed(request: bytes) -> Request:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Request(method, path, parse_qs(query), headers, parse_qs(body.decode(), keep_blank_values=True))
