"""What a provider of email must read of the names beside a mail's addresses."""

from abc import ABC, abstractmethod
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

import pytest

from messaging.address import Mailbox
from messaging.mail.address_header import format_header
from messaging.models import InboundMessage
from messaging.providers.provider import Provider, Webhook

NOW = datetime(2024, 11, 1, 14, tzinfo=UTC)
US, THEM = "user@example.com", "contact@example.org"

Headers = Mapping[str, str]


def parse(provider: Provider, body: bytes, content_type: str) -> InboundMessage:
    webhook = Webhook("https://example.com/hook", "", {"content-type": content_type}, body, NOW)
    [message] = provider.parse(webhook)
    assert isinstance(message, InboundMessage)
    return message


def raw_mail(headers: Headers) -> str:
    return "".join(f"{name}: {value}\r\n" for name, value in headers.items()) + "\r\nHello\r\n"


def names(message: InboundMessage) -> dict[str, Any]:
    fields = {"from_name", "to_name", "cc_names", "reply_to_name"}
    return message.model_dump(include=fields, exclude_none=True)


class ReceivedNames(ABC):
    @abstractmethod
    def deliver(self, headers: Headers) -> InboundMessage:
        """Parse the webhook with a mail to US that has these headers."""

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
                f"=?utf-8?b?5bGx?=\r\n =?utf-8?b?55Sw?= <{THEM}>",
                "\u5c71\u7530",
                id="two folded words",
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
    def test_a_mail_has_the_name_of_its_sender(self, text: str, name: str | None) -> None:
        message = self.deliver({"From": text, "To": US})
        assert (message.sender, message.from_name) == (THEM, name)
        assert names(message) == ({"from_name": name} if name else {})

    def test_a_mail_has_the_names_of_all_its_addresses(self) -> None:
        message = self.deliver(
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

    def test_the_name_of_our_address_is_also_found_in_cc(self) -> None:
        message = self.deliver({"From": THEM, "To": "bob@example.org", "Cc": f"Us <{US}>"})
        assert message.to_name == "Us"

    def test_a_long_name_is_cut_and_complete_in_extra(self) -> None:
        long = ("J\u00fcrgen, " * 100).strip(", ")
        header = format_header("From", [Mailbox(long, THEM)]).decode()
        message = self.deliver({"From": header.removeprefix("From: ").strip(), "To": US})
        assert message.sender == THEM
        assert message.from_name == long[:320].strip()
        assert message.extra["from_name"] == long

    def test_a_name_of_300_characters_that_we_send_is_read_as_it_was(self) -> None:
        for name in ("x" * 300, "\u00e9" * 300, "a, " * 99 + "end", "\u5c71\u7530 " * 99 + "end"):
            header = format_header("From", [Mailbox(name, THEM)]).decode()
            assert self.deliver({"From": header.removeprefix("From: ").strip(), "To": US}).from_name == name
