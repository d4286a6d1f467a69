"""Texts as Twilio posts them, signed by its own library, and what a person sees of them."""

import base64
import secrets
from urllib.parse import urlencode

import pytest

from tests.layer.providers.twilio import signatures
from tests.support.inbox import Inbox

PATH = "/api/webhooks/sms/twilio"
CONTACT = "+14155550142"


def post_text(
    inbox: Inbox, number: str, query: str = "", signed_query: str = "", **fields: str | None
) -> int:
    """Post a text with these fields. Fields that are None are missing."""
    sid = "SM" + secrets.token_hex(16)
    default = {"MessageSid": sid, "From": CONTACT, "To": number, "Body": "On my way", "NumMedia": "0"}
    form = {name: value for name, value in {**default, **fields}.items() if value is not None}
    url = inbox.url(PATH)
    signed_url = url + (f"?{signed_query or query}" if query else "")
    signature = signatures.signature(signed_url, {name: [value] for name, value in form.items()})
    headers = {signatures.HEADER: signature, "content-type": signatures.FORM}
    return inbox.post(PATH + (f"?{query}" if query else ""), urlencode(form).encode(), headers)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("Wendy's", "Wendy's"),
        ("Bingo!", "Bingo!"),
        ("H*MART", "H*MART"),
        ("Böhm", "Böhm"),
        ("A/B Ltd", "A/B Ltd"),
        # Twilio writes E.164. Digits without a plus are read as E.164 if possible: otherwise the phone would
        # have a second conversation.
        ("14155550142", CONTACT),
        (" 14155550142", CONTACT),
        # Networks still write these forms, which cannot be dialled any more, or not from abroad.
        ("+5215512345678", "+525512345678"),
        ("+541123456789", "+5491123456789"),
        ("+551187654321", "+5511987654321"),
        ("32665", "32665"),
    ],
)
def test_a_sender_is_shown_as_it_can_be_recognised(
    inbox: Inbox, number: str, written: str, shown: str
) -> None:
    assert post_text(inbox, number, From=written) == 200
    [message] = inbox.messages(number)
    assert (message["from"], message["body"]) == (shown, "On my way")


@pytest.mark.parametrize(
    ("first", "second"),
    [
        ("+5215512345678", "+525512345678"),
        ("+5491123456789", "+541123456789"),
        ("+5511987654321", "+551187654321"),
        ("14155550142", CONTACT),
    ],
)
def test_one_phone_has_one_conversation(inbox: Inbox, number: str, first: str, second: str) -> None:
    for written in (first, second):
        assert post_text(inbox, number, From=written) == 200
    messages = inbox.messages(number)
    assert len(messages) == 2
    assert len({message["conversation_id"] for message in messages}) == 1


def test_a_picture_needs_no_body(inbox: Inbox, number: str) -> None:
    url = "https://api.twilio.com/2010-04-01/Accounts/AC1/Messages/MM1/Media/ME1"
    fields = {"NumMedia": "1", "MediaUrl0": url, "MediaContentType0": "image/png"}
    assert post_text(inbox, number, Body=None, **fields) == 200
    [message] = inbox.messages(number)
    assert (message["type"], message["body"], message["attachments"]) == ("mms", "", [url])


def test_a_text_in_base64_is_shown_decoded(inbox: Inbox, number: str) -> None:
    text = "Dear customer, your parcel waits at the station. Bring your identity card, please."
    assert post_text(inbox, number, Body=base64.b64encode(text.encode()).decode()) == 200
    [message] = inbox.messages(number)
    assert message["body"] == text


@pytest.mark.parametrize(
    ("query", "signed_query"),
    [
        ("who=a%40b%3Ac", "who=a@b:c"),
        ("to=mia%40example.org", "to=mia@example.org"),
        ("at=10%3A30&tag=x%20y", "at=10:30&tag=x%20y"),
        ("plain=1", "plain=1"),
    ],
)
def test_a_query_may_be_signed_unescaped(inbox: Inbox, number: str, query: str, signed_query: str) -> None:
    """Twilio calls a URL with `@` and `:` escaped, but signs it as it was configured. Both are the same URL,
    and nobody without the token can sign either."""
    assert post_text(inbox, number, query, signed_query) == 200
    assert [message["body"] for message in inbox.messages(number)] == ["On my way"]


def test_another_query_is_not_signed(inbox: Inbox, number: str) -> None:
    assert post_text(inbox, number, "who=a%40b", "who=a@c") == 403
    assert inbox.messages(number) == []
