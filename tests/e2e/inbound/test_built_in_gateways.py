"""Messages of the built-in JSON gateways: unusual senders, and an id that is used twice."""

import json
import secrets
from typing import Any

import pytest

from tests.support.http_client import Answer, post
from tests.support.inbox import Inbox

CONTACT = "+14155550142"


def post_mail(inbox: Inbox, address: str, **fields: object) -> Answer:
    mail = {"from": "mia@example.org", "to": address, "xillio_id": secrets.token_hex(8), "body": "Hello"}
    return post(inbox.url("/api/webhooks/email"), mail | fields)


@pytest.mark.parametrize(
    ("written", "shown"),
    [
        ("yuki..sato.@ezweb.example", "yuki..sato.@ezweb.example"),
        ('"kim lee"@example.org', '"kim lee"@example.org'),
        ("backup@nas7", "backup@nas7"),
        ("scan@[192.0.2.44]", "scan@[192.0.2.44]"),
        ("Mia <mia@example.org", "mia@example.org"),
        ("Mia Berg mia@example.org", "mia@example.org"),
    ],
)
def test_an_unusual_sender_is_not_refused(inbox: Inbox, address: str, written: str, shown: str) -> None:
    answer = post_mail(inbox, address, **{"from": written})
    assert (answer.status, answer.body.get("from")) == (200, shown), answer
    assert [message["from"] for message in inbox.messages(address)] == [shown]


def test_an_id_with_another_text_is_listed_as_a_conflict(unchecked_inbox: Inbox, number: str) -> None:
    """A gateway whose counter starts again uses an id twice. The first message stays, and nothing is lost."""

    def post_text(body: str) -> Any:
        text = {
            "from": CONTACT,
            "to": number,
            "messaging_provider_id": f"1-{number}",
            "type": "sms",
            "body": body,
        }
        answer = post(unchecked_inbox.url("/api/webhooks/sms"), text)
        assert answer.status == 200
        return answer.body

    first = post_text("On my way")
    assert post_text("On my way")["id"] == first["id"]
    before = unchecked_inbox.unread()
    assert post_text("I am late") == first
    assert [message["body"] for message in unchecked_inbox.messages(number)] == ["On my way"]
    [conflict] = [webhook for webhook in unchecked_inbox.unread() if webhook not in before]
    assert conflict["kind"] == "id_conflict"
    assert json.loads(unchecked_inbox.download(conflict["id"]))["body"] == "I am late"
