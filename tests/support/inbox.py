"""What a person sees of the messages that providers post to a running service."""

import json
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any
from urllib.error import HTTPError
from urllib.parse import unquote, urlencode
from urllib.request import ProxyHandler, Request, build_opener

import boto3

from local import Stack
from local.services.aws import CREDENTIALS
from local.template.template import REGION
from tests.support.http_client import get

if TYPE_CHECKING:
    from http.client import HTTPResponse

CRLF = b"\r\n"
UNREAD = "/api/admin/unread-webhooks"

_opener = build_opener(ProxyHandler({}))  # everything is on this machine


def add_credentials(stack: Stack, credentials: Mapping[str, Mapping[str, object]]) -> None:
    """Add instances' credentials to a stack's secret, before its functions read it for the first time."""
    client = boto3.client(
        "secretsmanager",
        endpoint_url=stack.aws_endpoint,
        region_name=REGION,
        aws_access_key_id=CREDENTIALS["AWS_ACCESS_KEY_ID"],
        aws_secret_access_key=CREDENTIALS["AWS_SECRET_ACCESS_KEY"],
    )
    simulated = json.loads(client.get_secret_value(SecretId=stack.provider_secret)["SecretString"])
    client.put_secret_value(
        SecretId=stack.provider_secret, SecretString=json.dumps({**simulated, **credentials})
    )


class Inbox:
    def __init__(self, stack: Stack) -> None:
        self._stack = stack

    def url(self, path: str) -> str:
        return self._stack.url + path

    def post(self, path: str, body: bytes, headers: Mapping[str, str]) -> int:
        """Return the status of the response. Its body is the vendor's own."""
        try:
            response: HTTPResponse = _opener.open(Request(self.url(path), body, dict(headers)), timeout=60)
            with response:
                return response.status
        except HTTPError as error:
            with error:
                return error.code

    def unread(self) -> list[dict[str, Any]]:
        """The webhooks that an operator has to read, the newest first."""
        listed: list[dict[str, Any]] = get(self.url(f"{UNREAD}?limit=200")).body["unread_webhooks"]
        return listed

    def download(self, id: int) -> bytes:
        """The body of an unread webhook."""
        with _opener.open(self.url(f"{UNREAD}/{id}/raw"), timeout=60) as response:
            body: bytes = response.read()
            return body

    def messages(self, address: str) -> list[dict[str, Any]]:
        """The inbound messages of all conversations with this address, each conversation's oldest first."""
        conversations = get(self.url(f"/api/conversations?{urlencode({'address': address})}")).body
        messages: list[dict[str, Any]] = []
        for conversation in conversations["conversations"]:
            messages += get(self.url(f"/api/conversations/{conversation['id']}/messages")).body["messages"]
        return [message for message in messages if message["direction"] == "inbound"]

    def files(self, message: Mapping[str, Any]) -> tuple[tuple[str, bytes], ...]:
        """The names and contents of the files that the service stores for a message."""
        return tuple(self._file(path) for path in message["attachments"])

    def _file(self, path: str) -> tuple[str, bytes]:
        # The service redirects to the bucket.
        with _opener.open(self.url(path), timeout=60) as file:
            name = file.headers["Content-Disposition"].partition("filename*=UTF-8''")[2]
            return unquote(name), file.read()


def multipart(boundary: str, *parts: tuple[str, bytes, bytes]) -> bytes:
    """A form. The parts have a name, more of their header, and their content."""
    body = b""
    for name, more, content in parts:
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"'.encode()
        body += head + more + CRLF + CRLF + content + CRLF
    return body + f"--{boundary}--\r\n".encode()
