"""SQL that resets the database between two tests."""

TABLES = (
    "webhook_requests, circuits, idempotency_keys, pending_reports, provider_message_ids, leases,"
    " outbound_queue, message_events, attempts, messages, conversation_participants, conversations,"
    " contact_addresses, contacts"
)
"""In an order in which they can be emptied."""
DELETE = (
    ";".join(f"DELETE FROM {table}" for table in TABLES.split(", "))
    + """;
SELECT setval(format('%I.%I', schemaname, sequencename)::regclass, start_value, false) FROM pg_sequences
"""
)
AUDITED = """
ALTER TABLE audit_events DISABLE TRIGGER audit_events_append_only;
DELETE FROM audit_events;
ALTER TABLE audit_events ENABLE TRIGGER audit_events_append_only
"""
OWN_ALL = "INSERT INTO account_addresses (address, account_id) VALUES ('*', 1)"
"""Account 1 may send from every address that has no owner, as when the service runs on this machine."""
ACCOUNTS = f"""
DELETE FROM api_keys;
DELETE FROM account_sends;
DELETE FROM account_addresses;
DELETE FROM accounts WHERE id > 1;
UPDATE accounts SET name = 'default', sends_per_second = NULL, sends_per_day = NULL WHERE id = 1;
SELECT setval('accounts_id_seq', 1), setval('api_keys_id_seq', 1, false);
{OWN_ALL}
"""
