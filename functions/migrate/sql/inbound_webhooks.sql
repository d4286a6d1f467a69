-- Stores one part of a webhook request: an inbound message or a report. Returns the outcome of add_inbound or
-- add_report.
-- in_received_at: when this request was received. in_first_received_at: when it was received for the first time.
-- in_request: its id.
-- Called by receive_webhook.
CREATE OR REPLACE FUNCTION add_part(
    in_provider text, in_part jsonb, in_received_at timestamptz, in_first_received_at timestamptz, in_request bigint,
    OUT outcome text, OUT message text
)
LANGUAGE plpgsql AS $$
DECLARE
    content jsonb := in_part -> 'content';
    extra jsonb := nullif(in_part -> 'extra', 'null');
    result record;
    occurred_at timestamptz;
BEGIN
    IF in_part ->> 'kind' = 'inbound' THEN
        -- A contact form writes with an address of the account. The person is in another header.
        IF in_part -> 'substitute' <> 'null' AND EXISTS (
            SELECT FROM account_addresses own
             WHERE own.address = content ->> 'from' AND own.account_id = address_owner(content ->> 'to'))
        THEN
            content := content || (in_part -> 'substitute' -> 'content');
            extra := coalesce(extra, '{}') || (in_part -> 'substitute' -> 'extra');
        END IF;
        result := add_inbound(in_provider, in_part ->> 'provider_message_id', content, extra, in_request);
    ELSE
        -- A report without a time of its own has the time of its first arrival.
        occurred_at := (in_part ->> 'occurred_at')::timestamptz;
        result := add_report(
            in_provider, in_part ->> 'provider_message_id', (in_part ->> 'reference')::bigint,
            in_part ->> 'status', in_part ->> 'code', in_part ->> 'reason',
            CASE occurred_at WHEN in_received_at THEN in_first_received_at ELSE occurred_at END);
    END IF;
    outcome := result.outcome;
    message := result.message;
END $$;

-- Returns the message that the first report of a request names by our id, or NULL. Requests are unique by it and their
-- digest: a message is reported soon after it is sent, so the digests of its reports stand on a page of their index that
-- is in memory already, instead of on a random page each.
-- NULL if the request is to be found by its digest alone: if it could not be read, if its replay token is unique too, or
-- if it is so long that the spool may know only its digest (spool.MAX_RECORD).
-- Called by receive_webhook.
CREATE OR REPLACE FUNCTION reported_message(in_body bytea, in_replay_token text, in_fault text, in_parts jsonb)
RETURNS bigint
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT (in_parts -> 0 ->> 'reference')::bigint
     WHERE in_fault IS NULL AND in_replay_token IS NULL AND octet_length(in_body) < 50000
$$;

