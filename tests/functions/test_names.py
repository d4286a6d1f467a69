"""Names beside email addresses, through the routes: they are stored, shown, and sent with the message."""

import json
from typing import Any

import pytest

from tests.support.api import (
    EMAIL,
    INBOUND_EMAIL,
    INBOUND_SMS,
    NEW_EMAIL,
    NEW_SMS,
    SMS,
    call,
    message,
    signed,
)
from tests.support.database import Database
from tests.support.names import NAMES

pytestmark = [pytest.mark.usefixtures("providers", "database"), pytest.mark.slow]

NAMED = {
    "from": '"Lee, Ann" <user@example.com>',
    "to": "J\u00fcrgen <contact@example.org>",
    "cc": ["=?utf-8?q?J=C3=B6?= <jo@example.org>", "bob@example.org"],
    "reply_to": "Office <office@example.com>",
}
SHOWN = {
    "from": "user@example.com",
    "from_name": "Lee, Ann",
    "to": "contact@example.org",
    "to_name": "J\u00fcrgen",
    "cc": ["jo@example.org", "bob@example.org"],
    "cc_names": {"jo@example.org": "J\u00f6"},
    "reply_to": "office@example.com",
    "reply_to_name": "Office",
}
NAME_COLUMNS = "from_name, to_name, cc_names, reply_to_name"


def shown(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in SHOWN}


def test_the_names_of_a_sent_email_are_stored_and_shown(database: Database) -> None:
    accepted = call("POST", EMAIL, {**NEW_EMAIL, **NAMED})
    assert accepted.status == 202
    assert shown(accepted.json) == shown(message(1)) == SHOWN
    [listed] = call("GET", "/api/conversations/1/messages").json["messages"]
    assert shown(listed) == SHOWN
    [conversation] = call("GET", "/api/conversations").json["conversations"]
    assert (conversation["customer_address"], conversation["contact_address"]) == (SHOWN["from"], SHOWN["to"])
    assert database.rows("SELECT address FROM conversation_participants WHERE role = 'cc' ORDER BY 1") == [
        ["bob@example.org"],
        ["jo@example.org"],
    ]


def test_a_message_without_names_stores_none(database: Database) -> None:
    call("POST", SMS, NEW_SMS)
    call("POST", EMAIL, NEW_EMAIL)
    for body in (INBOUND_SMS, INBOUND_EMAIL):
        assert (
            call(
                "POST", "/api/webhooks/" + ("email" if "@" in body["to"] else "sms"), body, signed(body)
            ).status
            == 200
        )
    assert database.rows(f"SELECT DISTINCT {NAME_COLUMNS} FROM messages") == [[None] * 4]
    assert message(1)["cc_names"] == {}


def test_the_same_key_with_the_same_names_is_a_replay() -> None:
    body, key = {**NEW_EMAIL, **NAMED}, {"idempotency-key": "a"}
    first, again = (call("POST", EMAIL, body, key) for _ in range(2))
    assert (again.status, again.headers["idempotency-replayed"]) == (202, "true")
    assert again.json == first.json
    other = call("POST", EMAIL, body | {"from": "Bob <user@example.com>"}, key)
    assert (other.status, other.fields) == (422, ["Idempotency-Key"])


@pytest.mark.parametrize("name", NAMES)
def test_any_name_is_shown_as_it_was_given(name: str) -> None:
    assert call("POST", EMAIL, {**NEW_EMAIL, "from_name": name}).json["from_name"] == name
    quoted = '"' + name.replace("\\", "\\\\").replace('"', '\\"') + '"'
    if "=?" not in name:  # beside an address, it would be read as an encoded word
        assert call("POST", EMAIL, {**NEW_EMAIL, "to": f"{quoted} <b@example.org>"}).json["to_name"] == name


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("from_name", "Ann"),
        ("to_name", "Ann"),
        ("cc_names", {"a@example.org": "Ann"}),
        ("reply_to_name", "Ann"),
        ("from", "Ann <+12016661234>"),
        ("to", "Ann <+18045551234>"),
        ("to", "Ann <contact@example.org>"),
    ],
)
def test_a_name_on_the_sms_route_is_refused(database: Database, field: str, value: object) -> None:
    refused = call("POST", SMS, {**NEW_SMS, field: value})
    assert (refused.status, refused.fields) == (422, [field])
    assert database.value("SELECT count(*) FROM messages") == 0


@pytest.mark.parametrize(
    ("fields", "wrong"),
    [
        ({"from": "Ann\r\nBcc: b@example.org <user@example.com>"}, "from_name"),
        ({"to_name": "Ann\nBcc: b@example.org"}, "to_name"),
        ({"from": "Ann <user@example.com>", "from_name": "Bob"}, "from_name"),
        ({"from": "Ann"}, "from"),
        ({"from": "Ann <>"}, "from"),
        ({"to": "x" * 321 + " <contact@example.org>"}, "to_name"),
    ],
)
def test_a_wrong_name_is_refused(fields: dict[str, Any], wrong: str) -> None:
    refused = call("POST", EMAIL, {**NEW_EMAIL, **fields})
    assert (refused.status, refused.fields) == (422, [wrong])


def test_the_names_of_a_received_email_are_stored_and_shown(database: Database) -> None:
    body = {**INBOUND_EMAIL, **NAMED, "from": "J\u00fcrgen <contact@example.org>", "to": NAMED["from"]}
    expected = SHOWN | {
        "from": "contact@example.org",
        "from_name": "J\u00fcrgen",
        "to": "user@example.com",
        "to_name": "Lee, Ann",
    }
    received = call("POST", "/api/webhooks/email", body, signed(body))
    assert received.status == 200
    assert shown(received.json) == shown(message(1)) == expected
    assert call("POST", "/api/webhooks/email", body, signed(body)).json == received.json
    long = {**INBOUND_EMAIL, "from": "x" * 1000 + " <contact@example.org>", "xillio_id": "long"}
    assert call("POST", "/api/webhooks/email", long, signed(long)).json["from_name"] == "x" * 320
    [[extra]] = database.rows("SELECT extra::text FROM messages WHERE id = 2")
    assert json.loads(str(extra)) == {"from_name": "x" * 1000}
