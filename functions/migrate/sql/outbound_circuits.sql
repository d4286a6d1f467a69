-- Circuit breakers. If a provider keeps failing, its circuit opens and it is skipped for some time. Then one attempt
-- tries it, and closes the circuit or opens it again for twice as long. All workers share the circuits.

-- Returns whether a failure of this kind is the provider's fault. A success (NULL), and a failure that is an answer
-- of a working provider, such as that it does not know the sender, is not. Returns NULL for a failure that says nothing about the provider, because it was not
-- called.
-- The kinds are those of messaging.failures.Failure; a test compares them. Called by watch_provider.
CREATE OR REPLACE FUNCTION is_provider_fault(in_failure text) RETURNS boolean
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE WHEN in_failure IN ('unready', 'unsendable') THEN NULL
                ELSE coalesce(in_failure IN ('temporary', 'misconfigured', 'unknown'), false) END
$$;

-- Chooses the provider for the next attempt of a message, from those that it may still go to. If the circuit of one
-- is half-open, only one caller gets that provider.
-- Returns NULL if all their circuits are open. Called by claim_next.
CREATE OR REPLACE FUNCTION pick_provider(in_message messages) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    picked text;
    is_trial boolean;
BEGIN
    LOOP
        SELECT listed.name, c.open_until IS NOT NULL INTO picked, is_trial
          FROM unnest(in_message.providers) WITH ORDINALITY AS listed (name, position)
          LEFT JOIN circuits c ON c.provider = listed.name
         WHERE listed.position >= coalesce(array_position(in_message.providers, in_message.provider), 1)
           AND (c.open_until IS NULL OR c.open_until <= clock_timestamp())
         ORDER BY listed.position LIMIT 1;
        IF picked IS NULL OR NOT is_trial THEN
            RETURN picked;
        END IF;
        UPDATE circuits c SET open_until = clock_timestamp() + interval '30 seconds'  -- time for the provider to answer
         WHERE c.provider = picked AND c.open_until <= clock_timestamp();
        IF FOUND THEN
            RETURN picked;
        END IF;
    END LOOP;
END $$;

-- Updates the circuit of a provider after an attempt. The circuit opens if, of the provider's last 20 attempts that
-- began within a minute, ten or more have ended and half of these failed by the provider's fault. An attempt that
-- began before the circuit last changed does not change it.
-- Returns whether this attempt opened the circuit. Called by record_attempt.
CREATE OR REPLACE FUNCTION watch_provider(in_attempt attempts) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    is_fault CONSTANT boolean := is_provider_fault(in_attempt.failure);
    since timestamptz := clock_timestamp() - interval '1 minute';
    circuit circuits;
BEGIN
    IF is_fault IS NULL THEN
        RETURN false;
    ELSIF NOT is_fault THEN
        UPDATE circuits c SET open_until = NULL, openings = 0, changed_at = clock_timestamp()
         WHERE c.provider = in_attempt.provider AND c.open_until IS NOT NULL AND c.changed_at <= in_attempt.started_at;
        RETURN false;
    END IF;

    SELECT * INTO circuit FROM circuits c WHERE c.provider = in_attempt.provider;
    IF circuit.changed_at > in_attempt.started_at THEN
        RETURN false;
    ELSIF circuit.open_until IS NULL AND NOT (
        SELECT count(*) >= 10 AND 2 * count(*) FILTER (WHERE is_provider_fault(recent.failure)) >= count(*)
          FROM (SELECT a.failure FROM attempts a
                 WHERE a.provider = in_attempt.provider AND a.ended_at IS NOT NULL
                   AND is_provider_fault(a.failure) IS NOT NULL
                   AND a.started_at > greatest(since, circuit.changed_at)
                 -- By their beginning: after a burst, the attempts that ended last are all timeouts.
                 ORDER BY a.started_at DESC LIMIT 20) AS recent)
    THEN
        RETURN false;
    END IF;
    INSERT INTO circuits AS c (provider, changed_at, open_until, openings)
    VALUES (in_attempt.provider, clock_timestamp(), clock_timestamp() + interval '30 seconds', 1)
    ON CONFLICT (provider) DO UPDATE
       SET changed_at = clock_timestamp(), openings = least(c.openings + 1, 5),
           open_until = clock_timestamp() + least(interval '30 seconds' * 2 ^ c.openings, interval '5 minutes')
     WHERE c.changed_at <= in_attempt.started_at;
    RETURN FOUND;
END $$;
