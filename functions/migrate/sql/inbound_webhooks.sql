-- Keeps a verified request and all that it tells in one transaction, and gives what became of each part, in
-- the parts' order: created, quarantined or duplicate for a message, add_report's outcomes for a report, or refused where
-- the database cannot hold it. A refused part does not lose the others: it becomes the request's fault.
--
-- Another request with what is good for one alone breaks webhook_requests_replay_token_key.
-- The same request again adds nothing; one that could not be read before, and now was, loses its fault.
CREATE OR REPLACE FUNCTION receive_webhook(
    in_route text, in_provider text, in_received_at timestamptz, in_verified_at timestamptz,
    in_url text, in_query text, in_headers jsonb, in_body bytea, in_digest bytea, in_replay_token text, in_fault text,
    in_parts jsonb
) RETURNS TABLE (outcome text, message text, fault text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    first_id bigint;
    first_received_at timestamptz;
    listed record;
    part jsonb;
    result record;
    outcomes text[] := array_fill(NULL::text, ARRAY[jsonb_array_length(in_parts)]);
    messages text[] := outcomes;
    faults text[] := outcomes;
    constraint_name text;
BEGIN
    INSERT INTO webhook_requests AS r (
        route, provider, received_at, verified_at, url, query, headers, body, digest, replay_token, fault)
    VALUES (in_route, in_provider, in_received_at, in_verified_at, in_url, in_query, in_headers, in_body,
            in_digest, in_replay_token, in_fault)
    ON CONFLICT (provider, digest) DO UPDATE
       SET fault = CASE WHEN excluded.fault IS NOT NULL THEN r.fault END
    RETURNING r.id, r.received_at INTO first_id, first_received_at;

    -- Locks are taken in one order, whatever the parts' order: first the providers' ids, then conversations by
    -- their addresses, then the messages that reports are about.
    PERFORM lock_provider_message(in_provider, named.id)
       FROM (SELECT DISTINCT p ->> 'provider_message_id' AS id FROM jsonb_array_elements(in_parts) AS p ORDER BY 1) AS named
      WHERE named.id IS NOT NULL;
    FOR listed IN
        SELECT p.part, p.place FROM jsonb_array_elements(in_parts) WITH ORDINALITY AS p (part, place)
         ORDER BY p.part ->> 'kind', p.part -> 'content' ->> 'to', p.part -> 'content' ->> 'from',
                  p.part ->> 'provider_message_id', (p.part ->> 'reference')::bigint, p.place
    LOOP
        part := listed.part;
        BEGIN
            IF part ->> 'kind' = 'inbound' THEN
                SELECT i.outcome, i.message INTO STRICT result
                  FROM add_inbound(in_provider, part ->> 'provider_message_id', part -> 'content',
                                   nullif(part -> 'extra', 'null')) AS i;
            ELSE
                SELECT r.outcome, r.message INTO STRICT result
                  FROM add_report(
                           (part ->> 'token')::uuid, in_provider, part ->> 'provider_message_id',
                           (part ->> 'reference')::bigint, part ->> 'status', (part ->> 'rank')::integer,
                           part ->> 'code', part ->> 'reason',
                           -- One without a time of its own has that of its arrival: when it came first.
                           CASE (part ->> 'occurred_at')::timestamptz WHEN in_received_at THEN first_received_at
                                ELSE (part ->> 'occurred_at')::timestamptz END) AS r;
            END IF;
            outcomes[listed.place] := result.outcome;
            messages[listed.place] := result.message;
        EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
            GET STACKED DIAGNOSTICS constraint_name = CONSTRAINT_NAME;
            outcomes[listed.place] := 'refused';
            faults[listed.place] := rtrim(format('the database refused part %s: %s %s',
                                                 listed.place, SQLSTATE, constraint_name));
        END;
    END LOOP;
    IF 'refused' = ANY (outcomes) THEN
        UPDATE webhook_requests r SET fault = concat_ws('; ', in_fault, array_to_string(faults, '; ')) WHERE r.id = first_id;
    END IF;
    RETURN QUERY SELECT kept.outcome, kept.message, kept.fault
                   FROM unnest(outcomes, messages, faults) WITH ORDINALITY AS kept (outcome, message, fault, place)
                  ORDER BY kept.place;
END $$;
