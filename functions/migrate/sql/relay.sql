-- The work of the relay: it repeats what was lost. Several calls at once share the work.
-- These functions use now() instead of clock_timestamp(), because an index cannot serve a volatile time.

-- Ends the attempts whose lease has expired: their worker died or lost its connection, and it is unknown whether the
-- provider has the message. The provider is to be asked right away, and the next message of the conversation can go.
-- Returns the ids of the messages. Called by the relay.
CREATE OR REPLACE FUNCTION expire_leases(in_limit integer) RETURNS TABLE (id bigint)
LANGUAGE sql AS $$
    WITH expired AS (
        SELECT m.id, l.conversation_id
          FROM leases l JOIN messages m ON m.id = l.message_id AND can_follow(m.status, 'unknown', 'expire_leases')
          JOIN attempts a ON a.message_id = m.id AND a.number = m.attempt_count
         WHERE l.expires_at <= now()
         -- A late record locks its attempt before its message. Waiting for the attempt would be a deadlock.
         ORDER BY l.expires_at LIMIT in_limit FOR NO KEY UPDATE OF a, m, l SKIP LOCKED),
    ended AS (
        UPDATE messages m
           SET status = 'unknown', version = m.version + 1, updated_at = clock_timestamp(),
               error_code = 'lease_expired', error_reason = 'The delivery ended without a record.'
          FROM expired WHERE m.id = expired.id
        RETURNING m.*),
    released AS (
        DELETE FROM leases l USING ended WHERE l.conversation_id = ended.conversation_id),
    queued AS (
        INSERT INTO outbound_queue (account_id, conversation_id, message_id, next_attempt_at, dispatch_at)
        SELECT ended.account_id, ended.conversation_id, ended.id, clock_timestamp(), clock_timestamp() FROM ended),
    closed AS (
        UPDATE attempts a SET outcome = 'unknown', failure = 'unknown', ended_at = clock_timestamp()
          FROM ended WHERE a.message_id = ended.id AND a.number = ended.attempt_count
        RETURNING a.*),
    noted AS (
        INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason, occurred_at)
        SELECT closed.account_id, closed.message_id, closed.number, 'attempt', closed.provider, 'unknown',
               ended.error_code, ended.error_reason, clock_timestamp()
          FROM closed JOIN ended ON ended.id = closed.message_id),
    followed AS (
        UPDATE outbound_queue q SET dispatch_at = clock_timestamp(), dispatch_count = 0
          FROM ended, LATERAL next_in_line(ended.conversation_id) AS next
         WHERE q.conversation_id = ended.conversation_id AND q.message_id = next.id)
    SELECT ended.id FROM ended
$$;

-- Takes messages whose dispatch is due, queued or of unknown outcome, and postpones their next dispatch, twice as
-- long each time, up to an hour: a backlog is not dispatched again every minute. Accounts take turns, each with the
-- messages that have waited longest, so that one account's thousands do not delay another account's one.
-- Returns the messages in the order in which they are to be dispatched. Called by the relay.
CREATE OR REPLACE FUNCTION take_due_dispatches(in_limit integer) RETURNS TABLE (id bigint, account_id bigint)
LANGUAGE sql AS $$
    WITH RECURSIVE waiting (account_id) AS (  -- from one account to the next along the index
        SELECT min(q.account_id) FROM outbound_queue q
        UNION ALL
        SELECT (SELECT min(q.account_id) FROM outbound_queue q WHERE q.account_id > waiting.account_id)
          FROM waiting WHERE waiting.account_id IS NOT NULL),
    shares AS (
        SELECT longest.account_id, in_limit / count(*) OVER () AS share
          FROM (SELECT waiting.account_id
                  FROM waiting, LATERAL (
                           SELECT q.dispatch_at FROM outbound_queue q
                            WHERE q.account_id = waiting.account_id AND q.dispatch_at <= now()
                            ORDER BY q.dispatch_at LIMIT 1) AS first
                 ORDER BY first.dispatch_at LIMIT in_limit) AS longest),
    due AS MATERIALIZED (
        SELECT own.conversation_id, own.message_id,
               row_number() OVER (PARTITION BY shares.account_id ORDER BY own.dispatch_at, own.message_id) AS turn
          FROM shares, LATERAL (
                   SELECT q.conversation_id, q.message_id, q.dispatch_at FROM outbound_queue q
                    WHERE q.account_id = shares.account_id AND q.dispatch_at <= now()
                    ORDER BY q.dispatch_at LIMIT shares.share FOR UPDATE SKIP LOCKED) AS own),
    claimed AS (
        UPDATE outbound_queue q
           SET dispatch_count = least(q.dispatch_count + 1, 6),
               dispatch_at = clock_timestamp()
                           + least(dispatch_timeout() * 2 ^ (q.dispatch_count + 1), interval '1 hour')
          FROM due WHERE q.conversation_id = due.conversation_id AND q.message_id = due.message_id
        RETURNING q.message_id, q.account_id, due.turn)
    SELECT claimed.message_id, claimed.account_id FROM claimed ORDER BY claimed.turn, claimed.account_id
$$;
