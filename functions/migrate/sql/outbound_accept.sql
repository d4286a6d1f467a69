-- Counts a message among its account's: NULL where it may go, else the seconds after which one may. A message that
-- this token has made is counted already. An account without limits is not counted: its row would be the one that
-- all of its sends wait for.
CREATE OR REPLACE FUNCTION take_send(in_account bigint, in_token uuid) RETURNS integer
LANGUAGE plpgsql AS $$
DECLARE
    moment timestamptz := clock_timestamp();
    today date := (moment AT TIME ZONE 'UTC')::date;
    allowed accounts;
BEGIN
    SELECT * INTO allowed FROM accounts a
     WHERE a.id = in_account AND (a.sends_per_second IS NOT NULL OR a.sends_per_day IS NOT NULL);
    IF NOT FOUND OR EXISTS (SELECT FROM messages m WHERE m.request_token = in_token) THEN
        RETURN NULL;
    END IF;
    -- Whoever waited here for another may bring an earlier second than the one that is counted by now.
    INSERT INTO account_sends AS s (account_id, second, in_second, day, in_day)
    VALUES (in_account, date_trunc('second', moment), 1, today, 1)
    ON CONFLICT (account_id) DO UPDATE
       SET second = greatest(s.second, excluded.second),
           in_second = CASE WHEN s.second >= excluded.second THEN s.in_second ELSE 0 END + 1,
           day = greatest(s.day, excluded.day),
           in_day = CASE WHEN s.day >= excluded.day THEN s.in_day ELSE 0 END + 1
     WHERE (s.second < excluded.second OR s.in_second < coalesce(allowed.sends_per_second, s.in_second + 1))
       AND (s.day < excluded.day OR s.in_day < coalesce(allowed.sends_per_day, s.in_day + 1));
    IF FOUND THEN
        RETURN NULL;
    ELSIF EXISTS (SELECT FROM account_sends s
                   WHERE s.account_id = in_account AND s.day >= today AND s.in_day >= allowed.sends_per_day)
    THEN
        RETURN ceil(extract(epoch FROM (today + 1)::timestamp AT TIME ZONE 'UTC' - moment));
    END IF;
    RETURN 1;
END $$;

-- Keeps a message to be sent, with its conversation, its contact and its Idempotency-Key, or nothing.
--
-- outcome: created, replayed (the key stands for this message, given as it now is), or without a message: conflict
-- (the key stands for another body), not_owned (the sending address is not the account's), or limited (the account
-- has sent as much as it may; retry_after says for how many seconds). The same token again gives the message that it
-- made: a call whose answer was lost can be made again.

CREATE OR REPLACE FUNCTION accept_message(
    in_account bigint, in_token uuid, in_providers text[], in_policy text, in_content jsonb,
    in_route text, in_key text, in_fingerprint text, in_key_age interval,
    OUT outcome text, OUT message text, OUT retry_after integer
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

    IF address_owner(in_content ->> 'from') <> in_account THEN
        outcome := 'not_owned';
    ELSE
        retry_after := take_send(in_account, in_token);
        outcome := CASE WHEN retry_after IS NULL THEN 'created' ELSE 'limited' END;
    END IF;
    IF outcome <> 'created' THEN  -- the key stands for nothing
        DELETE FROM idempotency_keys k WHERE k.account_id = in_account AND k.route = in_route AND k.key = in_key;
        RETURN;
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
    message := message_json(made, thread);
END $$;
