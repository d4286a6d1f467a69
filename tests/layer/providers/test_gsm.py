"""How long a text is as an SMS, and what a provider takes of it."""

import pytest

from messaging.problems import Invalid
from messaging.providers import gsm
from messaging.providers.provider import Limits
from tests.support import messages

LIMITS = Limits(body=1530, body_in_ucs2=670, attachments=10)
URL = "https://example.com/a.png"


@pytest.mark.parametrize(
    ("text", "length", "plain"),
    [
        ("", 0, True),
        ("Hello, World!\r\n", 15, True),
        ("\u00e4\u00f6\u00fc\u00df\u00e0\u00c7", 6, True),
        ("{\u20ac}", 6, True),
        ("\u00e7", 1, False),
        ("`", 1, False),
        ("\u4f60\u597d", 2, False),
        ("\U0001f600!", 3, False),
    ],
)
def test_counts_as_an_sms_does(text: str, length: int, plain: bool) -> None:
    assert gsm.length(text) == (length, plain)


@pytest.mark.parametrize("text", ["x" * 1530, "\u20ac" * 765, "\u4f60" * 670, "\U0001f600" * 335])
def test_takes_as_much_as_its_alphabet_lets_fit(text: str) -> None:
    LIMITS.check(messages.sms(body=text), "one")
    with pytest.raises(Invalid) as refused:
        LIMITS.check(messages.sms(body=f"{text}x"), "one")
    assert refused.value.errors[0]["field"] == "body"
    assert all("one" in wrong["message"] for wrong in refused.value.errors)


def test_an_mms_and_a_provider_that_counts_nothing_apart_have_one_length() -> None:
    LIMITS.check(messages.sms(body="\u4f60" * 1530, attachments=[URL]), "one")
    Limits(body=1530, attachments=0).check(messages.sms(body="\u4f60" * 1530), "one")
