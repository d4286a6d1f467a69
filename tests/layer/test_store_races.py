"""What the database promises to those who come at the same time: real processes, a connection each."""

from concurrent.futures import ProcessPoolExecutor
from datetime import timedelta

import pytest

from messaging import attempts, store
from messaging.models import InboundMessage, NewSms
from messaging.store import IdempotencyKey
from tests.conftest import Database

CUSTOMER, CONTACT = "+12016661234", "+18045551234"


def send(key: str | None) -> tuple[str, int]:
    message = NewSms.model_validate({"from": CUSTOMER, "to": CONTACT, "body": "out"})
    outcome, kept = store.add_outbound(message, "sms", (key and IdempotencyKey("/sms", key, "print")) or None)
    assert kept
    return outcome, kept.id


def receive(id: str) -> tuple[bool, int]:
    message = InboundMessage.model_validate(
        {"type": "sms", "from": CONTACT, "to": CUSTOMER, "body": "in", "provider_message_id": id}
    )
    created, kept = store.add_inbound(message, "sms")
    return created, kept.id


def claim(id: int) -> int:
    return len(attempts.claim([id], timedelta(seconds=30)))


def either_way(number: int) -> int:
    return send(None)[1] if number % 2 else receive(f"id-{number}")[1]


def test_a_hundred_first_messages_of_a_pair_make_one_conversation_and_one_contact(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    ids = list(environments.map(either_way, range(100)))
    assert sorted(ids) == [row[0] for row in database.rows("SELECT id FROM messages ORDER BY id")]
    assert len(ids) == 100
    assert database.value("SELECT count(*) FROM conversations") == 1
    assert database.value("SELECT count(*) FROM contacts") == 1
    assert database.value("SELECT count(*) FROM contact_addresses") == 1
    assert database.value("SELECT count(*) FROM conversation_participants") == 2


def test_within_a_conversation_the_order_of_ids_is_the_order_of_commits(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    list(environments.map(either_way, range(200)))
    # A transaction's number is drawn before its lock; what was committed first is seen in the row versions.
    assert database.value("SELECT count(*) FROM messages") == 200
    assert database.rows("SELECT id FROM messages ORDER BY created_at, id") == database.rows(
        "SELECT id FROM messages ORDER BY id"
    )


def test_fifty_posts_of_one_inbound_id_keep_one_row_and_all_get_it(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    for round in range(5):
        answers = list(environments.map(receive, [f"same-{round}"] * 50))
        assert sorted(created for created, _ in answers) == [False] * 49 + [True]
        assert len({id for _, id in answers}) == 1
    assert database.value("SELECT count(*) FROM messages") == 5


def test_fifty_sends_with_one_key_make_one_message_and_all_get_it(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    answers = list(environments.map(send, ["key"] * 50))
    assert sorted(outcome for outcome, _ in answers) == ["created"] + ["replayed"] * 49
    assert len({id for _, id in answers}) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def test_fifty_claims_of_one_message_are_granted_once(
    database: Database, environments: ProcessPoolExecutor
) -> None:
    _, id = send(None)
    assert sum(environments.map(claim, [id] * 50)) == 1
    assert database.value("SELECT count(*) FROM attempts") == 1


@pytest.mark.parametrize("limit", [7])
def test_relays_at_once_share_what_is_due(
    database: Database, environments: ProcessPoolExecutor, limit: int
) -> None:
    for _ in range(50):
        send(None)
    database.rows("UPDATE messages SET next_nudge_at = clock_timestamp()")
    taken = [nudge.id for some in environments.map(attempts.due_nudges, [limit] * 8) for nudge in some]
    assert sorted(taken) == list(range(1, 51))
