"""The names of a received mail, as each provider of email delivers it: parsed, raw, or in a notification."""

import base64
import json
from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from urllib.parse import urlencode

import pytest

from messaging.address import Mailbox
from messaging.mail.address_header import format_header
from messaging.models import InboundMessage
from messaging.providers.mailgun import Mailgun
from messaging.providers.provider import Provider, Webhook
from messaging.providers.sendgrid import SendGrid
from messaging.providers.ses import Ses
from tests.support.providers import sns

NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)
US, THEM = "user@example.com", "contact@example.org"
URLENCODED = "application/x-www-form-urlencoded"

Headers = Mapping[str, str]


def parse(provider: Provider, body: bytes, content_type: str) -> InboundMessage:
    webhook = Webhook("https://example.com/hook", "", {"content-type": content_type}, body, NOW)
    [message] = provider.parse(webhook)
    assert isinstance(message, InboundMessage)
    return message


def raw_mail(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\nHello\r\n"


def sendgrid(fields: Mapping[str, str]) -> InboundMessage:
    envelope = json.dumps({"to": [US], "from": "bounce@example.net"})
    parts = [
        f'--xYzZY\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'
        for name, value in {**fields, "envelope": envelope}.items()
    ]
    body = "".join([*parts, "--xYzZY--\r\n"]).encode()
    return parse(SendGrid("x", {}), body, "multipart/form-data; boundary=xYzZY")


def sendgrid_parsed(headers: Headers) -> InboundMessage:
    lines = "".join(f"{name}: {value}\n" for name, value in headers.items())
    return sendgrid({"headers": lines, "from": headers["From"], "text": "Hello"})


def mailgun(fields: Mapping[str, str]) -> InboundMessage:
    body = urlencode({"recipient": US, "sender": "bounce@example.net", **fields}).encode()
    return parse(Mailgun("x", {}), body, URLENCODED)


def mailgun_parsed(headers: Headers) -> InboundMessage:
    pairs = json.dumps([[name, value] for name, value in headers.items()])
    return mailgun({"from": headers["From"], "message-headers": pairs, "body-plain": "Hello"})


def ses(headers: Headers) -> InboundMessage:
    event = {
        "notificationType": "Received",
        "content": base64.b64encode(raw_mail(headers).encode()).decode(),
        "mail": {"messageId": "id-1", "source": "bounce@example.net"},
        "receipt": {
            "timestamp": "2024-11-01T14:00:00Z",
            "recipients": [US],
            "action": {"type": "SNS", "encoding": "BASE64"},
        },
    }
    return parse(Ses("x", {}), sns.webhook(sns.signed(sns.envelope(event))).body, "text/plain")


DELIVERIES: Mapping[str, Callable[[Headers], InboundMessage]] = {
    "SendGrid parsed": sendgrid_parsed,
    "SendGrid raw": lambda headers: sendgrid({"email": raw_mail(headers)}),
    "Mailgun parsed": mailgun_parsed,
    "Mailgun raw": lambda headers: mailgun({"body-mime": raw_mail(headers)}),
    "SES": ses,
}


@pytest.fixture(params=list(DELIVERIES.values()), ids=list(DELIVERIES))
def deliver(request: pytest.FixtureRequest) -> Callable[[Headers], InboundMessage]:
    delivery: Callable[[Headers], InboundMessage] = request.param
    return delivery


def names(message: InboundMessage) -> dict[str, Any]:
    fields = {"from_name", "to_name", "cc_names", "reply_to_name"}
    return message.model_dump(include=fields, exclude_none=True)


@pytest.mark.parametrize(
    ("text", "name"),
    [
        pytest.param(f"Ann <{THEM}>", "Ann", id="a word"),
        pytest.param(f'"Lee, Ann" <{THEM}>', "Lee, Ann", id="a comma in quotes"),
        pytest.param(rf'"Ann \"Al\" Lee" <{THEM}>', 'Ann "Al" Lee', id="escaped quotes"),
        pytest.param(f'"<ann>; @ x" <{THEM}>', "<ann>; @ x", id="special characters in quotes"),
        pytest.param(f"O'Neill <{THEM}>", "O'Neill", id="an apostrophe"),
        pytest.param(f"=?utf-8?q?J=C3=BCrgen?= <{THEM}>", "J\u00fcrgen", id="an encoded word"),
        pytest.param(
            f"=?utf-8?b?5bGx?=\r\n =?utf-8?b?55Sw?= <{THEM}>", "\u5c71\u7530", id="two folded encoded words"
        ),
        pytest.param(
            f"=?iso-8859-1?q?M=FCller=2C_J=2E?= <{THEM}>", "M\u00fcller, J.", id="a comma in a word"
        ),
        pytest.param(f"J\u00fcrgen <{THEM}>", "J\u00fcrgen", id="UTF-8 that is not encoded"),
        pytest.param(f"{THEM} (Ann Lee)", "Ann Lee", id="a comment"),
        pytest.param(THEM, None, id="no name"),
        pytest.param(f"{THEM} <{THEM}>", None, id="the address as its name"),
        pytest.param(f'"" <{THEM}>', None, id="an empty name"),
    ],
)
def test_a_mail_has_the_name_of_its_sender(
    deliver: Callable[[Headers], InboundMessage], text: str, name: str | None
) -> None:
    message = deliver({"From": text, "To": US})
    assert (message.sender, message.from_name) == (THEM, name)
    assert names(message) == ({"from_name": name} if name else {})


def test_a_mail_has_the_names_of_all_its_addresses(deliver: Callable[[Headers], InboundMessage]) -> None:
    message = deliver(
        {
            "From": f"Ann <{THEM}>",
            "To": f'Bob <bob@example.org>, "User, Our" <{US.upper()}>',
            "Cc": "=?utf-8?q?J=C3=B6?= <jo@example.org>, nobody@example.org",
            "Reply-To": "Office <office@example.org>",
        }
    )
    assert names(message) == {
        "from_name": "Ann",
        "to_name": "User, Our",
        "cc_names": {"jo@example.org": "J\u00f6"},
        "reply_to_name": "Office",
    }
    assert message.cc == ["jo@example.org", "nobody@example.org"]


def test_the_name_of_our_address_is_also_found_in_cc(deliver: Callable[[Headers], InboundMessage]) -> None:
    message = deliver({"From": THEM, "To": "bob@example.org", "Cc": f"Us <{US}>"})
    assert message.to_name == "Us"


def test_a_long_name_is_cut_and_complete_in_extra(deliver: Callable[[Headers], InboundMessage]) -> None:
    long = ("J\u00fcrgen, " * 100).strip(", ")
    header = format_header("From", [Mailbox(long, THEM)]).decode()
    message = deliver({"From": header.removeprefix("From: ").strip(), "To": US})
    assert message.sender == THEM
    assert message.from_name == long[:320].strip()
    assert message.extra["from_name"] == long


def test_a_name_of_300_characters_that_we_send_is_read_as_it_was(
    deliver: Callable[[Headers], InboundMessage],
) -> None:
    for name in ("x" * 300, "\u00e9" * 300, "a, " * 99 + "end", "\u5c71\u7530 " * 99 + "end"):
        header = format_header("From", [Mailbox(name, THEM)]).decode()
        assert deliver({"From": header.removeprefix("From: ").strip(), "To": US}).from_name == name
