"""Texts as Telnyx posts them, signed by the library that its own uses, and what a person sees of them."""

import json
import secrets
from typing import Any

import pytest

from tests.layer.providers.telnyx import signatures
from tests.support.inbox import Inbox

PATH = "/api/webhooks/sms/telnyx"
CONTACT = "+14155550142"


def post_text(inbox: Inbox, number: str, **fields: Any) -> None:
    payload = {
        "id": secrets.token_hex(8),
        "type": "SMS",
        "from": {"phone_number": CONTACT},
        "to": [{"phone_number": number}],
        "text": "On my way",
        "media": [],
    }
    event = {
        "event_type": "message.received",
        "occurred_at": "2025-01-06T10:00:00Z",
        "payload": payload | fields,
    }
    body = json.dumps({"data": event}).encode()
    headers = {**signatures.headers(body), "content-type": "application/json"}
    assert inbox.post(PATH, body, headers) == 200


@pytest.mark.parametrize(
    ("fields", "shown"),
    [
        ({"media": None}, {"type": "sms", "body": "On my way", "attachments": []}),
        (
            {"text": None, "type": "MMS", "media": [{"url": "https://a.example/1"}]},
            {"type": "mms", "body": ""},
        ),
        ({"from": {"phone_number": "Wendy's"}}, {"from": "Wendy's"}),
        ({"from": {"phone_number": "H*MART"}}, {"from": "H*MART"}),
        ({"from": {"phone_number": "14155550142"}}, {"from": CONTACT}),
        ({"from": {"phone_number": "+5215512345678"}}, {"from": "+525512345678"}),
        ({"cc": None, "errors": None}, {"body": "On my way"}),
    ],
)
def test_a_text_is_shown_whatever_is_null_or_unusual(
    inbox: Inbox, number: str, fields: dict[str, Any], shown: dict[str, Any]
) -> None:
    post_text(inbox, number, **fields)
    [message] = inbox.messages(number)
    assert {name: message[name] for name in shown} == shown
