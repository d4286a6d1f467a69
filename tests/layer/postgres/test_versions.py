"""Every change of a message increments its version, whichever function makes the change."""

from collections.abc import Iterator
from datetime import timedelta

import pytest

from messaging.accounts import store as accounts
from messaging.models import Status
from messaging.outbound import attempts
from tests.support import messages
from tests.support.database import Database
from tests.support.messages import LEASE

CHECKED = """
    CREATE TABLE changes (edge text);
    CREATE FUNCTION check_version() RETURNS trigger LANGUAGE plpgsql AS $$
    BEGIN
        IF NEW.version <> OLD.version + 1 THEN
            RAISE EXCEPTION 'the version went from % to %', OLD.version, NEW.version;
        END IF;
        INSERT INTO changes VALUES (format('%s > %s', OLD.status, NEW.status));
        RETURN NULL;
    END $$;
    CREATE TRIGGER check_version AFTER UPDATE ON messages FOR EACH ROW EXECUTE FUNCTION check_version();
"""
UNCHECKED = "DROP TRIGGER check_version ON messages; DROP FUNCTION check_version; DROP TABLE changes"


@pytest.fixture
def checked(database: Database) -> Iterator[Database]:
    """A database that refuses a change of a message without a new version, and records the other changes."""
    database.rows(CHECKED)
    yield database
    database.rows(UNCHECKED)


def changes(database: Database) -> list[object]:
    return [edge for [edge] in database.rows("SELECT DISTINCT edge FROM changes ORDER BY 1")]


def test_a_message_starts_at_version_1(database: Database) -> None:
    assert messages.accept()[1].version == 1
    assert messages.receive()[1].version == 1


def test_every_step_of_delivery_increments_the_version(checked: Database) -> None:
    messages.record_sent(messages.claim_new(), "p-1")
    attempts.record(messages.claim_new().token, Status.FAILED)
    attempts.record(messages.claim_new().token, Status.QUEUED, wait=timedelta())
    for status in (Status.QUEUED, Status.FAILED, Status.UNKNOWN):
        assert attempts.resolve(messages.unknown_outcome().token, status, "code", "reason")
    late = messages.unknown_outcome()
    attempts.resolve(late.token, Status.QUEUED, "code", "reason")
    attempts.record(late.token, Status.SENT)
    attempts.claim([messages.accept(messages.sms_to_new_contact())[1].id], timedelta(seconds=-1))
    assert attempts.expire_leases(10) == 1
    old = messages.accept(messages.sms_to_new_contact())[1].id
    aged = "UPDATE messages SET created_at = now() - interval '9 days', version = version + 1 WHERE id = :id"
    checked.rows(aged, id=old)
    assert attempts.claim([old], LEASE).expired == [old]
    assert changes(checked) == [
        "queued > failed",
        "queued > queued",
        "queued > sending",
        "queued > sent",
        "sending > failed",
        "sending > queued",
        "sending > sent",
        "sending > unknown",
        "unknown > failed",
        "unknown > queued",
        "unknown > unknown",
    ]


def test_a_postponement_to_the_first_provider_increments_the_version(checked: Database) -> None:
    id = messages.accept(messages.sms_to_new_contact())[1].id
    checked.rows("UPDATE messages SET providers = '{first,sms}', version = version + 1")
    checked.rows("INSERT INTO circuits VALUES ('first', now(), 'infinity', 1), ('sms', now(), 'infinity', 1)")
    attempts.claim([id], LEASE)
    assert checked.rows("SELECT provider, version FROM messages") == [["first", 3]]


def test_reports_and_provider_ids_increment_the_version(checked: Database) -> None:
    id = messages.record_sent(messages.claim_new(), "p-1")
    before = messages.read(id).version
    for status in (Status.SENT, Status.DELIVERED, Status.DELIVERED, Status.READ, None):
        messages.report(status, "p-1")
    assert messages.read(id).version == before + 3
    sending = messages.claim_new().id
    messages.report(Status.DELIVERED, "p-2", reference=sending)
    assert messages.read(sending).version == 4  # accepted, claimed, given its provider's id, reported


def test_leaving_the_quarantine_increments_the_version(checked: Database) -> None:
    checked.rows("DELETE FROM account_addresses")
    messages.receive()
    accounts.add_address("operator", messages.ACCOUNT, messages.CUSTOMER)
    assert checked.value("SELECT version FROM messages") == 2
