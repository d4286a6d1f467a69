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


class Asked(NamedTuple):
    method: str
    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]
    form: dict[str, list[str]]


@contextmanager
def answering(
    status: int, answer: object, head: str = "", secret: Mapping[str, object] = {}
) -> Iterator[tuple[Twilio, list[Asked]]]:
    """A provider with these fields in its secret. Every request of it gets this answer."""
    body = answer if isinstance(answer, bytes) else json.dumps(answer).encode()
    asked: list[Asked] = []

    def script(client: socket.socket) -> None:
        asked.append(_asked(read_request(client)))
        lines = f"HTTP/1.1 {status} x\r\nContent-Length: {len(body)}\r\n{head}\r\n"
        client.sendall(lines.encode() + body)

    with serve(script) as address:
        fields = {"account_sid": ACCOUNT, "auth_token": "token", "api_url": f"http://{address}/"}
        yield Twilio("twilio-eu", {**fields, **secret}), asked


def _asked(request: bytes) -> Asked:
    head, _, body = request.partition(b"\r\n\r\n")
    first, *lines = head.decode().split("\r\n")
    method, target, _ = first.split(" ")
    path, _, query = target.partition("?")
    headers = {name.lower(): value for name, value in (line.split(": ", 1) for line in lines)}
    return Asked(method, path, parse_qs(query), headers, parse_qs(body.decode(), keep_blank_values=True))
