-- How the status of an outbound message may change. Only this file says so.

-- Returns whether a step may change the status of a message from in_old to in_new. Each line is one edge: from, to,
-- and the step that makes it. Reports are not steps: they move a message by rank (report_rank).
-- The table in docs/guarantees.md shows the same edges; a test compares the two.
-- Called by claim_next, record_attempt, resolve_attempt and expire_leases.
CREATE OR REPLACE FUNCTION can_follow(in_old text, in_new text, in_step text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (in_old, in_new, in_step) IN (
        ('queued', 'sending', 'claim'),            -- an attempt begins
        ('queued', 'failed', 'claim'),             -- the message is too old
        ('queued', 'sent', 'record'),              -- a late answer: the attempt before had succeeded
        ('sending', 'sent', 'record'),             -- the provider accepted the message
        ('sending', 'failed', 'record'),           -- the provider refused it for good, or no attempt is left
        ('sending', 'queued', 'record'),           -- it is to be tried again
        ('sending', 'unknown', 'record'),          -- the provider did not answer
        ('sending', 'unknown', 'expire_leases'),   -- the worker did not record how the attempt ended
        ('unknown', 'sent', 'record'),             -- a late answer, or the provider knows the message
        ('unknown', 'failed', 'record'),           -- a late answer
        ('unknown', 'queued', 'resolve'),          -- the provider does not have it, or the policy allows a second try
        ('unknown', 'failed', 'resolve'))          -- the provider does not have it, and no attempt is left
$$;

-- Returns the rank of a report by its status. A report changes a message only if its rank is higher than that of
-- every report before it, so a bounce may follow `delivered`, and nothing leads back. A report whose status we do not
-- know (NULL) has rank 0, as a message without a report: it changes nothing.
-- Called by apply_report.
CREATE OR REPLACE FUNCTION report_rank(in_status text) RETURNS smallint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE in_status WHEN 'sent' THEN 1 WHEN 'delivered' THEN 2 WHEN 'failed' THEN 3 WHEN 'read' THEN 4
                          ELSE 0 END::smallint
$$;

-- Returns how long after its time a dispatch is considered lost, so that the relay repeats it.
-- Called by accept_message, record_attempt, resolve_attempt and take_due_dispatches.
CREATE OR REPLACE FUNCTION dispatch_timeout() RETURNS interval
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT interval '1 minute'
$$;
