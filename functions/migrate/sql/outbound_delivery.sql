-- A message with its attempt, as its provider gets it (models.OutboundMessage).
CREATE OR REPLACE FUNCTION outbound_json(message messages, attempt attempts) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object(
               'id', message.id, 'token', attempt.token, 'attempt', attempt.number,
               'attempted_at', rfc3339(attempt.started_at),
               'tries', attempt.number - (SELECT count(*) FROM attempts a
                                           WHERE a.message_id = message.id AND a.number < attempt.number
                                             AND a.failure = 'misconfigured'),
               'provider', attempt.provider, 'type', message.type,
               'from', c.customer_address, 'to', c.contact_address,
               'cc', message.cc, 'reply_to', message.reply_to, 'headers', message.headers,
               'subject', message.subject, 'body', message.body, 'html', message.html,
               'attachments', jsonb_path_query_array(message.attachments, '$[*].url'),
               'timestamp', rfc3339(message.timestamp))::text
      FROM conversations c WHERE c.id = message.conversation_id
$$;

-- Ends, or queues again, what no attempt and no report has ended, and says so among its events.
CREATE OR REPLACE FUNCTION add_resolved_event(in_message messages, in_code text, in_reason text) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason,
                                occurred_at)
    VALUES (in_message.account_id, in_message.id, in_message.attempt_count, 'resolved', in_message.provider,
            in_message.status, in_code, in_reason, clock_timestamp())
$$;

-- Claims the next message of a conversation for one attempt under this token. What is too old ends here, and
-- what no provider can take now is put off. Nothing is claimed while an attempt is under way; then waiting_id
-- is the message that is to go after it.
CREATE OR REPLACE FUNCTION claim_next(
    in_conversation bigint, in_token uuid, in_lease interval, in_max_age interval,
    OUT waiting_id bigint, OUT expired_ids bigint[]
)
LANGUAGE plpgsql AS $$
DECLARE
    next messages;
    chosen_provider text;
BEGIN
    FOR turn IN 1..100 LOOP  -- each but the last one ends a message, or has lost a race
        SELECT * INTO next FROM messages m
         WHERE m.conversation_id = in_conversation AND m.status = 'queued'
           AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= clock_timestamp())
         ORDER BY m.id LIMIT 1;
        IF NOT FOUND THEN
            RETURN;
        ELSIF EXISTS (
            SELECT FROM messages m WHERE m.conversation_id = in_conversation AND m.status = 'sending')
        THEN
            waiting_id := next.id;
            RETURN;
        ELSIF next.created_at + in_max_age <= clock_timestamp() THEN
            UPDATE messages m
               SET status = 'failed', updated_at = clock_timestamp(), next_attempt_at = NULL, dispatch_at = NULL,
                   error_code = 'expired', error_reason = concat(
                       'It was too old to be tried again.', ' The last failure was: ' || m.error_reason)
             WHERE m.id = next.id AND m.status = 'queued'
            RETURNING m.* INTO next;
            IF FOUND THEN
                PERFORM add_resolved_event(next, next.error_code, next.error_reason);
                expired_ids := expired_ids || next.id;
            END IF;
            CONTINUE;
        END IF;

        chosen_provider := pick_provider(next);
        IF chosen_provider IS NULL THEN
            -- The relay nudges it when the first of them may be tried again. Until then it keeps its place: those
            -- behind it wait for the same providers.
            UPDATE messages m
               SET provider = m.providers[1], dispatch_at = until.time
              FROM (SELECT CASE WHEN bool_or(c.open_until IS NULL) THEN clock_timestamp()
                                ELSE min(c.open_until) END AS time
                      FROM unnest(next.providers) AS listed (name)
                      LEFT JOIN circuits c ON c.provider = listed.name) AS until
             WHERE m.id = next.id AND m.status = 'queued';
            RETURN;
        END IF;
        BEGIN
            UPDATE messages m
               SET status = 'sending', attempt_count = m.attempt_count + 1, updated_at = clock_timestamp(),
                   provider = chosen_provider, lease_expires_at = clock_timestamp() + in_lease,
                   next_attempt_at = NULL, dispatch_at = NULL
             WHERE m.id = next.id AND m.status = 'queued'
               AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= clock_timestamp())
            RETURNING m.* INTO next;
            IF FOUND THEN
                INSERT INTO attempts (account_id, message_id, number, token, provider)
                VALUES (next.account_id, next.id, next.attempt_count, in_token, chosen_provider);
                RETURN;
            END IF;
        EXCEPTION WHEN unique_violation THEN  -- another of the conversation got under way just now
        END;
    END LOOP;
    waiting_id := next.id;
END $$;

