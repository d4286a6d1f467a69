-- Locks a provider's message id until the transaction ends. It is locked before anybody looks the id up, so that the
-- second of two transactions finds what the first has written: an inbound message and its duplicate, or a report and
-- the record of its attempt.
-- Called by add_inbound, add_report, record_attempt, record_attempts and receive_webhook.
CREATE OR REPLACE FUNCTION lock_provider_message(in_provider text, in_provider_message_id text) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(in_provider || ':' || in_provider_message_id, 0))
$$;

-- Takes the same lock without waiting. Returns whether it was free. Called by apply_pending_reports.
CREATE OR REPLACE FUNCTION try_lock_provider_message(in_provider text, in_provider_message_id text) RETURNS boolean
LANGUAGE sql AS $$
    SELECT pg_try_advisory_xact_lock(hashtextextended(in_provider || ':' || in_provider_message_id, 0))
$$;

-- Returns the key of the quarantine's lock. Transactions that put a message into the quarantine share it; one that
-- gives an address to an account has it exclusively. Called by inbound_owner and add_address.
CREATE OR REPLACE FUNCTION quarantine_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('quarantine', 0)
$$;

-- Returns the account that an inbound message belongs to, or 0 for the quarantine. If an account is getting the
-- address at this moment, either this function returns that account, or the account finds the message in the
-- quarantine.
-- Called by add_inbound.
CREATE OR REPLACE FUNCTION inbound_owner(in_address text) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    account bigint := address_owner(in_address);
BEGIN
    IF account = 0 THEN
        PERFORM pg_advisory_xact_lock_shared(quarantine_lock());
        account := address_owner(in_address);
    END IF;
    RETURN account;
END $$;

-- Moves the messages of an address (all messages, if it is *) from the quarantine to the account that now owns the
-- address. The caller holds the quarantine's lock. Nobody has read these conversations yet, so they become
-- conversations of the account. If the account has a conversation of the same addresses from an earlier ownership,
-- the messages join it with the ids they have, and a reader that is past these ids does not see them.
-- Called by add_address.
CREATE OR REPLACE FUNCTION release_quarantined(in_address text, in_account bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    quarantined conversations;
    conversation conversations;
BEGIN
    FOR quarantined IN
        SELECT * FROM conversations c
         WHERE c.account_id = 0 AND in_address IN (c.customer_address, '*')
         ORDER BY c.customer_address, c.contact_address
    LOOP
        conversation := touch_conversation(
            in_account, quarantined.customer_address, quarantined.contact_address, quarantined.types[1]);
        UPDATE conversations c SET types = ARRAY(SELECT DISTINCT unnest(c.types || quarantined.types))
         WHERE c.id = conversation.id;
        UPDATE messages m SET account_id = in_account, conversation_id = conversation.id, version = m.version + 1
         WHERE m.conversation_id = quarantined.id;
        INSERT INTO conversation_participants (conversation_id, account_id, address, role)
        SELECT conversation.id, in_account, p.address, p.role FROM conversation_participants p
         WHERE p.conversation_id = quarantined.id
        ON CONFLICT DO NOTHING;
        DELETE FROM conversation_participants p WHERE p.conversation_id = quarantined.id;
        DELETE FROM conversations c WHERE c.id = quarantined.id;
    END LOOP;
END $$;

-- Returns what identifies the attachments of a message, in a fixed order: the hash of a file's content, and the URL of
-- any other without its query, in which a provider puts a new signature each time. Called by is_same_message.
CREATE OR REPLACE FUNCTION attachment_identities(in_attachments jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT ARRAY(SELECT coalesce(attachment ->> 'key',
                                 regexp_replace(coalesce(attachment ->> 'url', attachment #>> '{}'), '[?#].*', ''))
                   FROM jsonb_array_elements(in_attachments) AS listed (attachment) ORDER BY 1)
$$;

-- Whether a message has the content that a request has for its id: what a person wrote, and to whom. A redelivery may
-- have other times, other fields of the provider and another type. Called by add_inbound.
CREATE OR REPLACE FUNCTION is_same_message(
    message messages, conversation conversations, in_content jsonb
) RETURNS boolean
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT conversation.contact_address = in_content ->> 'from'
       AND conversation.customer_address = in_content ->> 'to'
       AND coalesce(message.subject, '') = coalesce(in_content ->> 'subject', '')
       AND message.body = in_content ->> 'body'
       AND coalesce(message.html, '') = coalesce(in_content ->> 'html', '')
       AND attachment_identities(message.attachments) = attachment_identities(in_content -> 'attachments')
$$;

-- Stores an inbound message once. A call with the same provider's id again returns the message that was stored first.
-- A request that comes again is the same, even if this version of the parser reads it differently. Any other request
-- must have the same content.
-- outcome: created, quarantined (no account owns the address), duplicate, or conflict (the message with this id has
-- other content). Called by add_part.
CREATE OR REPLACE FUNCTION add_inbound(
    in_provider text, in_provider_message_id text, in_content jsonb, in_extra jsonb, in_webhook_request bigint,
    OUT outcome text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    key text := inbound_key(in_provider, in_provider_message_id);
    inserted messages;
    conversation conversations;
BEGIN
    PERFORM lock_provider_message(in_provider, in_provider_message_id);
    -- One statement: a message that leaves the quarantine at this moment changes its conversation.
    SELECT message_json(m, c),
           CASE WHEN m.webhook_request_id = in_webhook_request AND m.created_at < now()  -- not in this transaction
                  OR is_same_message(m, c, in_content)
                THEN 'duplicate' ELSE 'conflict' END
      INTO message, outcome
      FROM messages m JOIN conversations c ON c.id = m.conversation_id
     WHERE m.inbound_key = key;
    IF NOT FOUND THEN
        conversation := touch_conversation(
            inbound_owner(in_content ->> 'to'), in_content ->> 'to', in_content ->> 'from', in_content ->> 'type');
        outcome := CASE conversation.account_id WHEN 0 THEN 'quarantined' ELSE 'created' END;
        inserted := insert_message(
            conversation, 'inbound', 'received', in_provider, key, NULL, in_content, in_extra,
            in_webhook_request => in_webhook_request);
        IF in_content -> 'cc' <> '[]' THEN
            PERFORM add_participants(conversation, in_content -> 'cc');
        END IF;
        message := message_json(inserted, conversation);
    END IF;
END $$;
