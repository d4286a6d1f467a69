-- A provider that keeps failing is let alone for a while: its circuit is open. Then one attempt tries it, and
-- closes the circuit or opens it again, for twice as long. All who deliver share what they learn here.

-- The provider to try next, of those that the message may still go to; NULL where all their circuits are open.
-- Of a circuit whose time is up one caller alone gets the provider.
CREATE OR REPLACE FUNCTION pick_provider(in_message messages) RETURNS text
LANGUAGE plpgsql AS $$
DECLARE
    picked text;
    is_trial boolean;
BEGIN
    LOOP
        SELECT listed.name, c.open_until IS NOT NULL INTO picked, is_trial
          FROM unnest(in_message.providers) WITH ORDINALITY AS listed (name, place)
          LEFT JOIN circuits c ON c.provider = listed.name
         WHERE listed.place >= coalesce(array_position(in_message.providers, in_message.provider), 1)
           AND (c.open_until IS NULL OR c.open_until <= clock_timestamp())
         ORDER BY listed.place LIMIT 1;
        IF picked IS NULL OR NOT is_trial THEN
            RETURN picked;
        END IF;
        UPDATE circuits c SET open_until = clock_timestamp() + interval '30 seconds'  -- for its answer
         WHERE c.provider = picked AND c.open_until <= clock_timestamp();
        IF FOUND THEN
            RETURN picked;
        END IF;
    END LOOP;
END $$;

-- Learns from an attempt that has ended; whether that opened its provider's circuit.
--
-- A circuit opens when, of the provider's last 20 attempts that began within a minute, ten or more have ended and
-- half of these failed by the provider's fault. One that began before the circuit last changed changes it no more.
CREATE OR REPLACE FUNCTION watch_provider(in_attempt attempts) RETURNS boolean
LANGUAGE plpgsql AS $$
DECLARE
    faults CONSTANT text[] := '{temporary,misconfigured,unknown}';  -- the others are an answer of a provider that is well
    unasked CONSTANT text[] := '{unready,unsendable}';  -- these say nothing of the provider
    since timestamptz := clock_timestamp() - interval '1 minute';
    circuit circuits;
BEGIN
    IF in_attempt.failure = ANY (unasked) THEN
        RETURN false;
    ELSIF in_attempt.failure IS NULL OR in_attempt.failure <> ALL (faults) THEN
        UPDATE circuits c SET open_until = NULL, openings = 0, changed_at = clock_timestamp()
         WHERE c.provider = in_attempt.provider AND c.open_until IS NOT NULL
           AND c.changed_at <= in_attempt.started_at;
        RETURN false;
    END IF;

    SELECT * INTO circuit FROM circuits c WHERE c.provider = in_attempt.provider;
    IF circuit.changed_at > in_attempt.started_at THEN
        RETURN false;
    ELSIF circuit.open_until IS NULL AND NOT (
        SELECT count(*) >= 10 AND 2 * count(*) FILTER (WHERE recent.failure = ANY (faults)) >= count(*)
          FROM (SELECT a.failure FROM attempts a
                 WHERE a.provider = in_attempt.provider AND a.ended_at IS NOT NULL
                   AND (a.failure = ANY (unasked)) IS NOT TRUE
                   AND a.started_at > greatest(since, circuit.changed_at)
                 -- By their beginnings: after a burst its time-outs are all that ended last.
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