-- Claims messages for one attempt each, under tokens that the caller made. What each row stands for:
--
-- claimed  An id stands for its conversation, whose messages go out one after the other in the order of their
--          ids; those that wait for a retry, and those of unknown outcome, let the later ones pass. So what is
--          claimed is the first that can go. The same tokens again give the same messages, as long as their
--          attempts are open.
-- waiting  Where an attempt is under way: the next in line, to be asked for again.
-- expired  Was too old, and has failed.
-- unknown  A message of unknown outcome that is due, with the seconds for which it has been unknown: nobody else
--          gets it until it is to be looked at again, after as long a time, at the latest in_unknown_after.
CREATE OR REPLACE FUNCTION claim_messages(
    in_ids bigint[], in_tokens uuid[], in_lease interval, in_max_age interval, in_unknown_after interval
)
RETURNS TABLE (
    kind text, id bigint, account_id bigint, message text, unknown_seconds double precision, resend boolean)
LANGUAGE plpgsql AS $$
DECLARE
    asked record;
    next record;
    waiting bigint[];
    expired bigint[];
BEGIN
    IF NOT EXISTS (SELECT FROM attempts a WHERE a.token = ANY (in_tokens)) THEN
        FOR asked IN
            SELECT DISTINCT ON (m.conversation_id) m.conversation_id, listed.token
              FROM unnest(in_ids, in_tokens) AS listed (id, token)
              JOIN messages m ON m.id = listed.id AND m.direction = 'outbound'
             ORDER BY m.conversation_id, m.id
        LOOP
            next := claim_next(asked.conversation_id, asked.token, in_lease, in_max_age);
            waiting := waiting || next.waiting_id;
            expired := expired || next.expired_ids;
        END LOOP;
    END IF;

    RETURN QUERY
        SELECT 'claimed', m.id, m.account_id, outbound_json(m, a), NULL::double precision, NULL::boolean
          FROM attempts a
          JOIN messages m ON m.id = a.message_id AND m.attempt_count = a.number AND m.status = 'sending'
         WHERE a.token = ANY (in_tokens) AND a.outcome IS NULL
        UNION ALL
        SELECT 'waiting', m.id, m.account_id, NULL, NULL, NULL FROM messages m WHERE m.id = ANY (waiting)
        UNION ALL
        SELECT 'expired', m.id, m.account_id, NULL, NULL, NULL FROM messages m WHERE m.id = ANY (expired);

    RETURN QUERY
        UPDATE messages m
           SET next_attempt_at = look.next, dispatch_at = look.next
          FROM attempts a,
               LATERAL (SELECT clock_timestamp() - coalesce(a.ended_at, a.started_at) AS since) AS unknown,
               LATERAL (SELECT clock_timestamp() + least(
                                   greatest(unknown.since, interval '10 seconds'),
                                   greatest(in_unknown_after - unknown.since, interval '1 second')) AS next) AS look
         WHERE m.id = ANY (in_ids) AND m.status = 'unknown' AND m.next_attempt_at <= clock_timestamp()
           AND a.message_id = m.id AND a.number = m.attempt_count
        RETURNING 'unknown', m.id, m.account_id, outbound_json(m, a),
                  extract(epoch FROM unknown.since)::double precision,
                  m.delivery_policy = 'at_least_once' AND m.created_at + in_max_age > clock_timestamp();
END $$;

-- Records how an attempt ended. Its event and the provider's id are written whatever became of the message
-- meanwhile; the status moves only from one of in_predecessors, and not once a report has spoken.
-- The same record again changes nothing.
--
-- wait: seconds until the message is to be looked at again; 0 where another provider can take it right away.
-- next_id: the message of the conversation that can go now; its nudge is on its way, and a minute late the relay
-- takes it for lost, however far behind the others it was put off before. opened: the provider's circuit.
CREATE OR REPLACE FUNCTION record_attempt(
    in_token uuid, in_status text, in_predecessors text[], in_provider_message_id text,
    in_failure text, in_code text, in_reason text, in_wait interval
) RETURNS TABLE (
    status text, seconds double precision, wait double precision, account_id bigint, next_id bigint, opened boolean)
LANGUAGE plpgsql AS $$
DECLARE
    attempt attempts;
    ended attempts;
    other_provider text;
