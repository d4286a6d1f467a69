"""functions/conversations: its event, and the reads as a client uses them."""

import hashlib
from urllib.parse import urlencode

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import EMAIL, INBOUND_SMS, NEW_EMAIL, NEW_SMS, SMS, answer, call, invoke, signed
from tests.support.database import Database
from tests.template.test_events import event

pytestmark = pytest.mark.usefixtures("providers")


@pytest.fixture
def two_conversations(database: Database, providers: ProviderSimulator) -> None:
    """Two conversations. The one by phone has two messages, including the newest."""
    call("POST", EMAIL, NEW_EMAIL)
    call("POST", SMS, NEW_SMS)
    assert call("POST", "/api/webhooks/sms", INBOUND_SMS, signed(INBOUND_SMS)).status == 200


@pytest.mark.usefixtures("two_conversations")
def test_the_sample_event_lists_the_newest_conversation_first() -> None:
    listed = answer(invoke("conversations", event("conversations")))
    assert (listed.status, listed.headers["content-type"]) == (200, "application/json")
    assert listed.json["next_cursor"] is None
    first, second = listed.json["conversations"]
    assert (first["customer_address"], first["contact_address"]) == ("+12016661234", "+18045551234")
    assert first["last_message"] == {"id": 3, "type": "sms", "direction": "inbound", "preview": "in"}
    assert second["last_message"]["type"] == "email"
    assert call("GET", f"/api/conversations/{first['id']}").json == first


def test_an_empty_service_has_an_empty_list(database: Database) -> None:
    assert call("GET", "/api/conversations").json == {"conversations": [], "next_cursor": None}


@pytest.mark.usefixtures("two_conversations")
@pytest.mark.parametrize(
    ("query", "ids"),
    [
        ("address=%2B18045551234", [2]),
        ("address=+18045551234", [2]),  # an unescaped plus
        ("address=+1+(804)+555-1234", [2]),
        ("address=Contact@Example.org", [1]),
        ("address=user@example.com", [1]),
        ("address=nobody@example.org", []),
        ("type=sms", [2]),
        ("type=email", [1]),
        ("type=mms", []),
        ("type=sms&address=user@example.com", []),
        ("updated_since=2024-11-01T14:00:00Z", [2, 1]),
        ("updated_since=9999-01-01T00:00:00Z", []),
    ],
)
def test_a_filter_selects_conversations(query: str, ids: list[int]) -> None:
    listed = call("GET", f"/api/conversations?{query}")
    assert [conversation["id"] for conversation in listed.json["conversations"]] == ids


@pytest.mark.parametrize(
    ("senders", "queries"),
    [
        (["McDonald's"], ["McDonald's", " McDonald's "]),
        (["Müller", " Müller "], ["Müller"]),
        (["楽天"], ["楽天"]),
        (["a\tb"], ["a\tb", "a\u2409b"]),
        (["x" * 5000], ["x" * 303 + "…" + hashlib.sha256(b"x" * 5000).hexdigest()[:16]]),
        (["18045551234", "+18045551234", "0018045551234"], ["18045551234", "+1 804 555 1234"]),
        (["+5215512345678", "+525512345678"], ["+5215512345678", "+525512345678"]),
        (["+5491123456789", "+541123456789"], ["+54 11 2345-6789", "+54 9 11 2345-6789"]),
        (["+551187654321", "+5511987654321"], ["+55 11 8765-4321", "+5511987654321"]),
    ],
    ids=["apostrophe", "blanks", "Japanese", "control", "long", "no plus", "Mexico", "Argentina", "Brazil"],
)
def test_all_spellings_of_a_sender_are_one_conversation(
    database: Database, senders: list[str], queries: list[str]
) -> None:
    for number, sender in enumerate(senders):
        message = {**INBOUND_SMS, "from": sender, "messaging_provider_id": f"message-{number}"}
        assert call("POST", "/api/webhooks/sms", message, signed(message)).status == 200
    for query in queries:
        listed = call("GET", f"/api/conversations?{urlencode({'address': query})}")
        assert [conversation["id"] for conversation in listed.json["conversations"]] == [1]
    assert database.value("SELECT count(*) FROM messages") == len(senders)
    assert database.value("SELECT count(*) FROM webhook_requests WHERE fault IS NOT NULL") == 0


@pytest.mark.usefixtures("two_conversations")
def test_pages_show_each_message_once() -> None:
    cursor, seen = "", []
    while page := call("GET", f"/api/conversations/2/messages?limit=1{cursor}").json:
        seen += [message["id"] for message in page["messages"]]
        cursor = f"&cursor={page['next_cursor']}"
        if not page["messages"]:
            break
    assert seen == [2, 3]
    newest = call("GET", "/api/conversations/2/messages?order=desc").json
    assert [message["id"] for message in newest["messages"]] == [3, 2]
    assert newest["next_cursor"] is None


@pytest.mark.usefixtures("two_conversations")
def test_a_message_is_read_with_its_events() -> None:
    assert call("GET", "/api/messages/3").json["events"] == []
