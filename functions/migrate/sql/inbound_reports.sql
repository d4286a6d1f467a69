-- Ends what was still to be done for a message: it waits for no attempt, and none is under way.
-- The caller has updated the message, so its row is locked before these rows are (see outbound_queue).
-- Called by apply_report and record_attempt.
CREATE OR REPLACE FUNCTION end_delivery(in_conversation bigint, in_message bigint) RETURNS void
LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM leases l WHERE l.conversation_id = in_conversation AND l.message_id = in_message;
    IF NOT FOUND THEN  -- what has a lease is not in the queue
        DELETE FROM outbound_queue q WHERE q.conversation_id = in_conversation AND q.message_id = in_message;
    END IF;
END $$;

-- Stores a report among the events of its message. The same report again adds nothing. It changes the message only if
-- it is about the latest attempt and its rank is higher than that of the reports before it.
-- Returns whether it changed the message. Called by add_report and use_provider_id.
CREATE OR REPLACE FUNCTION apply_report(
    in_attempt attempts, in_status text, in_code text, in_reason text, in_occurred_at timestamptz
) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    conversation bigint;
BEGIN
    INSERT INTO message_events (account_id, message_id, attempt, kind, provider, status, code, reason, occurred_at)
    VALUES (in_attempt.account_id, in_attempt.message_id, in_attempt.number, 'report', in_attempt.provider,
            in_status, in_code, in_reason, in_occurred_at)
    ON CONFLICT DO NOTHING;
    UPDATE messages m
       SET status = in_status, report_rank = report_rank(in_status), version = m.version + 1,
           updated_at = clock_timestamp(), error_code = in_code, error_reason = in_reason
     WHERE m.id = in_attempt.message_id AND m.attempt_count = in_attempt.number
       AND m.report_rank < report_rank(in_status)
    RETURNING m.conversation_id INTO conversation;
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    IF in_attempt.outcome IS DISTINCT FROM 'sent' THEN  -- a recorded success has ended the delivery
        PERFORM end_delivery(conversation, in_attempt.message_id);
    END IF;
    RETURN true;
END $$;

-- Gives an attempt the provider's id, unless the attempt has one, or the id belongs to another attempt: if a provider
-- gives one id to two messages, the first keeps it.
-- Returns the id if it was given. Called by record_attempt and reported_attempt.
CREATE OR REPLACE FUNCTION claim_provider_id(in_attempt attempts, in_provider_message_id text) RETURNS text
LANGUAGE sql AS $$
    INSERT INTO provider_message_ids (account_id, provider, provider_message_id, message_id, attempt)
    SELECT in_attempt.account_id, in_attempt.provider, in_provider_message_id, in_attempt.message_id, in_attempt.number
     WHERE in_attempt.provider_message_id IS NULL AND in_provider_message_id IS NOT NULL
    ON CONFLICT DO NOTHING
    RETURNING provider_message_id
$$;

-- Copies the provider's id of an attempt, if it has one, to its message, and applies the reports that were waiting
-- for it.
-- Called by reported_attempt, record_attempt and apply_pending_reports.
CREATE OR REPLACE FUNCTION use_provider_id(in_attempt attempts) RETURNS void
LANGUAGE plpgsql AS $$
DECLARE
    pending pending_reports;
BEGIN
    IF in_attempt.provider_message_id IS NULL THEN
        RETURN;
    END IF;
    UPDATE messages m SET provider_message_id = in_attempt.provider_message_id, version = m.version + 1
     WHERE m.id = in_attempt.message_id AND m.attempt_count = in_attempt.number
       AND m.provider_message_id IS DISTINCT FROM in_attempt.provider_message_id;
    FOR pending IN
        SELECT * FROM pending_reports p
         WHERE p.provider = in_attempt.provider AND p.provider_message_id = in_attempt.provider_message_id
         ORDER BY p.id
    LOOP
        PERFORM apply_report(in_attempt, pending.status, pending.code, pending.reason, pending.occurred_at);
        DELETE FROM pending_reports p WHERE p.id = pending.id;
    END LOOP;
END $$;

-- Returns the attempt that a report is about, found by the provider's id or by our id (in_reference), or NULL if it
-- is not known yet. An attempt that was found by our id gets the provider's id.
-- Called by add_report and apply_pending_reports.
CREATE OR REPLACE FUNCTION reported_attempt(
    in_provider text, in_provider_message_id text, in_reference bigint
) RETURNS attempts
LANGUAGE plpgsql AS $$
DECLARE
    attempt attempts;