BEGIN
    SELECT * INTO STRICT attempt FROM attempts a WHERE a.token = in_token;
    IF in_provider_message_id IS NOT NULL THEN
        PERFORM lock_provider_message(attempt.provider, in_provider_message_id);
        IF attempt.outcome = 'unknown' AND EXISTS (
            SELECT FROM attempts other
             WHERE other.provider = attempt.provider AND other.token <> in_token
               AND other.provider_message_id = in_provider_message_id)
        THEN
            in_status := 'unknown';  -- a look-up that found another message has found nothing
        END IF;
    END IF;
    UPDATE attempts a
       SET outcome = in_status, failure = in_failure, ended_at = clock_timestamp(),
           retry_at = CASE WHEN in_failure = 'throttled' THEN clock_timestamp() + in_wait END,
           -- A provider that gives one id to two messages is believed the first time.
           provider_message_id = coalesce(a.provider_message_id, (
               SELECT in_provider_message_id WHERE NOT EXISTS (
                   SELECT FROM attempts other
                    WHERE other.provider = attempt.provider
                      AND other.provider_message_id = in_provider_message_id)))
     WHERE a.token = in_token AND a.outcome IS DISTINCT FROM in_status
    RETURNING a.* INTO ended;
    opened := false;
    IF FOUND THEN
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason,
                                    occurred_at)
        VALUES (ended.account_id, ended.message_id, ended.number, 'attempt', ended.provider,
                in_status, in_code, in_reason, clock_timestamp());
        IF in_status = 'queued' THEN
            SELECT listed.name INTO other_provider
              FROM messages m, unnest(m.providers) WITH ORDINALITY AS listed (name, place)
              LEFT JOIN circuits c ON c.provider = listed.name
             WHERE m.id = ended.message_id AND c.open_until IS NULL
               AND listed.place > array_position(m.providers, ended.provider)
             ORDER BY listed.place LIMIT 1;
            IF FOUND THEN
                in_wait := interval '0';
            ELSE  -- back to the first, which may have asked for a longer wait before another was tried
                in_wait := greatest(in_wait, (
                    SELECT max(a.retry_at) - clock_timestamp() FROM attempts a JOIN messages m ON m.id = a.message_id
                     WHERE m.id = ended.message_id AND a.provider = m.providers[1]));
            END IF;
        END IF;
        UPDATE messages m
           SET status = in_status, updated_at = clock_timestamp(), lease_expires_at = NULL,
               provider_message_id = ended.provider_message_id,
               provider = CASE in_status WHEN 'queued' THEN coalesce(other_provider, m.providers[1])
                                              ELSE m.provider END,
               error_code = in_code, error_reason = in_reason, dispatch_count = 0,
               next_attempt_at = clock_timestamp() + in_wait,
               -- A nudge for then is on its way, where SQS can hold it for so long; a minute late, the relay takes
               -- it for lost.
               dispatch_at = clock_timestamp() + in_wait + CASE WHEN in_wait <= interval '15 minutes'
                                                                  THEN interval '1 minute' ELSE '0' END
         WHERE m.id = ended.message_id AND m.status = ANY (in_predecessors)
           AND m.report_rank = 0 AND m.attempt_count = ended.number;
        PERFORM use_provider_id(ended);
        opened := watch_provider(ended);
    END IF;
    SELECT min(next.id) INTO next_id
      FROM messages done JOIN messages next ON next.conversation_id = done.conversation_id
     WHERE done.id = attempt.message_id AND next.status = 'queued'
       AND (next.next_attempt_at IS NULL OR next.next_attempt_at <= clock_timestamp());
    UPDATE messages m SET dispatch_count = 0, dispatch_at = clock_timestamp() + interval '1 minute'
     WHERE m.id = record_attempt.next_id AND m.status = 'queued'
       AND m.dispatch_at > clock_timestamp() + interval '1 minute';
    RETURN QUERY
        SELECT m.status, extract(epoch FROM clock_timestamp() - m.created_at)::double precision,
               CASE WHEN m.status = in_status
                    THEN extract(epoch FROM m.next_attempt_at - clock_timestamp())::double precision END,
               m.account_id, record_attempt.next_id, record_attempt.opened
          FROM messages m WHERE m.id = attempt.message_id;
END $$;

-- Ends the waiting of a message whose attempt had an unknown outcome: in_status is queued, to send it again, or
-- unknown or failed, for good. Nothing where a report, a record or another call was first.
CREATE OR REPLACE FUNCTION resolve_attempt(in_token uuid, in_status text, in_code text, in_reason text)
RETURNS TABLE (id bigint, account_id bigint)
LANGUAGE plpgsql AS $$
DECLARE
    settled messages;
BEGIN
    UPDATE messages m
       SET status = in_status, updated_at = clock_timestamp(), dispatch_count = 0,
           provider = CASE in_status WHEN 'queued' THEN m.providers[1] ELSE m.provider END,
           next_attempt_at = CASE in_status WHEN 'queued' THEN clock_timestamp() END,
           dispatch_at = CASE in_status WHEN 'queued' THEN clock_timestamp() + interval '1 minute' END
      FROM attempts a
     WHERE a.token = in_token AND m.id = a.message_id AND m.attempt_count = a.number
       AND m.status = 'unknown' AND m.report_rank = 0 AND m.dispatch_at IS NOT NULL
    RETURNING m.* INTO settled;
    IF FOUND THEN
        PERFORM add_resolved_event(settled, in_code, in_reason);
        RETURN QUERY SELECT settled.id, settled.account_id;
    END IF;
END $$;
