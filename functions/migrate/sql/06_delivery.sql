-- Claims queued messages for one attempt each, under tokens that the caller made, and gives them.
-- The same tokens again give the same messages, as long as their attempts are open.
CREATE OR REPLACE FUNCTION claim_messages(in_ids bigint[], in_tokens uuid[], in_lease interval)
RETURNS TABLE (message text)
LANGUAGE sql AS $$
    WITH claimed AS (
        UPDATE messages m
           SET status = 'sending', attempt_count = m.attempt_count + 1, updated_at = clock_timestamp(),
               lease_expires_at = clock_timestamp() + in_lease, next_attempt_at = NULL, next_nudge_at = NULL
          FROM unnest(in_ids, in_tokens) AS wanted (id, token)
         WHERE m.id = wanted.id AND m.status = 'queued'
           AND (m.next_attempt_at IS NULL OR m.next_attempt_at <= clock_timestamp())
        RETURNING m.account_id, m.id, m.attempt_count, m.provider_type, wanted.token)
    INSERT INTO attempts (account_id, message_id, number, token, provider_type)
    SELECT account_id, id, attempt_count, token, provider_type FROM claimed;

    -- A second statement sees what this call's first run has claimed meanwhile, where only its answer was lost.
    SELECT json_build_object(
               'id', m.id, 'token', a.token, 'attempt', m.attempt_count,
               'provider', m.provider_type, 'type', m.type,
               'from', c.customer_address, 'to', c.contact_address,
               'subject', m.subject, 'body', m.body, 'html', m.html,
               'attachments', jsonb_path_query_array(m.attachments, '$[*].url'),
               'timestamp', rfc3339(m.timestamp))::text
      FROM attempts a
      JOIN messages m ON m.id = a.message_id AND m.attempt_count = a.number AND m.status = 'sending'
      JOIN conversations c ON c.id = m.conversation_id
     WHERE a.token = ANY (in_tokens) AND a.outcome IS NULL
$$;

-- Records how an attempt ended. Its event and the provider's id are written whatever became of the message
-- meanwhile; the status moves only from one of in_predecessors, and not once a report has spoken.
-- The same record again changes nothing.
CREATE OR REPLACE FUNCTION record_attempt(
    in_token uuid, in_status text, in_predecessors text[], in_provider_message_id text,
    in_code text, in_reason text, in_retry_after interval
) RETURNS TABLE (status text, seconds double precision)
LANGUAGE plpgsql AS $$
DECLARE
    attempt attempts;
    ended attempts;
BEGIN
    SELECT * INTO STRICT attempt FROM attempts a WHERE a.token = in_token;
    IF in_provider_message_id IS NOT NULL THEN
        PERFORM lock_provider_message(attempt.provider_type, in_provider_message_id);
    END IF;
    UPDATE attempts a
       SET outcome = in_status, ended_at = clock_timestamp(),
           -- A provider that gives one id to two messages is believed the first time.
           provider_message_id = coalesce(a.provider_message_id, (
               SELECT in_provider_message_id WHERE NOT EXISTS (
                   SELECT FROM attempts other
                    WHERE other.provider_type = attempt.provider_type
                      AND other.provider_message_id = in_provider_message_id)))
     WHERE a.token = in_token AND a.outcome IS DISTINCT FROM in_status
    RETURNING a.* INTO ended;
    IF FOUND THEN
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider_type, status, code, reason,
                                    occurred_at)
        VALUES (ended.account_id, ended.message_id, ended.number, 'attempt', ended.provider_type,
                in_status, in_code, in_reason, clock_timestamp());
        UPDATE messages m
           SET status = in_status, updated_at = clock_timestamp(), lease_expires_at = NULL,
               provider_message_id = ended.provider_message_id,
               error_code = in_code, error_reason = in_reason, nudge_count = 0,
               next_attempt_at = clock_timestamp() + in_retry_after,
               -- A nudge for the retry is on its way; a minute late, the relay takes it for lost.
               next_nudge_at = clock_timestamp() + in_retry_after + interval '1 minute'
         WHERE m.id = ended.message_id AND m.status = ANY (in_predecessors)
           AND m.report_rank = 0 AND m.attempt_count = ended.number;
        PERFORM use_provider_id(ended);
    END IF;
    RETURN QUERY
        SELECT m.status, extract(epoch FROM clock_timestamp() - m.created_at)::double precision
          FROM messages m WHERE m.id = attempt.message_id;
END $$;

-- Ends the attempts whose lease ran out: their worker died, or lost its way to the database, and whether
-- the provider has the message is unknown. (now() and not clock_timestamp(): an index serves no volatile time.)
CREATE OR REPLACE FUNCTION expire_leases(in_limit integer) RETURNS TABLE (id bigint)
LANGUAGE sql AS $$
    WITH expired AS (
        SELECT m.id FROM messages m
         WHERE m.status = 'sending' AND m.lease_expires_at <= now()
         ORDER BY m.lease_expires_at LIMIT in_limit FOR UPDATE SKIP LOCKED),
    ended AS (
        UPDATE messages m
           SET status = 'unknown', updated_at = clock_timestamp(), lease_expires_at = NULL,
               error_code = 'lease_expired', error_reason = 'The delivery ended without a record.'
          FROM expired WHERE m.id = expired.id
        RETURNING m.*),
    closed AS (
        UPDATE attempts a SET outcome = 'unknown', ended_at = clock_timestamp()
          FROM ended WHERE a.message_id = ended.id AND a.number = ended.attempt_count
        RETURNING a.*),
    noted AS (
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider_type, status, code, reason,
                                    occurred_at)
        SELECT closed.account_id, closed.message_id, closed.number, 'attempt', closed.provider_type, 'unknown',
               ended.error_code, ended.error_reason, clock_timestamp()
          FROM closed JOIN ended ON ended.id = closed.message_id)
    SELECT ended.id FROM ended
$$;
