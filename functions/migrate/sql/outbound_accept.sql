-- Counts a message against the limits of its account. An account without limits is not counted, because all of its
-- sends would wait for the same row.
-- Returns NULL if the message may be sent (also if this token's message was counted before), else the seconds after
-- which one may. Called by accept_message.
CREATE OR REPLACE FUNCTION take_send(in_account bigint, in_token uuid) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    today date := (moment AT TIME ZONE 'UTC')::date;
    account accounts;
BEGIN
    SELECT * INTO account FROM accounts a
     WHERE a.id = in_account AND (a.sends_per_second IS NOT NULL OR a.sends_per_day IS NOT NULL);
    IF NOT FOUND OR EXISTS (SELECT FROM messages m WHERE m.request_token = in_token) THEN
        RETURN NULL;
    END IF;
    -- A transaction that waited here for another may bring an earlier second than the one that is counted now.
    INSERT INTO account_sends AS s (account_id, second, in_second, day, in_day)
    VALUES (in_account, date_trunc('second', moment), 1, today, 1)
    ON CONFLICT (account_id) DO UPDATE
       SET second = greatest(s.second, excluded.second),
           in_second = CASE WHEN s.second >= excluded.second THEN s.in_second ELSE 0 END + 1,
           day = greatest(s.day, excluded.day),
           in_day = CASE WHEN s.day >= excluded.day THEN s.in_day ELSE 0 END + 1
     WHERE (s.second < excluded.second OR s.in_second < coalesce(account.sends_per_second, s.in_second + 1))
       AND (s.day < excluded.day OR s.in_day < coalesce(account.sends_per_day, s.in_day + 1));
    IF FOUND THEN
        RETURN NULL;
    ELSIF EXISTS (SELECT FROM account_sends s
                   WHERE s.account_id = in_account AND s.day >= today AND s.in_day >= account.sends_per_day)
    THEN
        RETURN ceil(extract(epoch FROM (today + 1)::timestamp AT TIME ZONE 'UTC' - moment));
    END IF;
    RETURN 1;
END $$;

-- Stores a message to be sent, with its conversation, its contact and its Idempotency-Key, or stores nothing.
-- A call with the same token again returns the message that the first call stored, so a call whose answer was lost
-- can be repeated.
--
-- outcome: created; replayed (the key belongs to this message, which is returned as it is now); or without a message:
-- conflict (the key belongs to another body), not_owned (the account does not own the sending address),
-- no_conversation (in_requires_conversation, and the account has none with the recipient; one that exists is never
-- deleted, so that no lock is needed), limited (the account reached its limit; it may send again after retry_after
-- seconds).
-- Called by messaging (accept).
CREATE OR REPLACE FUNCTION accept_message(
    in_account bigint, in_token uuid, in_providers text[], in_policy text, in_content jsonb,
    in_route text, in_key text, in_fingerprint text, in_key_age interval,
    in_requires_conversation boolean DEFAULT false,
    OUT outcome text, OUT message text, OUT retry_after integer
)
LANGUAGE plpgsql AS $$
DECLARE
    accepted messages;
    conversation conversations;
    existing_key idempotency_keys;
BEGIN
    IF in_key IS NOT NULL THEN
        -- Waits for a transaction that uses the same key. Takes over an expired key.
        INSERT INTO idempotency_keys AS k (account_id, route, key, fingerprint)
        VALUES (in_account, in_route, in_key, in_fingerprint)
        ON CONFLICT (account_id, route, key) DO UPDATE
           SET fingerprint = excluded.fingerprint, created_at = excluded.created_at, message_id = NULL
         WHERE k.created_at <= clock_timestamp() - in_key_age;
        IF NOT FOUND THEN
            SELECT * INTO STRICT existing_key FROM idempotency_keys k
             WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
            IF existing_key.fingerprint <> in_fingerprint THEN
                outcome := 'conflict';
                RETURN;
            END IF;
            SELECT * INTO STRICT accepted FROM messages m WHERE m.id = existing_key.message_id;
            SELECT * INTO STRICT conversation FROM conversations c WHERE c.id = accepted.conversation_id;
            outcome := CASE accepted.request_token WHEN in_token THEN 'created' ELSE 'replayed' END;
            message := message_json(accepted, conversation);
            RETURN;
        END IF;
    END IF;

    IF address_owner(in_content ->> 'from') <> in_account THEN
        outcome := 'not_owned';
    ELSIF in_requires_conversation AND NOT EXISTS (
        SELECT FROM conversations c WHERE c.account_id = in_account AND c.contact_address = in_content ->> 'to')
    THEN
        outcome := 'no_conversation';
    ELSE
        retry_after := take_send(in_account, in_token);
        outcome := CASE WHEN retry_after IS NULL THEN 'created' ELSE 'limited' END;
    END IF;
    IF outcome <> 'created' THEN  -- the request does not use up its key
        DELETE FROM idempotency_keys k WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
        RETURN;
    END IF;
    conversation := touch_conversation(
        in_account, in_content ->> 'from', in_content ->> 'to', in_content ->> 'type');
    accepted := insert_message(
        conversation, 'outbound', 'queued', in_providers[1], NULL, in_token, in_content, NULL, in_providers, in_policy);
    IF accepted.id IS NULL THEN  -- the first call with this token succeeded, and only its answer was lost
        SELECT * INTO STRICT accepted FROM messages m WHERE m.request_token = in_token;
    ELSE
        -- The caller dispatches it now.
        INSERT INTO outbound_queue (account_id, conversation_id, message_id, next_attempt_at, dispatch_at)
        VALUES (in_account, conversation.id, accepted.id, accepted.created_at,
                accepted.created_at + dispatch_timeout());
    END IF;
    IF in_content -> 'cc' <> '[]' THEN
        PERFORM add_participants(conversation, in_content -> 'cc');
    END IF;
    IF in_key IS NOT NULL THEN
        UPDATE idempotency_keys k SET message_id = accepted.id
         WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
    END IF;
    message := message_json(accepted, conversation);
END $$;
