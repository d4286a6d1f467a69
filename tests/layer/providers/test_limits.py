"""The length of a text as an SMS, and the limits of a provider."""

import pytest

from messaging.problems import Invalid
from messaging.providers.limits import Limits, sms_length
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
def test_length_counts_as_an_sms_does(text: str, length: int, plain: bool) -> None:
    assert sms_length(text) == (length, plain)


@pytest.mark.parametrize("text", ["x" * 1530, "\u20ac" * 765, "\u4f60" * 670, "\U0001f600" * 335])
def test_the_limit_of_a_body_depends_on_its_alphabet(text: str) -> None:
    LIMITS.check(messages.sms(body=text), "one")
    with pytest.raises(Invalid) as refused:
        LIMITS.check(messages.sms(body=f"{text}x"), "one")
    assert refused.value.errors[0]["field"] == "body"
    assert all("one" in wrong["message"] for wrong in refused.value.errors)


def test_only_an_sms_has_a_limit_for_ucs2_and_only_if_the_provider_has_one() -> None:
    LIMITS.check(messages.sms(body="\u4f60" * 1530, attachments=[URL]), "one")
    Limits(body=1530, attachments=0).check(messages.sms(body="\u4f60" * 1530), "one")
