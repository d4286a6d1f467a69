-- :messages in :conversations, of which the first holds a tenth; the others share the rest, and the messages of
-- all lie among each other. Contacts are bench.requests.contact's.

INSERT INTO contacts (id) SELECT n FROM generate_series(1, :conversations) AS n;
INSERT INTO contact_addresses (address, contact_id)
SELECT '+1804' || lpad(n::text, 7, '0'), n FROM generate_series(1, :conversations) AS n;
INSERT INTO conversations (id, customer_address, contact_address, contact_id, types, created_at, last_message_at)
SELECT n, '+12016661234', '+1804' || lpad(n::text, 7, '0'), n, '{sms}', now() - interval '1 year',
       now() - (n * 7919 % :conversations) * interval '1 minute'
  FROM generate_series(1, :conversations) AS n;
INSERT INTO conversation_participants (conversation_id, address, role)
SELECT id, customer_address, 'customer' FROM conversations
UNION ALL SELECT id, contact_address, 'contact' FROM conversations;
INSERT INTO messages (conversation_id, direction, type, status, body, attachments, "timestamp", size, provider,
                      inbound_key, webhook_request_id, created_at, updated_at)
SELECT CASE WHEN n % 10 = 0 THEN 1 ELSE 2 + n::bigint * 7919 % (:conversations - 1) END, 'inbound', 'sms', 'received',
       'See you at eight, in front of the station; bring the tickets, the umbrella and something to eat.', '[]', times.sent, 300, 'sms', 'sms=filled-' || n, n, times.sent, times.sent
  FROM generate_series(1, :messages) AS n, LATERAL (SELECT now() - (:messages - n) * interval '1 second' AS sent) AS times;
SELECT setval(pg_get_serial_sequence(named, 'id'), (SELECT last FROM (VALUES
           ('contacts', :conversations), ('conversations', :conversations), ('messages', :messages)) AS filled (name, last)
        WHERE name = named)) FROM unnest('{contacts,conversations,messages}'::text[]) AS named;
