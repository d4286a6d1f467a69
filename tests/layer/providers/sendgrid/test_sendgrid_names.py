"""The names of a mail that Inbound Parse posts, parsed or raw."""

import json
from collections.abc import Mapping

from messaging.models import InboundMessage
from messaging.providers.sendgrid import SendGrid
from tests.support.providers.received_names import US, Headers, ReceivedNames, parse, raw_mail


def sendgrid(fields: Mapping[str, str]) -> InboundMessage:
    envelope = json.dumps({"to": [US], "from": "bounce@example.net"})
    parts = [
        f'--xYzZY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**fields, "envelope": envelope}.items()
    ]
    body = "".join([*parts, "--xYzZY--\r\n"]).encode()
    return parse(SendGrid("x", {}), body, "multipart/form-data; boundary=xYzZY")


class TestParsed(ReceivedNames):
    def deliver(self, headers: Headers) -> InboundMessage:
        lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
        return sendgrid({"headers": lines, "from": headers["From"], "text": "Hello"})


class TestRaw(ReceivedNames):
    def deliver(self, headers: Headers) -> InboundMessage:
        return sendgrid({"email": raw_mail(headers)})
