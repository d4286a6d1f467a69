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

-- Keeps an inbound message once; everyone who brings it gets the row that was kept first.
CREATE OR REPLACE FUNCTION add_inbound(
    in_account bigint, in_provider text, in_provider_message_id text, in_content jsonb, in_extra jsonb,
    OUT created boolean, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    kept messages;
    thread conversations;
BEGIN
    PERFORM lock_provider_message(in_provider, in_provider_message_id);
    SELECT * INTO kept FROM messages m
     WHERE m.provider_type = in_provider AND m.provider_message_id = in_provider_message_id
       AND m.direction = 'inbound';
    created := NOT FOUND;
    IF created THEN
        thread := touch_conversation(
            in_account, in_content ->> 'to', in_content ->> 'from', in_content ->> 'type');
        kept := insert_message(
            thread, 'inbound', 'received', in_provider, in_provider_message_id, NULL, in_content, in_extra);
        IF in_content -> 'cc' <> '[]' THEN
            PERFORM add_participants(thread, in_content -> 'cc');
        END IF;
    ELSE
        SELECT * INTO STRICT thread FROM conversations c WHERE c.id = kept.conversation_id;
    END IF;
    message := message_json(kept, thread);
END $$;
