"""A customer with an unusual address is in a conversation, is found by the address, and can be answered."""

from urllib.parse import quote

import pytest

from local.simulators.provider import ProviderSimulator
from tests.support.api import EMAIL, INBOUND_EMAIL, NEW_EMAIL, Answer, call
from tests.support.aws import Aws
from tests.support.configuration import Configure
from tests.support.database import Database

pytestmark = pytest.mark.slow

HOOK = "/api/webhooks/email"
UNUSUAL = [
    "taro..y.@docomo.ne.jp",
    '"ab..cde"@docomo.ne.jp',
    '"john smith"@example.org',
    "john@abc_d.example.org",
    "nas@printer.local",
    "root@localhost",
    "x@[192.0.2.7]",
    "a@b@example.org",
    "a@\u2615.example",
    "\U0001f600" * 300 + "@example.org",
]


@pytest.fixture(autouse=True)
def _services(aws: Aws, providers: ProviderSimulator, configure: Configure, database: Database) -> None:
    configure(ALLOW_UNSIGNED_WEBHOOKS="true")


def receive(sender: str, **fields: object) -> Answer:
    answer = call("POST", HOOK, {**INBOUND_EMAIL, "from": sender, **fields})
    assert answer.status == 200, answer.body
    return answer


def send(to: str, headers: dict[str, str] | None = None) -> Answer:
    return call("POST", EMAIL, {**NEW_EMAIL, "to": to}, headers or {})


@pytest.mark.parametrize("address", UNUSUAL, ids=range(len(UNUSUAL)))
def test_an_unusual_contact_is_shown_found_and_answered(address: str) -> None:
    refused = send(address, {"Idempotency-Key": "k"})
    assert (refused.status, refused.json["errors"]) == (
        422,
        [{"field": "to", "message": "is not an email address"}],
    )
    assert call("GET", "/api/conversations").json["conversations"] == []

    message = receive(f"Ann <{address}>").json
    assert (message["from"], message["from_name"]) == (address, "Ann")
    [found] = call("GET", f"/api/conversations?address={quote(address)}").json["conversations"]
    assert found["contact_address"] == address

    sent = send(address, {"Idempotency-Key": "k"})
    assert (sent.status, sent.json["to"]) == (202, address)
    assert sent.json["conversation_id"] == found["id"]


def test_a_contact_can_be_answered_from_each_address_of_the_account() -> None:
    receive(UNUSUAL[0], to="sales@example.com")
    assert send(UNUSUAL[0]).status == 202


@pytest.mark.parametrize(
    "to",
    [
        "taro..y.@docomo.ne.jp.",
        "contact@example.org.",
        "con\u200btact@example.org",
        f"{'x' * 400}@example.org",
    ],
)
def test_a_wrong_spelling_and_an_address_that_is_too_long_are_refused(to: str) -> None:
    receive("contact@example.org", xillio_id="1")
    receive(f"{'x' * 400}@example.org", xillio_id="2")
    assert send(to).status == 422
    [shortened] = call("GET", "/api/conversations?limit=1").json["conversations"]
    assert send(shortened["contact_address"]).status == 422


def test_the_contact_of_another_account_does_not_count(database: Database) -> None:
    receive(UNUSUAL[0])
    database.rows("UPDATE conversations SET account_id = 0")
    assert send(UNUSUAL[0]).status == 422


@pytest.mark.parametrize(
    ("fields", "expected"),
    [
        ({"from": "Kevin <kevin@example.org"}, {"from": "kevin@example.org", "from_name": "Kevin"}),
        ({"from": "Kevin kevin@example.org"}, {"from": "kevin@example.org", "from_name": "Kevin"}),
        ({"from": "MAILER-DAEMON"}, {"from": "MAILER-DAEMON"}),
        ({"from": "<>"}, {"from": "mailer-daemon@example.com"}),
        ({"from": "", "reply_to": "ann@example.org"}, {"from": "ann@example.org"}),
        ({"to": "user..x@example.com"}, {"to": "user..x@example.com"}),
        (
            {"cc": ["Bob <bob..@example.org>", "nobody", "B@EXAMPLE.org"]},
            {"cc": ["bob..@example.org", "b@example.org"], "cc_names": {"bob..@example.org": "Bob"}},
        ),
        ({"reply_to": '"a b"@example.org'}, {"reply_to": '"a b"@example.org'}),
    ],
)
def test_the_gateway_refuses_no_message_for_its_addresses(
    fields: dict[str, object], expected: dict[str, object]
) -> None:
    message = call("POST", HOOK, {**INBOUND_EMAIL, **fields}).json
    assert {name: message[name] for name in expected} == expected


def test_conversations_with_unusual_addresses_are_paged() -> None:
    for number, address in enumerate(UNUSUAL):
        receive(address, xillio_id=str(number))
    seen: list[str] = []
    cursor = ""
    while len(seen) < len(UNUSUAL):
        page = call("GET", f"/api/conversations?limit=5&address=user@example.com{cursor}").json
        seen += [conversation["contact_address"] for conversation in page["conversations"]]
        cursor = f"&cursor={page['next_cursor']}"
    assert seen == UNUSUAL[::-1]