BEGIN
    SELECT a.* INTO attempt
      FROM provider_message_ids i JOIN attempts a ON a.message_id = i.message_id AND a.number = i.attempt
     WHERE i.provider = in_provider AND i.provider_message_id = in_provider_message_id;
    IF FOUND THEN
        RETURN attempt;
    END IF;
    -- Our id came back before the provider's id was recorded: the report is about the latest attempt without one.
    SELECT * INTO attempt FROM attempts a
     WHERE a.message_id = in_reference AND a.provider = in_provider
       AND (a.provider_message_id IS NULL OR in_provider_message_id IS NULL)
     ORDER BY a.number DESC LIMIT 1;
    IF NOT FOUND OR in_provider_message_id IS NULL THEN
        RETURN attempt;
    END IF;
    -- It may also be about an attempt before, whose answer was lost, while this one is under way: its record will
    -- tell.
    IF attempt.outcome IS NULL AND EXISTS (
        SELECT FROM attempts a
         WHERE a.message_id = in_reference AND a.provider = in_provider AND a.outcome = 'unknown'
           AND a.provider_message_id IS NULL)
    THEN
        RETURN NULL;
    END IF;
    PERFORM claim_provider_id(attempt, in_provider_message_id);
    UPDATE attempts a SET provider_message_id = in_provider_message_id
     WHERE a.message_id = attempt.message_id AND a.number = attempt.number
    RETURNING a.* INTO attempt;
    PERFORM use_provider_id(attempt);
    RETURN attempt;
END $$;

-- Applies a report to its attempt, or stores it as pending until the attempt is known. The same report again adds
-- nothing, so a call whose answer was lost can be repeated, and a request replayed.
-- outcome: moved, noted (an event without a new status), pending, or unmatched (it names nothing that we sent).
-- Called by add_part.
CREATE OR REPLACE FUNCTION add_report(
    in_provider text, in_provider_message_id text, in_reference bigint,
    in_status text, in_code text, in_reason text, in_occurred_at timestamptz,
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
        outcome := CASE WHEN apply_report(attempt, in_status, in_code, in_reason, in_occurred_at)
                        THEN 'moved' ELSE 'noted' END;
        SELECT message_json(m, c) INTO STRICT message
          FROM messages m JOIN conversations c ON c.id = m.conversation_id WHERE m.id = attempt.message_id;
    ELSIF in_provider_message_id IS NOT NULL THEN
        INSERT INTO pending_reports (provider, provider_message_id, reference, status, code, reason, occurred_at)
        VALUES (in_provider, in_provider_message_id, in_reference, in_status, in_code, in_reason, in_occurred_at)
        ON CONFLICT DO NOTHING;
        outcome := 'pending';
    ELSE
        outcome := 'unmatched';
    END IF;
END $$;

-- Checks the pending reports that are due. Applies those whose attempt is known by now: normally record_attempt does
-- that, if it learns the provider's id. The others wait again, for as long as they have waited, so a report is
-- checked a dozen times in a week. A transaction that works on the reports of a provider's id holds its lock; this
-- function skips ids that are locked, so several calls can run at once.
-- Returns the ids of the pending reports that were applied. Called by the relay.
CREATE OR REPLACE FUNCTION apply_pending_reports(in_limit integer) RETURNS TABLE (id bigint)
LANGUAGE plpgsql AS $$
DECLARE
    due record;
    pending_ids bigint[];
    attempt attempts;
BEGIN
    FOR due IN
        SELECT first.provider, first.provider_message_id, max(first.reference) AS reference
          FROM (SELECT * FROM pending_reports p WHERE p.next_check_at <= now()
                 ORDER BY p.next_check_at LIMIT in_limit) AS first
         GROUP BY first.provider, first.provider_message_id
    LOOP
        CONTINUE WHEN NOT try_lock_provider_message(due.provider, due.provider_message_id);
        pending_ids := ARRAY(SELECT p.id FROM pending_reports p
                              WHERE p.provider = due.provider AND p.provider_message_id = due.provider_message_id);
        attempt := reported_attempt(due.provider, due.provider_message_id, due.reference);
        IF attempt.message_id IS NOT NULL THEN
            PERFORM use_provider_id(attempt);
            RETURN QUERY SELECT unnest(pending_ids);
        ELSE
            UPDATE pending_reports p SET next_check_at = now() + greatest(now() - p.created_at, interval '1 minute')
             WHERE p.id = ANY (pending_ids);
        END IF;
    END LOOP;
END $$;
