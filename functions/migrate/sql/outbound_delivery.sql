-- Returns a message with its attempt, as its provider gets it (models.OutboundMessage), which ignores the columns that
-- it has no field for. Called by claim_messages.
CREATE OR REPLACE FUNCTION outbound_json(message messages, attempt attempts) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (to_jsonb(message) || jsonb_build_object(
               'token', attempt.token, 'attempt', attempt.number,
               'attempted_at', rfc3339(attempt.started_at),
               'tries', attempt.number - (SELECT count(*) FROM attempts a
                                           WHERE a.message_id = message.id AND a.number < attempt.number
                                             AND a.failure IN ('misconfigured', 'sender_not_allowed')),
               'provider', attempt.provider,
               'from', c.customer_address, 'to', c.contact_address,
               'attachments', jsonb_path_query_array(message.attachments, '$[*].url'),
               'timestamp', rfc3339(message.timestamp)))::text
      FROM conversations c WHERE c.id = message.conversation_id
$$;

-- Stores the event of a message that changed its status without an attempt and without a report.
-- Called by claim_next and resolve_attempt.
CREATE OR REPLACE FUNCTION add_resolved_event(in_message messages, in_code text, in_reason text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason, occurred_at)
    VALUES (in_message.account_id, in_message.id, in_message.attempt_count, 'resolved', in_message.provider,
            in_message.status, in_code, in_reason, clock_timestamp())
$$;

-- Returns the first message of a conversation that can be sent now, or no row.
-- Called by claim_next, record_attempt and expire_leases.
CREATE OR REPLACE FUNCTION next_in_line(in_conversation bigint) RETURNS SETOF messages
LANGUAGE sql STABLE ROWS 1 AS $$
    SELECT m.*
      FROM outbound_queue q JOIN messages m ON m.id = q.message_id AND m.status = 'queued'
     WHERE q.conversation_id = in_conversation AND q.next_attempt_at <= clock_timestamp()
     ORDER BY q.message_id LIMIT 1
$$;

