-- Taken before anybody looks for a provider's id, so that whoever comes second finds what the first made:
-- an inbound message and its duplicate, a report and the record of the attempt that it speaks of.
CREATE OR REPLACE FUNCTION lock_provider_message(in_provider text, in_provider_message_id text) RETURNS void
LANGUAGE sql AS $$
    SELECT pg_advisory_xact_lock(hashtextextended(in_provider || ':' || in_provider_message_id, 0))
$$;

-- The same lock for one who does not wait; whether it is had now.
CREATE OR REPLACE FUNCTION try_provider_message(in_provider text, in_provider_message_id text) RETURNS boolean
LANGUAGE sql AS $$
    SELECT pg_try_advisory_xact_lock(hashtextextended(in_provider || ':' || in_provider_message_id, 0))
$$;

-- Shared by those who leave a message in the quarantine; had alone by whoever gives an address to an account.
CREATE OR REPLACE FUNCTION quarantine_lock() RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT hashtextextended('quarantine', 0)
$$;

-- The account that an inbound message belongs to: an address that becomes somebody's right now either is by the end
-- of this, or its new owner finds the message in the quarantine.
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

-- Gives what is in the quarantine for an address (of *, for all) to the account that owns it from this transaction
-- on, which has the quarantine's lock. Nobody has seen these conversations: they become conversations of the
-- account's own. Where it has one of the same pair already, from when it owned the address before, a reader that is
-- further on does not come by them.
CREATE OR REPLACE FUNCTION release_quarantined(in_address text, in_account bigint) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    held conversations;
    thread conversations;
BEGIN
    FOR held IN
        SELECT * FROM conversations c
         WHERE c.account_id = 0 AND in_address IN (c.customer_address, '*')
         ORDER BY c.customer_address, c.contact_address
    LOOP
        thread := touch_conversation(in_account, held.customer_address, held.contact_address, held.types[1]);
        UPDATE conversations c SET types = ARRAY(SELECT DISTINCT unnest(c.types || held.types)) WHERE c.id = thread.id;
        UPDATE messages m SET account_id = in_account, conversation_id = thread.id WHERE m.conversation_id = held.id;
        INSERT INTO conversation_participants (conversation_id, account_id, address, role)
        SELECT thread.id, in_account, p.address, p.role FROM conversation_participants p
         WHERE p.conversation_id = held.id
        ON CONFLICT DO NOTHING;
        DELETE FROM conversation_participants p WHERE p.conversation_id = held.id;
        DELETE FROM conversations c WHERE c.id = held.id;
    END LOOP;
END $$;

-- Keeps an inbound message once; everyone who brings it gets the row that was kept first.
CREATE OR REPLACE FUNCTION add_inbound(
    in_provider text, in_provider_message_id text, in_content jsonb, in_extra jsonb,
    OUT outcome text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    kept messages;
    thread conversations;
BEGIN
    PERFORM lock_provider_message(in_provider, in_provider_message_id);
    -- As one: a message that leaves the quarantine right now changes its conversation.
    SELECT message_json(m, c) INTO message FROM messages m JOIN conversations c ON c.id = m.conversation_id
     WHERE m.provider = in_provider AND m.provider_message_id = in_provider_message_id
       AND m.direction = 'inbound';
    IF FOUND THEN
        outcome := 'duplicate';
    ELSE
        thread := touch_conversation(
            inbound_owner(in_content ->> 'to'), in_content ->> 'to', in_content ->> 'from', in_content ->> 'type');
        outcome := CASE thread.account_id WHEN 0 THEN 'quarantined' ELSE 'created' END;
        kept := insert_message(
            thread, 'inbound', 'received', in_provider, in_provider_message_id, NULL, in_content, in_extra);
        IF in_content -> 'cc' <> '[]' THEN
            PERFORM add_participants(thread, in_content -> 'cc');
        END IF;
        message := message_json(kept, thread);
    END IF;
END $$;
