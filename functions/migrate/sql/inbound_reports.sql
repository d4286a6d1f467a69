-- Notes what a provider said of an attempt, once for each token, and once where it says the same again. The
-- message moves only to a higher rank, and only by what is said of its latest attempt.
CREATE OR REPLACE FUNCTION apply_report(
    in_attempt attempts, in_token uuid, in_status text, in_rank integer, in_code text, in_reason text,
    in_occurred_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO message_events (account_id, message_id, attempt, kind, token, provider, status, code, reason,
                                occurred_at)
    VALUES (in_attempt.account_id, in_attempt.message_id, in_attempt.number, 'report', in_token,
            in_attempt.provider, in_status, in_code, in_reason, in_occurred_at)
    ON CONFLICT DO NOTHING;
    UPDATE messages m
       SET status = in_status, report_rank = in_rank, updated_at = clock_timestamp(),
           error_code = in_code, error_reason = in_reason,
           lease_expires_at = NULL, next_attempt_at = NULL, dispatch_at = NULL
     WHERE m.id = in_attempt.message_id AND m.attempt_count = in_attempt.number AND m.report_rank < in_rank;
    RETURN FOUND;
END $$;

-- Follows an attempt's learning its provider's id, where it did: its message bears it too, and what was said
-- under that id before is applied.
CREATE OR REPLACE FUNCTION use_provider_id(in_attempt attempts) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    parked pending_reports;
BEGIN
    IF in_attempt.provider_message_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE messages m SET provider_message_id = in_attempt.provider_message_id
     WHERE m.id = in_attempt.message_id AND m.attempt_count = in_attempt.number
       AND m.provider_message_id IS DISTINCT FROM in_attempt.provider_message_id;
    FOR parked IN
        SELECT * FROM pending_reports p
         WHERE p.provider = in_attempt.provider
           AND p.provider_message_id = in_attempt.provider_message_id
         ORDER BY p.id
    LOOP
        PERFORM apply_report(in_attempt, parked.token, parked.status, parked.rank, parked.code, parked.reason,
                             parked.occurred_at);
        DELETE FROM pending_reports p WHERE p.id = parked.id;
    END LOOP;
END $$;

-- The attempt that a report speaks of, by the provider's id or by ours; NULL where it is not known yet. One that
-- our id finds bears the provider's from now on.
CREATE OR REPLACE FUNCTION reported_attempt(
    in_provider text, in_provider_message_id text, in_reference bigint
) RETURNS attempts
LANGUAGE plpgsql AS $$
DECLARE
    attempt attempts;
BEGIN
    SELECT * INTO attempt FROM attempts a
     WHERE a.provider = in_provider AND a.provider_message_id = in_provider_message_id;
    IF FOUND THEN
        RETURN attempt;
    END IF;
    -- Our id came back before the provider's was recorded: it speaks of the latest attempt that has none.
    SELECT * INTO attempt FROM attempts a
     WHERE a.message_id = in_reference AND a.provider = in_provider
       AND (a.provider_message_id IS NULL OR in_provider_message_id IS NULL)
     ORDER BY a.number DESC LIMIT 1;
    IF NOT FOUND OR in_provider_message_id IS NULL THEN
        RETURN attempt;
    END IF;
    -- Or of one before, whose answer was lost, while this one is under way: its record will tell.
    IF attempt.outcome IS NULL AND EXISTS (
        SELECT FROM attempts a
         WHERE a.message_id = in_reference AND a.provider = in_provider AND a.outcome = 'unknown'
           AND a.provider_message_id IS NULL)
    THEN
        RETURN NULL;
    END IF;
    UPDATE attempts a SET provider_message_id = in_provider_message_id
     WHERE (a.message_id, a.number) = (attempt.message_id, attempt.number)
    RETURNING a.* INTO attempt;
    PERFORM use_provider_id(attempt);
    RETURN attempt;
END $$;

-- Applies a report to the attempt that it speaks of, or parks it until that is known.
--
-- outcome: moved, noted (an event, no new status), parked, or unmatched (it names nothing that we sent).
-- The same again adds nothing: a call whose answer was lost can be made again, and a request replayed.
CREATE OR REPLACE FUNCTION add_report(
    in_token uuid, in_provider text, in_provider_message_id text, in_reference bigint,
    in_status text, in_rank integer, in_code text, in_reason text, in_occurred_at timestamptz,
    OUT outcome text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    attempt attempts;
BEGIN
    IF in_provider_message_id IS NOT NULL THEN
        PERFORM lock_provider_message(in_provider, in_provider_message_id);
    END IF;
    attempt := reported_attempt(in_provider, in_provider_message_id, in_reference);
    IF attempt.message_id IS NOT NULL THEN
        outcome := CASE
            WHEN apply_report(attempt, in_token, in_status, in_rank, in_code, in_reason, in_occurred_at)
            THEN 'moved' ELSE 'noted' END;
        SELECT message_json(m, c) INTO STRICT message
          FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = attempt.message_id;
    ELSIF in_provider_message_id IS NOT NULL THEN
        INSERT INTO pending_reports (token, provider, provider_message_id, reference, status,
                                    rank, code, reason, occurred_at)
        VALUES (in_token, in_provider, in_provider_message_id, in_reference, in_status, in_rank,
                in_code, in_reason, in_occurred_at)
        ON CONFLICT DO NOTHING;
        outcome := 'pending';
    ELSE
        outcome := 'unmatched';
    END IF;
END $$;

-- Looks at the parked reports that are due for it, applies those whose attempt is known by now (whoever recorded
-- it should have done so, where it is by the provider's id), and gives these. The others wait again for as long as
-- they have waited: a report is looked at a dozen times in a week. Whoever touches reports of a provider's id has
-- its lock, and what somebody is at work on is left to them: several at once do no harm.
CREATE OR REPLACE FUNCTION apply_pending_reports(in_limit integer) RETURNS TABLE (id bigint)
LANGUAGE plpgsql AS $$
DECLARE
    named record;
    waiting bigint[];
    attempt attempts;
BEGIN
    FOR named IN
        SELECT due.provider, due.provider_message_id, max(due.reference) AS reference
          FROM (SELECT * FROM pending_reports p WHERE p.next_check_at <= now()
                 ORDER BY p.next_check_at LIMIT in_limit) AS due
         GROUP BY due.provider, due.provider_message_id
    LOOP
        CONTINUE WHEN NOT try_provider_message(named.provider, named.provider_message_id);
        waiting := ARRAY(SELECT p.id FROM pending_reports p
                          WHERE p.provider = named.provider
                            AND p.provider_message_id = named.provider_message_id);
        attempt := reported_attempt(named.provider, named.provider_message_id, named.reference);
        IF attempt.message_id IS NOT NULL THEN
            PERFORM use_provider_id(attempt);
            RETURN QUERY SELECT unnest(waiting);
        ELSE
            UPDATE pending_reports p SET next_check_at = now() + greatest(now() - p.created_at, interval '1 minute')
             WHERE p.id = ANY (waiting);
        END IF;
    END LOOP;
END $$;