-- Claims the next message of a conversation for one attempt with this token. A message that is too old fails here,
-- and one that no provider can take now is postponed. Nothing is claimed while another message of the conversation is
-- under way: its lease is the lock.
-- waiting_id: the message that goes next, if another one is under way. expired_ids: the messages that were too old.
-- Called by claim_messages.
CREATE OR REPLACE FUNCTION claim_next(
    in_conversation bigint, in_token uuid, in_lease interval, in_max_age interval,
    OUT waiting_id bigint, OUT expired_ids bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    next messages;
    chosen_provider text;
BEGIN
    FOR turn IN 1..100 LOOP  -- each turn but the last ends a message, or has lost a race
        SELECT * INTO next FROM next_in_line(in_conversation);
        IF NOT FOUND THEN
            RETURN;
        ELSIF EXISTS (SELECT FROM leases l WHERE l.conversation_id = in_conversation) THEN
            waiting_id := next.id;
            RETURN;
        ELSIF next.created_at + in_max_age <= clock_timestamp() THEN
            UPDATE messages m
               SET status = 'failed', version = m.version + 1, updated_at = clock_timestamp(),
                   error_code = 'expired', error_reason = concat(
                       'It was too old to be tried again.', ' The last failure was: ' || m.error_reason)
             WHERE m.id = next.id AND can_follow(m.status, 'failed', 'claim')
            RETURNING m.* INTO next;
            IF FOUND THEN
                DELETE FROM outbound_queue q WHERE q.conversation_id = in_conversation AND q.message_id = next.id;
                PERFORM add_resolved_event(next, next.error_code, next.error_reason);
                expired_ids := expired_ids || next.id;
            END IF;
            CONTINUE;
        END IF;

        chosen_provider := pick_provider(next);
        IF chosen_provider IS NULL THEN
            -- The relay dispatches it when the first circuit is half-open. Until then it keeps its place, because the
            -- messages behind it wait for the same providers.
            UPDATE messages m SET provider = m.providers[1], version = m.version + 1
             WHERE m.id = next.id AND m.status = 'queued' AND m.provider <> m.providers[1];
            UPDATE outbound_queue q
               SET dispatch_at = (SELECT CASE WHEN bool_or(c.open_until IS NULL) THEN clock_timestamp()
                                              ELSE min(c.open_until) END
                                    FROM unnest(next.providers) AS listed (name)
                                    LEFT JOIN circuits c ON c.provider = listed.name)
             WHERE q.conversation_id = in_conversation AND q.message_id = next.id;
            RETURN;
        END IF;

        INSERT INTO leases (account_id, conversation_id, message_id, expires_at)
        VALUES (next.account_id, in_conversation, next.id, clock_timestamp() + in_lease)
        ON CONFLICT (conversation_id) DO NOTHING;
        CONTINUE WHEN NOT FOUND;  -- another message of the conversation got under way
        UPDATE messages m
           SET status = 'sending', attempt_count = m.attempt_count + 1, provider = chosen_provider,
               version = m.version + 1, updated_at = clock_timestamp()
         WHERE m.id = next.id AND can_follow(m.status, 'sending', 'claim')
           -- With the lease, nobody else can postpone it.
           AND EXISTS (SELECT FROM outbound_queue q
                        WHERE q.conversation_id = in_conversation AND q.message_id = next.id
                          AND q.next_attempt_at <= clock_timestamp())
        RETURNING m.* INTO next;
        IF FOUND THEN
            DELETE FROM outbound_queue q WHERE q.conversation_id = in_conversation AND q.message_id = next.id;
            INSERT INTO attempts (account_id, message_id, number, token, provider)
            VALUES (next.account_id, next.id, next.attempt_count, in_token, chosen_provider);
            RETURN;
        END IF;
        DELETE FROM leases l WHERE l.conversation_id = in_conversation;
    END LOOP;
    waiting_id := next.id;
END $$;

-- Claims messages for one attempt each, with tokens that the caller made. Returns rows of four kinds:
--
-- claimed  A message to send. An id stands for its conversation, whose messages are sent one after the other in the
--          order of their ids; messages that wait for a retry, and those of unknown outcome, let later ones pass. So
--          the first message that can be sent is claimed. The same tokens again return the same messages while their
--          attempts are open.
-- waiting  The next message of a conversation in which an attempt is under way. It is to be dispatched again.
-- expired  A message that was too old, and has failed.
-- unknown  A message of unknown outcome whose provider is to be asked, with the seconds since the attempt ended. No
--          other caller gets it until it is due again: after as long a time, at the latest in_unknown_after after its
--          attempt.
-- Called by messaging (claim).
CREATE OR REPLACE FUNCTION claim_messages(
    in_ids bigint[], in_tokens uuid[], in_lease interval, in_max_age interval, in_unknown_after interval
)
RETURNS TABLE (
    kind text, id bigint, account_id bigint, message text, unknown_seconds double precision, resend boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    asked record;
    next record;
BEGIN
    IF NOT EXISTS (SELECT FROM attempts a WHERE a.token = ANY (in_tokens)) THEN
        FOR asked IN
            SELECT DISTINCT ON (m.conversation_id) m.conversation_id, m.account_id, listed.token
              FROM unnest(in_ids, in_tokens) AS listed (id, token)
              JOIN messages m ON m.id = listed.id AND m.direction = 'outbound'
             ORDER BY m.conversation_id, m.id
        LOOP
            next := claim_next(asked.conversation_id, asked.token, in_lease, in_max_age);
            IF next.waiting_id IS NOT NULL THEN
                RETURN QUERY
                    SELECT 'waiting', next.waiting_id, asked.account_id, NULL, NULL::double precision, NULL::boolean;
            END IF;
            IF next.expired_ids IS NOT NULL THEN
                RETURN QUERY
                    SELECT 'expired', expired.id, asked.account_id, NULL, NULL::double precision, NULL::boolean
                      FROM unnest(next.expired_ids) AS expired (id);
            END IF;
        END LOOP;
    END IF;

    RETURN QUERY
        SELECT 'claimed', m.id, m.account_id, outbound_json(m, a), NULL::double precision, NULL::boolean
          FROM attempts a
          JOIN messages m ON m.id = a.message_id AND m.attempt_count = a.number AND m.status = 'sending'
         WHERE a.token = ANY (in_tokens) AND a.outcome IS NULL;

    RETURN QUERY
        UPDATE outbound_queue q
           SET next_attempt_at = check_at.time, dispatch_at = check_at.time
          FROM messages m JOIN attempts a ON a.message_id = m.id AND a.number = m.attempt_count,
               LATERAL (SELECT clock_timestamp() - coalesce(a.ended_at, a.started_at) AS age) AS unknown,
               LATERAL (SELECT clock_timestamp() + least(
                                   greatest(unknown.age, interval '10 seconds'),
                                   greatest(in_unknown_after - unknown.age, interval '1 second')) AS time) AS check_at
         WHERE m.id = ANY (in_ids) AND m.status = 'unknown'
           AND q.conversation_id = m.conversation_id AND q.message_id = m.id AND q.next_attempt_at <= clock_timestamp()
        RETURNING 'unknown', m.id, m.account_id, outbound_json(m, a),
                  extract(epoch FROM unknown.age)::double precision,
                  m.delivery_policy = 'at_least_once' AND m.created_at + in_max_age > clock_timestamp();
END $$;

-- Records how an attempt ended. Its event and the provider's id are stored whatever happened to the message in the
-- meantime; the status changes only as can_follow allows, and not after a report. The same record again changes
-- nothing.
-- in_wait: how long the message waits for its next attempt (queued) or check (unknown); NULL if its delivery has
-- ended.
-- in_max_delay: the longest delay of a dispatch. The caller dispatches a message that waits no longer than that, and
-- the relay dispatches the others.
--
-- status: of the message now. seconds: since it was accepted. wait: seconds until its next attempt or check; 0 if
-- another provider can take it now. next_id: the message of the conversation that can be sent now; the caller
-- dispatches it, and its dispatch times out as usual, even if it was postponed for longer before. opened: whether
-- this opened the circuit.
-- Called by messaging (record) and record_attempts.
CREATE OR REPLACE FUNCTION record_attempt(
    in_token uuid, in_status text, in_provider_message_id text,
    in_failure text, in_code text, in_reason text, in_wait interval, in_max_delay interval,
    OUT status text, OUT seconds double precision, OUT wait double precision, OUT account_id bigint,
    OUT next_id bigint, OUT opened boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    attempt attempts;
    ended attempts;
    message messages;
    new_provider_message_id text;
    other_provider text;
    timeout interval;
BEGIN
    SELECT * INTO STRICT attempt FROM attempts a WHERE a.token = in_token;
    IF in_provider_message_id IS NOT NULL THEN
        PERFORM lock_provider_message(attempt.provider, in_provider_message_id);
        IF attempt.outcome = 'unknown' AND EXISTS (
            SELECT FROM provider_message_ids i
             WHERE i.provider = attempt.provider AND i.provider_message_id = in_provider_message_id
               AND (i.message_id, i.attempt) <> (attempt.message_id, attempt.number))
        THEN
            in_status := 'unknown';  -- a lookup that found another message has found nothing
        END IF;
        IF attempt.outcome IS DISTINCT FROM in_status THEN
            new_provider_message_id := claim_provider_id(attempt, in_provider_message_id);
        END IF;
    END IF;
    UPDATE attempts a
       SET outcome = in_status, failure = in_failure, ended_at = clock_timestamp(),
           retry_at = CASE WHEN in_failure = 'throttled' THEN clock_timestamp() + in_wait END,
           provider_message_id = coalesce(a.provider_message_id, new_provider_message_id)
     WHERE a.token = in_token AND a.outcome IS DISTINCT FROM in_status
    RETURNING a.* INTO ended;
    opened := false;
    IF FOUND THEN
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason, occurred_at)
        VALUES (ended.account_id, ended.message_id, ended.number, 'attempt', ended.provider,
                in_status, in_code, in_reason, clock_timestamp());
        IF in_status = 'queued' THEN
            SELECT listed.name INTO other_provider
              FROM messages m, unnest(m.providers) WITH ORDINALITY AS listed (name, position)
              LEFT JOIN circuits c ON c.provider = listed.name
             WHERE m.id = ended.message_id AND c.open_until IS NULL
               AND listed.position > array_position(m.providers, ended.provider)
             ORDER BY listed.position LIMIT 1;
            IF FOUND THEN
                in_wait := interval '0';
            ELSE  -- back to the first provider, which may have asked for a longer wait before another was tried
                in_wait := greatest(in_wait, (
                    SELECT max(a.retry_at) - clock_timestamp() FROM attempts a JOIN messages m ON m.id = a.message_id
                     WHERE m.id = ended.message_id AND a.provider = m.providers[1]));
            END IF;
        END IF;
        UPDATE messages m
           SET status = in_status, version = m.version + 1, updated_at = clock_timestamp(),
               provider_message_id = ended.provider_message_id,
               provider = CASE in_status WHEN 'queued' THEN coalesce(other_provider, m.providers[1])
                                         ELSE m.provider END,
               error_code = in_code, error_reason = in_reason
         WHERE m.id = ended.message_id AND can_follow(m.status, in_status, 'record')
           AND m.report_rank = 0 AND m.attempt_count = ended.number
        RETURNING m.* INTO message;
        IF FOUND THEN
            PERFORM end_delivery(message.conversation_id, message.id);
            IF in_wait IS NOT NULL THEN
                timeout := CASE WHEN in_wait <= in_max_delay THEN dispatch_timeout() ELSE '0' END;
                INSERT INTO outbound_queue (account_id, conversation_id, message_id, next_attempt_at, dispatch_at)
                VALUES (message.account_id, message.conversation_id, message.id,
                        message.updated_at + in_wait, message.updated_at + in_wait + timeout);
            END IF;
        END IF;
        PERFORM use_provider_id(ended);
        opened := watch_provider(ended);
    END IF;

    SELECT * INTO STRICT message FROM messages m WHERE m.id = attempt.message_id;
    status := message.status;
    seconds := extract(epoch FROM clock_timestamp() - message.created_at);
    account_id := message.account_id;
    IF message.status = in_status AND in_status IN ('queued', 'unknown') THEN
        SELECT extract(epoch FROM q.next_attempt_at - clock_timestamp()) INTO wait FROM outbound_queue q
         WHERE q.conversation_id = message.conversation_id AND q.message_id = message.id;
    END IF;
    SELECT next.id INTO next_id FROM next_in_line(message.conversation_id) AS next;
    IF FOUND THEN
        UPDATE outbound_queue q SET dispatch_count = 0, dispatch_at = clock_timestamp() + dispatch_timeout()
         WHERE q.conversation_id = message.conversation_id AND q.message_id = record_attempt.next_id
           AND q.dispatch_at > clock_timestamp() + dispatch_timeout();
    END IF;
END $$;

-- Records attempts that ended together, in one transaction, as record_attempt does it. in_records is an array of objects
-- with its parameters; wait is in seconds. Locks are taken in one order: the providers' ids first, then the messages.
-- Returns a row with the results of record_attempt for each token. Called by messaging (record_all).
CREATE OR REPLACE FUNCTION record_attempts(in_records jsonb, in_max_delay interval) RETURNS TABLE (
    token uuid, status text, seconds double precision, wait double precision, account_id bigint, next_id bigint,
    opened boolean)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    ended record;
    recorded record;
BEGIN
    PERFORM lock_provider_message(sent.provider, sent.provider_message_id)
       FROM (SELECT DISTINCT a.provider, r.provider_message_id
               FROM jsonb_to_recordset(in_records) AS r (token uuid, provider_message_id text)
               JOIN attempts a ON a.token = r.token
              WHERE r.provider_message_id IS NOT NULL
              ORDER BY a.provider, r.provider_message_id) AS sent;
    FOR ended IN
        SELECT r.* FROM jsonb_to_recordset(in_records) AS r (
                   token uuid, status text, provider_message_id text, failure text, code text, reason text,
                   wait double precision)
          JOIN attempts a ON a.token = r.token
         ORDER BY a.provider, a.message_id
    LOOP
        recorded := record_attempt(
            ended.token, ended.status, ended.provider_message_id, ended.failure, ended.code, ended.reason,
            make_interval(secs => ended.wait), in_max_delay);
        token := ended.token;
        status := recorded.status;
        seconds := recorded.seconds;
        wait := recorded.wait;
        account_id := recorded.account_id;
        next_id := recorded.next_id;
        opened := recorded.opened;
        RETURN NEXT;
    END LOOP;
END $$;

-- Ends the search for what happened to an attempt of unknown outcome. in_status is queued, to send the message again,
-- or failed or unknown, for good.
-- Returns the message, or no row if a report, a record or another call came first. Called by messaging (resolve).
CREATE OR REPLACE FUNCTION resolve_attempt(in_token uuid, in_status text, in_code text, in_reason text)
RETURNS TABLE (id bigint, account_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
    resolved messages;
BEGIN
    SELECT m.* INTO resolved
      FROM attempts a JOIN messages m ON m.id = a.message_id AND m.attempt_count = a.number
     WHERE a.token = in_token AND m.report_rank = 0 AND m.status = 'unknown'
       AND (in_status = 'unknown' OR can_follow(m.status, in_status, 'resolve'))
       FOR NO KEY UPDATE OF m;
    -- A message of unknown outcome that is not in the queue was resolved before.
    IF in_status = 'queued' THEN
        UPDATE outbound_queue q
           SET next_attempt_at = clock_timestamp(), dispatch_at = clock_timestamp() + dispatch_timeout(),
               dispatch_count = 0
         WHERE q.conversation_id = resolved.conversation_id AND q.message_id = resolved.id;
    ELSE
        DELETE FROM outbound_queue q
         WHERE q.conversation_id = resolved.conversation_id AND q.message_id = resolved.id;
    END IF;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE messages m
       SET status = in_status, version = m.version + 1, updated_at = clock_timestamp(),
           provider = CASE in_status WHEN 'queued' THEN m.providers[1] ELSE m.provider END
     WHERE m.id = resolved.id
    RETURNING m.* INTO resolved;
    PERFORM add_resolved_event(resolved, in_code, in_reason);
    RETURN QUERY SELECT resolved.id, resolved.account_id;
END $$;
