-- Takes queued messages whose nudge is due and moves their next one on, twice as far each time up to an
-- hour: a backlog is not nudged anew each minute. Several at once share the work. (now() and not
-- clock_timestamp(): an index serves no volatile time.)
CREATE OR REPLACE FUNCTION take_due_nudges(in_limit integer) RETURNS TABLE (id bigint, account_id bigint)
LANGUAGE sql AS $$
    WITH due AS (
        SELECT m.id FROM messages m
         WHERE m.status = 'queued' AND m.next_nudge_at <= now()
         ORDER BY m.next_nudge_at LIMIT in_limit FOR UPDATE SKIP LOCKED)
    UPDATE messages m
       SET nudge_count = least(m.nudge_count + 1, 6),
           next_nudge_at = clock_timestamp() + least(interval '1 minute' * 2 ^ (m.nudge_count + 1), interval '1 hour')
      FROM due WHERE m.id = due.id
    RETURNING m.id, m.account_id
$$;