-- Stores a verified webhook request and all of its parts in one transaction. The same request again adds nothing. If
-- it could not be read before, it has the fault of this call now, or none; one that was read gets no fault.
--
-- Normally all parts are stored in the transaction itself, and a part that the database refuses fails the call. The
-- caller then repeats it with in_isolated: each part gets a subtransaction, so that a refused part does not lose the
-- others but becomes the fault of the request. Subtransactions cost a transaction id for each part.
--
-- A replay token that came with another request violates webhook_requests_replay_token_key.
-- Returns one row for each part, in the order of the parts. outcome: one of add_inbound's outcomes for a message, one
-- of add_report's for a report, or refused. fault: why the part was refused, or with which message it is in conflict.
-- Called by messaging (store).
CREATE OR REPLACE FUNCTION receive_webhook(
    in_route text, in_provider text, in_received_at timestamptz, in_verified_at timestamptz,
    in_url text, in_query text, in_headers jsonb, in_body bytea, in_digest bytea, in_replay_token text, in_fault text,
    in_fault_kind text, in_parts jsonb, in_isolated boolean DEFAULT false
) RETURNS TABLE (outcome text, message text, fault text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
DECLARE
    reported_id bigint := reported_message(in_body, in_replay_token, in_fault, in_parts);
    first_id bigint;
    first_received_at timestamptz;
    listed record;
    result record;
    outcomes text[] := array_fill(NULL::text, ARRAY[jsonb_array_length(in_parts)]);
    messages text[] := outcomes;
    faults text[] := outcomes;
    constraint_name text;
BEGIN
    IF reported_id IS NOT NULL THEN  -- it is stored without its message if it could not be read before
        UPDATE webhook_requests r SET fault = NULL, fault_kind = NULL
         WHERE r.message_id IS NULL AND r.digest = in_digest AND r.provider = in_provider
        RETURNING r.id, r.received_at INTO first_id, first_received_at;
    ELSIF in_fault IS NOT NULL THEN  -- a replay: it is stored with its message if it could be read before
        SELECT r.id, r.received_at INTO first_id, first_received_at FROM webhook_requests r
         WHERE r.received_at = in_received_at AND r.digest = in_digest AND r.provider = in_provider;
        UPDATE webhook_requests r SET fault = in_fault, fault_kind = in_fault_kind
         WHERE r.id = first_id AND r.fault IS NOT NULL;
    END IF;
    IF first_id IS NULL THEN
        INSERT INTO webhook_requests AS r (
            route, provider, received_at, verified_at, url, query, headers, body, message_id, digest, replay_token,
            fault, fault_kind)
        VALUES (in_route, in_provider, in_received_at, in_verified_at, in_url, in_query, in_headers, in_body,
                reported_id, in_digest, in_replay_token, in_fault, in_fault_kind)
        ON CONFLICT (message_id, digest, provider) DO UPDATE
           SET fault = CASE WHEN r.fault IS NOT NULL THEN excluded.fault END,
               fault_kind = CASE WHEN r.fault IS NOT NULL THEN excluded.fault_kind END
        RETURNING r.id, r.received_at INTO first_id, first_received_at;
    END IF;

    -- Locks are taken in one order, whatever the order of the parts: first the providers' ids, then conversations by
    -- their addresses, then the messages that the reports are about.
    PERFORM lock_provider_message(in_provider, part.id)
       FROM (SELECT DISTINCT p ->> 'provider_message_id' AS id
               FROM jsonb_array_elements(in_parts) AS p ORDER BY 1) AS part
      WHERE part.id IS NOT NULL;
    FOR listed IN
        SELECT p.part, p.position FROM jsonb_array_elements(in_parts) WITH ORDINALITY AS p (part, position)
         ORDER BY p.part ->> 'kind', p.part -> 'content' ->> 'to', p.part -> 'content' ->> 'from',
                  p.part ->> 'provider_message_id', (p.part ->> 'reference')::bigint, p.position
    LOOP
        IF NOT in_isolated THEN
            result := add_part(in_provider, listed.part, in_received_at, first_received_at, first_id);
        ELSE
            BEGIN
                result := add_part(in_provider, listed.part, in_received_at, first_received_at, first_id);
            EXCEPTION WHEN data_exception OR integrity_constraint_violation OR program_limit_exceeded THEN
                GET STACKED DIAGNOSTICS constraint_name = CONSTRAINT_NAME;
                outcomes[listed.position] := 'refused';
                faults[listed.position] := rtrim(format('the database refused part %s: %s %s',
                                                     listed.position, SQLSTATE, constraint_name));
                CONTINUE;
            END;
        END IF;
        outcomes[listed.position] := result.outcome;
        messages[listed.position] := result.message;
        IF result.outcome = 'conflict' THEN
            faults[listed.position] := format('part %s has the id of message %s and other content',
                                              listed.position, result.message::json ->> 'id');
        END IF;
    END LOOP;
    IF outcomes && ARRAY['refused', 'conflict'] THEN
        UPDATE webhook_requests r
           SET fault = concat_ws('; ', in_fault, array_to_string(faults, '; ')),
               fault_kind = CASE WHEN 'refused' = ANY (outcomes) THEN 'refused'
                                 ELSE coalesce(in_fault_kind, 'id_conflict') END
         WHERE r.id = first_id;
    END IF;
    RETURN QUERY SELECT part.outcome, part.message, part.fault
                   FROM unnest(outcomes, messages, faults) WITH ORDINALITY AS part (outcome, message, fault, position)
                  ORDER BY part.position;
END $$;
