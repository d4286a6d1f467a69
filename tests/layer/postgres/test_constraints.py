"""The constraints of the tables refuse invalid rows, whatever writes them."""

import pg8000.native
import pytest

from tests.support import messages
from tests.support.database import Database

MESSAGE = {
    "conversation_id": "1",
    "direction": "'outbound'",
    "type": "'sms'",
    "status": "'queued'",
    "body": "''",
    "attachments": "'[]'",
    '"timestamp"': "now()",
    "size": "0",
    "provider": "'sms'",
    "providers": "'{sms}'",
    "delivery_policy": "'at_most_once'",
    "provider_message_id": "NULL",
    "inbound_key": "NULL",
    "request_token": "NULL",
}
INBOUND = {
    "direction": "'inbound'",
    "status": "'received'",
    "providers": "NULL",
    "delivery_policy": "NULL",
    "inbound_key": "'sms=id-2'",
}


def insert(**columns: str) -> str:
    row = MESSAGE | columns
    return f"INSERT INTO messages ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def conversation(**columns: str) -> str:
    row = {
        "customer_address": f"'{messages.CUSTOMER}'",
        "contact_address": "'+1'",
        "contact_id": "1",
        "types": "'{}'",
    } | columns
    return f"INSERT INTO conversations ({', '.join(row)}) VALUES ({', '.join(row.values())})"


def attempt(number: str, id: str, token: str = "gen_random_uuid()") -> str:
    columns = "message_id, number, token, provider, provider_message_id"
    return f"INSERT INTO attempts ({columns}) VALUES (1, {number}, {token}, 'sms', {id})"


def event(kind: str, time: str = "now()", message: int = 1) -> str:
    columns = "message_id, attempt, kind, provider, occurred_at"
    return f"INSERT INTO message_events ({columns}) VALUES ({message}, 1, {kind}, 'sms', {time})"


def provider_id(id: str) -> str:
    return f"INSERT INTO provider_message_ids VALUES (1, 'sms', {id}, 1, 2)"


@pytest.fixture
def stored(database: Database) -> Database:
    """Message 1 was sent as p-1 under a token, and message 2 was received as id-1, both in conversation 1."""
    messages.record_sent(messages.claim_new(), "p-1")
    messages.receive("id-1")
    messages.report(None, "p-1")
    messages.report(None, "p-2")
    return database


INSERT_PENDING_REPORT = "INSERT INTO pending_reports (provider, provider_message_id, occurred_at) SELECT"
INSERT_LEASE = "INSERT INTO leases (conversation_id, message_id, expires_at)"
SET_FAILURE = "UPDATE attempts SET failure ="
TOKEN = "(SELECT request_token FROM messages WHERE direction = 'outbound' LIMIT 1)"
ATTEMPT = "(SELECT token FROM attempts LIMIT 1)"
REPORTED_AT = "(SELECT occurred_at FROM message_events WHERE kind = 'report' LIMIT 1)"


@pytest.mark.parametrize(
    "statement",
    [
        insert(),
        insert(**INBOUND),
        insert(**INBOUND | {"inbound_key": "'other=id-1'"}),
        insert(provider_message_id="'id-1'"),
        conversation(),
        conversation(customer_address="'+1'", contact_address=f"'{messages.CUSTOMER}'"),
        attempt("2", "'p-9'"),
        provider_id("'p-9'"),
        attempt("2", "NULL"),
        event("'report'"),
        event("'attempt'"),
    ],
)
def test_a_valid_row_is_accepted(stored: Database, statement: str) -> None:
    stored.rows(statement)


@pytest.mark.parametrize(
    ("statement", "constraint"),
    [
        (insert(**INBOUND | {"status": "'queued'"}), "messages_status_check"),
        (insert(**INBOUND | {"status": "'sent'"}), "messages_status_check"),
        (insert(status="'received'"), "messages_status_check"),
        (insert(status="'lost'"), "messages_status_check"),
        (insert(direction="'sideways'"), "messages_status_check"),
        (insert(type="'fax'"), "messages_type_check"),
        (insert(**INBOUND | {"inbound_key": "'sms=id-1'"}), "messages_inbound_key"),
        (insert(**INBOUND | {"inbound_key": "NULL"}), "messages_inbound_key_check"),
        (insert(**INBOUND | {"provider_message_id": "'id-2'"}), "messages_inbound_key_check"),
        (insert(inbound_key="'sms=id-2'"), "messages_inbound_key_check"),
        (insert(providers="NULL"), "messages_outbound_check"),
        (insert(providers="'{}'"), "messages_outbound_check"),
        (insert(delivery_policy="NULL"), "messages_outbound_check"),
        (insert(delivery_policy="'whenever'"), "messages_delivery_policy_check"),
        (insert(request_token=TOKEN), "messages_request_token_key"),
        (insert(conversation_id="99"), "messages_conversation_id_fkey"),
        (
            conversation(contact_address=f"'{messages.CONTACT}'"),
            "conversations_account_id_contact_address_customer_address_key",
        ),
        (conversation(contact_id="99"), "conversations_contact_id_fkey"),
        (f"INSERT INTO contact_addresses VALUES (1, '{messages.CONTACT}', 1)", "contact_addresses_pkey"),
        ("INSERT INTO contact_addresses VALUES (1, '+1', 99)", "contact_addresses_contact_id_fkey"),
        (
            "INSERT INTO conversation_participants (conversation_id, address, role) VALUES (1, '+1', 'bcc')",
            "conversation_participants_role_check",
        ),
        (attempt("1", "NULL"), "attempts_pkey"),
        (provider_id("'p-1'"), "provider_message_ids_pkey"),
        (attempt("2", "NULL", ATTEMPT), "attempts_token_key"),
        (event("'unknown_word'"), "message_events_kind_check"),
        (event("'report'", REPORTED_AT), "message_events_report_key"),
        (event("'report'", message=99), "message_events_message_id_fkey"),
        (
            f"{INSERT_PENDING_REPORT} 'sms', 'p-2', occurred_at FROM pending_reports",
            "pending_reports_report_key",
        ),
        (f"{INSERT_LEASE} VALUES (1, 1, now()), (1, 2, now())", "leases_pkey"),
        (f"{SET_FAILURE} 'unknown_word'", "attempts_failure_check"),
        (
            "INSERT INTO idempotency_keys (route, key, fingerprint) VALUES ('r', 'k', 'f'), ('r', 'k', 'g')",
            "idempotency_keys_pkey",
        ),
        ("DELETE FROM messages WHERE id = 1", "attempts_message_id_fkey"),
    ],
)
def test_an_invalid_row_is_refused_by_its_constraint(
    stored: Database, statement: str, constraint: str
) -> None:
    with pytest.raises(pg8000.native.DatabaseError, match=f"'n': '{constraint}'"):
        stored.rows(statement)
