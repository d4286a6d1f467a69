"""What the database guarantees to concurrent callers: real processes with a connection each."""

from datetime import timedelta
from uuid import UUID

import pytest

from messaging.models import Status
from messaging.outbound import attempts, store
from tests.support import messages
from tests.support.database import Database
from tests.support.race import Race

pytestmark = pytest.mark.slow


def send(key: str | None) -> tuple[str, int]:
    outcome, message = messages.accept(under=messages.key(key) if key else None)
    return outcome, message.id


def receive(id: str) -> tuple[bool, int]:
    created, message = messages.receive(id)
    return created, message.id


def send_or_receive(number: int) -> int:
    return send(None)[1] if number % 2 else receive(f"id-{number}")[1]


def claim(ids: list[int]) -> list[int]:
    return [message.id for message in messages.claim_all(ids)]


def take_due(limit: int) -> list[int]:
    return [dispatch.message_id for dispatch in attempts.take_due_dispatches(limit)]


def test_a_hundred_first_messages_create_one_conversation_and_one_contact(
    database: Database, race: Race
) -> None:
    ids = race("contact_addresses", send_or_receive, range(100))
    assert sorted(ids) == list(range(1, 101))
    assert database.value("SELECT count(*) FROM messages") == 100
    for table in ("conversations", "contacts", "contact_addresses"):
        assert database.value(f"SELECT count(*) FROM {table}") == 1
    assert database.value("SELECT count(*) FROM conversation_participants") == 2


def to(number: int) -> int:
    """Start a conversation of its own for each number, with one of two contacts."""
    message = messages.sms(**{"from": f"+1201666{number:04}", "to": f"+1804555000{number % 2}"})
    return messages.accept(message)[1].conversation_id


def test_concurrent_first_messages_create_no_unused_contact(database: Database, race: Race) -> None:
    assert len(set(race("contact_addresses", to, range(64)))) == 64
    assert database.value("SELECT count(*) FROM contacts") == 2
    message = "SELECT count(*) FROM conversations c JOIN contact_addresses a USING (contact_id)"
    assert database.value(f"{message} WHERE a.address = c.contact_address") == 64


def test_fifty_requests_with_one_inbound_id_store_one_row_and_all_return_it(
    database: Database, race: Race
) -> None:
    answers = race("conversations", receive, ["same"] * 50)
    assert sorted(created for created, _ in answers) == [False] * 49 + [True]
    assert len({id for _, id in answers}) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def test_fifty_sends_with_one_key_create_one_message_and_all_return_it(
    database: Database, race: Race
) -> None:
    answers = race("idempotency_keys", send, ["key"] * 50)
    assert sorted(outcome for outcome, _ in answers) == ["created"] + ["replayed"] * 49
    assert len({id for _, id in answers}) == 1
    assert database.value("SELECT count(*) FROM messages") == 1


def test_an_expired_key_is_reused_once(database: Database, race: Race) -> None:
    _, first = send("key")
    database.rows("UPDATE idempotency_keys SET created_at = now() - interval '1 day'")
    answers = race("idempotency_keys", send, ["key"] * 20)
    assert sorted(outcome for outcome, _ in answers) == ["created"] + ["replayed"] * 19
    assert {id for _, id in answers} == {first + 1}


def test_one_of_fifty_claims_gets_the_message(database: Database, race: Race) -> None:
    id = messages.accept()[1].id
    assert sorted(race("messages", claim, [[id]] * 50)) == [[]] * 49 + [[id]]
    assert database.value("SELECT count(*) FROM attempts") == 1


def test_concurrent_claims_share_the_messages(database: Database, race: Race) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(30)]
    claims = race("messages", claim, [ids, ids[::-1]] * 8)
    assert sorted(id for claimed in claims for id in claimed) == ids
    assert database.value("SELECT count(*) FROM attempts") == 30


def test_concurrent_relays_share_the_due_dispatches(database: Database, race: Race) -> None:
    for _ in range(50):
        messages.accept()
    database.rows("UPDATE outbound_queue SET dispatch_at = now()")
    dispatched_ids = [id for ids in race("outbound_queue", take_due, [7] * 8) for id in ids]
    assert sorted(dispatched_ids) == list(range(1, 51))


def test_concurrent_relays_expire_each_lease_once(database: Database, race: Race) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(50)]
    attempts.claim(ids, timedelta(seconds=-1))
    assert sum(race("messages", attempts.expire_leases, [7] * 8)) == 50
    assert database.value("SELECT count(*) FROM message_events") == 50


def test_concurrent_relays_delete_each_key_once(database: Database, race: Race) -> None:
    for number in range(50):
        send(f"key-{number}")
    database.rows("UPDATE idempotency_keys SET created_at = now() - interval '1 day'")
    assert sum(race("idempotency_keys", store.delete_expired_keys, [7] * 8)) == 50


def record_or_report(work: tuple[str, UUID]) -> str:
    """Record an attempt, or delivers the report about it, which has only the provider's id."""
    action, token = work
    if action == "record":
        return attempts.record(token, Status.SENT, provider_message_id=f"p-{token}").status
    return messages.report(Status.DELIVERED, f"p-{token}")[0]


def test_a_report_is_applied_before_and_after_its_attempt_is_recorded(database: Database, race: Race) -> None:
    tokens = [messages.claim_new().token for _ in range(60)]
    work = [(action, token) for token in tokens for action in ("record", "report")]
    outcomes = race("attempts, pending_reports", record_or_report, work)
    assert set(outcomes[1::2]) <= {"moved", "pending"}
    assert database.rows("SELECT status, count(*) FROM messages GROUP BY 1") == [["delivered", 60]]
    assert database.value("SELECT count(*) FROM pending_reports") == 0
    assert database.rows("SELECT kind, count(*) FROM message_events GROUP BY 1 ORDER BY 1") == [
        ["attempt", 60],
        ["report", 60],
    ]


def move(status: Status) -> str:
    return messages.report(status, "p-1")[0]


def test_concurrent_reports_move_a_message_only_forward(database: Database, race: Race) -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    reports = [Status.SENT, Status.READ, Status.DELIVERED, Status.FAILED] * 10
    outcomes = race("message_events", move, reports)
    assert 1 <= outcomes.count("moved") <= 4
    assert messages.read(id).status is Status.READ
    assert len(messages.read(id).events) == 41
    assert database.value("SELECT report_rank FROM messages") == 4


def record_or_expire(work: tuple[str, UUID]) -> str | int:
    action, token = work
    if action == "expire":
        return attempts.expire_leases(1)
    return attempts.record(token, Status.SENT, provider_message_id=f"p-{token}").status


@pytest.mark.slow
def test_a_record_wins_against_the_end_of_its_lease_in_either_order(database: Database, race: Race) -> None:
    ids = [messages.accept(messages.sms_to_new_contact())[1].id for _ in range(30)]
    claimed = messages.claim_all(ids, timedelta(seconds=-1))
    race(
        "message_events",
        record_or_expire,
        [(action, message.token) for message in claimed for action in ("record", "expire")],
    )
    assert database.rows("SELECT status, count(*) FROM messages GROUP BY 1") == [["sent", 30]]
    assert database.value("SELECT count(*) FROM messages WHERE error_code IS NOT NULL") == 0
