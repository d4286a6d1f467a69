"""The names of a mail that Mailgun forwards, parsed or raw."""

import json
from collections.abc import Mapping
from urllib.parse import urlencode

from messaging.models import InboundMessage
from messaging.providers.mailgun import Mailgun
from tests.layer.providers.mailgun.signatures import URLENCODED
from tests.support.providers.received_names import US, Headers, ReceivedNames, parse, raw_mail


def mailgun(fields: Mapping[str, str]) -> InboundMessage:
    body = urlencode({"recipient": US, "sender": "bounce@example.net", **fields}).encode()
    return parse(Mailgun("x", {}), body, URLENCODED)


class TestParsed(ReceivedNames):
    def deliver(self, headers: Headers) -> InboundMessage:
        pairs = json.dumps([[name, value] for name, value in headers.items()])
        return mailgun({"from": headers["From"], "message-headers": pairs, "body-plain": "Hello"})


class TestRaw(ReceivedNames):
    def deliver(self, headers: Headers) -> InboundMessage:
        return mailgun({"body-mime": raw_mail(headers)})
