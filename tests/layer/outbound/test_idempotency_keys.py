"""Idempotency keys: the same key and body return the same message, until the key expires."""

from datetime import timedelta

import pytest

from messaging.models import Status
from messaging.outbound import store
from messaging.outbound.store import KEY_AGE, AcceptOutcome
from messaging.postgres.database import StatementRejected
from tests.support import messages
from tests.support.database import Database
from tests.support.messages import ACCOUNT, key


def make_older(database: Database, name: str, age: str = "24 h") -> None:
    database.rows(f"UPDATE idempotency_keys SET created_at = now() - interval '{age}' WHERE key = '{name}'")


def test_the_same_key_and_body_return_the_message_as_it_is_now(database: Database) -> None:
    outcome, first = messages.accept(under=key())
    assert outcome is AcceptOutcome.CREATED
    messages.record_sent(messages.claim(first.id))
    outcome, again = messages.accept(under=key())
    assert outcome is AcceptOutcome.REPLAYED
    assert (again.id, again.status, again.provider_message_id) == (first.id, Status.SENT, "p-1")
    assert database.value("SELECT count(*) FROM messages") == 1


def test_the_same_key_with_another_body_is_a_conflict_and_stores_nothing(database: Database) -> None:
    messages.accept(under=key())
    for _ in range(2):
        assert (
            store.accept_message(ACCOUNT, messages.sms(), ["sms"], key(fingerprint="other")).outcome
            is AcceptOutcome.CONFLICT
        )
    assert messages.accept(under=key())[0] is AcceptOutcome.REPLAYED
    assert database.value("SELECT count(*) FROM messages") == 1


def test_keys_with_other_names_or_routes_are_independent(database: Database) -> None:
    messages.accept(under=key("key"))
    assert messages.accept(under=key("Key"))[0] is AcceptOutcome.CREATED
    assert messages.accept(under=key("key")._replace(route="/api/messages/email"))[0] is AcceptOutcome.CREATED
    assert messages.accept(under=key("k" * 255))[0] is AcceptOutcome.CREATED
    assert messages.accept(under=key("\U0001f511 %s :key '\\"))[0] is AcceptOutcome.CREATED
    assert messages.accept()[0] is AcceptOutcome.CREATED
    assert database.value("SELECT count(*) FROM messages") == 6


@pytest.mark.parametrize("fingerprint", ["print", "other"])
def test_an_expired_key_can_be_used_again(database: Database, fingerprint: str) -> None:
    _, first = messages.accept(under=key())
    make_older(database, "key")
    outcome, second = messages.accept(under=key(fingerprint=fingerprint))
    assert outcome is AcceptOutcome.CREATED
    assert second.id != first.id
    outcome, again = messages.accept(under=key(fingerprint=fingerprint))
    assert (outcome, again.id) == (AcceptOutcome.REPLAYED, second.id)
    stored_key = "SELECT message_id, fingerprint, created_at > now() - interval '1 min' FROM idempotency_keys"
    assert database.rows(stored_key) == [[second.id, fingerprint, True]]


def test_a_key_is_valid_for_a_day(database: Database) -> None:
    assert timedelta(hours=24) == KEY_AGE
    messages.accept(under=key())
    make_older(database, "key", "23 h 59 min")
    assert messages.accept(under=key())[0] is AcceptOutcome.REPLAYED
    assert store.delete_expired_keys(10) == 0


def test_a_failed_insert_does_not_use_its_key(database: Database) -> None:
    """The key is inserted before the message, and both are rolled back."""
    database.rows("ALTER TABLE messages ADD CONSTRAINT no CHECK (body <> 'no') NOT VALID")
    try:
        with pytest.raises(StatementRejected, match="23514"):
            messages.accept(messages.sms(body="no"), under=key())
    finally:
        database.rows("ALTER TABLE messages DROP CONSTRAINT no")
    assert database.value("SELECT count(*) FROM idempotency_keys") == 0
    assert database.value("SELECT count(*) FROM contacts") == 0
    assert messages.accept(under=key(fingerprint="other"))[0] is AcceptOutcome.CREATED


def test_only_expired_keys_are_deleted_the_oldest_first(database: Database) -> None:
    for name in "abcde":
        messages.accept(under=key(name))
    for name, age in {"a": "23 h", "b": "24 h", "c": "25 h", "d": "26 h"}.items():
        make_older(database, name, age)
    remaining = "SELECT key FROM idempotency_keys ORDER BY key"
    assert store.delete_expired_keys(2) == 2
    assert database.rows(remaining) == [["a"], ["b"], ["e"]]
    assert store.delete_expired_keys(2) == 1
    assert store.delete_expired_keys(2) == 0
    assert database.rows(remaining) == [["a"], ["e"]]
    assert database.value("SELECT count(*) FROM messages") == 5
