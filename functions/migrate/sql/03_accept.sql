-- Keeps a message to be sent, with its conversation, its contact and its Idempotency-Key, or nothing.
--
-- outcome: created, replayed (the key stands for this message, given as it now is), or conflict (the key
-- stands for another body; no message is given). The same token again gives the message that it made:
-- a call whose answer was lost can be made again.

CREATE OR REPLACE FUNCTION accept_message(
    in_account bigint, in_token uuid, in_providers text[], in_policy text, in_content jsonb,
    in_route text, in_key text, in_fingerprint text, in_key_age interval,
    OUT outcome text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    made messages;
    thread conversations;
    kept idempotency_keys;
BEGIN
    IF in_key IS NOT NULL THEN
        -- Waits for whoever is using the same key right now; takes over a key whose time is up.
        INSERT INTO idempotency_keys AS k (account_id, route, key, fingerprint)
        VALUES (in_account, in_route, in_key, in_fingerprint)
        ON CONFLICT (account_id, route, key) DO UPDATE
           SET fingerprint = excluded.fingerprint, created_at = excluded.created_at, message_id = NULL
         WHERE k.created_at <= clock_timestamp() - in_key_age;
        IF NOT FOUND THEN
            SELECT * INTO STRICT kept FROM idempotency_keys k
             WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
            IF kept.fingerprint <> in_fingerprint THEN
                outcome := 'conflict';
                RETURN;
            END IF;
            SELECT * INTO STRICT made FROM messages m WHERE m.id = kept.message_id;
            SELECT * INTO STRICT thread FROM conversations c WHERE c.id = made.conversation_id;
            outcome := CASE made.request_token WHEN in_token THEN 'created' ELSE 'replayed' END;
            message := message_json(made, thread);
            RETURN;
        END IF;
    END IF;

    thread := touch_conversation(in_account, in_content ->> 'from', in_content ->> 'to', in_content ->> 'type');
    made := insert_message(
        thread, 'outbound', 'queued', in_providers[1], NULL, in_token, in_content, NULL, in_providers, in_policy);
    IF made.id IS NULL THEN  -- this token's first call has come through: only its answer was lost
        SELECT * INTO STRICT made FROM messages m WHERE m.request_token = in_token;
    END IF;
    IF in_content -> 'cc' <> '[]' THEN
        PERFORM add_participants(thread, in_content -> 'cc');
    END IF;
    IF in_key IS NOT NULL THEN
        UPDATE idempotency_keys k SET message_id = made.id
         WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
    END IF;
    outcome := 'created';
    message := message_json(made, thread);
END $$;
