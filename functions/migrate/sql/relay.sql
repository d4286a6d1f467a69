-- What was left behind. Several calls at once share the work. (now() and not clock_timestamp(): an index serves
-- no volatile time.)

-- Ends the attempts whose lease ran out: their worker died, or lost its way to the database, and whether
-- the provider has the message is unknown. It is to be looked at right away, and so is what waited behind it.
CREATE OR REPLACE FUNCTION expire_leases(in_limit integer) RETURNS TABLE (id bigint)
LANGUAGE sql AS $$
    WITH expired AS (
        SELECT m.id FROM messages m
         WHERE m.status = 'sending' AND m.lease_expires_at <= now()
         ORDER BY m.lease_expires_at LIMIT in_limit FOR UPDATE SKIP LOCKED),
    ended AS (
        UPDATE messages m
           SET status = 'unknown', updated_at = clock_timestamp(), lease_expires_at = NULL,
               next_attempt_at = clock_timestamp(), dispatch_at = clock_timestamp(), dispatch_count = 0,
               error_code = 'lease_expired', error_reason = 'The delivery ended without a record.'
          FROM expired WHERE m.id = expired.id
        RETURNING m.*),
    closed AS (
        UPDATE attempts a SET outcome = 'unknown', failure = 'unknown', ended_at = clock_timestamp()
          FROM ended WHERE a.message_id = ended.id AND a.number = ended.attempt_count
        RETURNING a.*),
    noted AS (
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason,
                                    occurred_at)
        SELECT closed.account_id, closed.message_id, closed.number, 'attempt', closed.provider, 'unknown',
               ended.error_code, ended.error_reason, clock_timestamp()
          FROM closed JOIN ended ON ended.id = closed.message_id),
    followed AS (
        UPDATE messages m SET dispatch_at = clock_timestamp(), dispatch_count = 0
         WHERE m.id IN (SELECT (SELECT min(next.id) FROM messages next
                                 WHERE next.conversation_id = ended.conversation_id AND next.status = 'queued'
                                   AND (next.next_attempt_at IS NULL OR next.next_attempt_at <= clock_timestamp()))
                          FROM ended))
    SELECT ended.id FROM ended
$$;

-- Takes messages whose nudge is due, be they queued or of unknown outcome, and moves their next one on, twice as
-- far each time up to an hour: a backlog is not nudged anew each minute. Accounts take turns, each with what has
-- waited longest, so that one's thousands do not go before another's one.
CREATE OR REPLACE FUNCTION take_due_dispatches(in_limit integer) RETURNS TABLE (id bigint, account_id bigint)
LANGUAGE sql AS $$
    WITH RECURSIVE waiting (account_id) AS (  -- from one account to the next along the index
        SELECT min(m.account_id) FROM messages m WHERE m.dispatch_at IS NOT NULL
        UNION ALL
        SELECT (SELECT min(m.account_id) FROM messages m
                 WHERE m.dispatch_at IS NOT NULL AND m.account_id > waiting.account_id)
          FROM waiting WHERE waiting.account_id IS NOT NULL),
    crowd AS (
        SELECT longest.account_id, in_limit / count(*) OVER () AS share
          FROM (SELECT waiting.account_id
                  FROM waiting, LATERAL (
                           SELECT m.dispatch_at FROM messages m
                            WHERE m.account_id = waiting.account_id AND m.dispatch_at <= now()
                            ORDER BY m.dispatch_at LIMIT 1) AS first
                 ORDER BY first.dispatch_at LIMIT in_limit) AS longest),
    due AS MATERIALIZED (
        SELECT one.id, row_number() OVER (PARTITION BY crowd.account_id ORDER BY one.dispatch_at, one.id) AS turn
          FROM crowd, LATERAL (
                   SELECT m.id, m.dispatch_at FROM messages m
                    WHERE m.account_id = crowd.account_id AND m.dispatch_at <= now()
                    ORDER BY m.dispatch_at LIMIT crowd.share FOR UPDATE SKIP LOCKED) AS one),
    taken AS (
        UPDATE messages m
           SET dispatch_count = least(m.dispatch_count + 1, 6),
               dispatch_at = clock_timestamp()
                             + least(interval '1 minute' * 2 ^ (m.dispatch_count + 1), interval '1 hour')
          FROM due WHERE m.id = due.id
        RETURNING m.id, m.account_id, due.turn)
    SELECT taken.id, taken.account_id FROM taken ORDER BY taken.turn, taken.account_id
$$;
