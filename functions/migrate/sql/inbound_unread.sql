-- Webhook requests that could not be read, in whole or in part, as operators handle them. All functions are called by
-- messaging (unread).

-- Returns an unread request (unread.UnreadWebhook). Both functions are inlined, so they do not read the request's body.
CREATE OR REPLACE FUNCTION unread_webhook_json(request webhook_requests) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object('id', request.id, 'provider', request.provider, 'route', request.route,
                             'received_at', rfc3339(request.received_at),
                             'kind', coalesce(request.fault_kind, 'unreadable'), 'fault', request.fault,
                             'content_type', coalesce(request.headers ->> 'content-type', ''),
                             'size', octet_length(request.body), 'seen_at', rfc3339(request.seen_at),
                             'dismissed_at', rfc3339(request.dismissed_at))
$$;

-- Returns the same with the request's URL and headers (unread.UnreadWebhookDetails).
CREATE OR REPLACE FUNCTION unread_webhook_details(request webhook_requests) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT (unread_webhook_json(request)::jsonb || jsonb_build_object(
                'url', request.url, 'query', request.query, 'headers', request.headers))::json
$$;

-- Returns an unread request, with its columns in the order of WebhookRequest's fields, and records that an operator
-- has seen it. in_action: downloaded or replayed. Every run writes an audit event, also a repeated one.
CREATE OR REPLACE FUNCTION open_unread_webhook(in_actor text, in_id bigint, in_action text) RETURNS TABLE (
    route text, provider text, url text, query text, headers jsonb, body bytea, received_at timestamptz,
    verified_at timestamptz, replay_token text)
LANGUAGE plpgsql AS $$
#variable_conflict use_column
BEGIN
    UPDATE webhook_requests r SET seen_at = coalesce(r.seen_at, clock_timestamp())
     WHERE r.id = in_id AND r.fault IS NOT NULL;
    IF FOUND THEN
        INSERT INTO audit_events (account_id, actor, action, details)
        VALUES (0, in_actor, 'webhook.' || in_action, jsonb_build_object('id', in_id));
        RETURN QUERY SELECT r.route, r.provider, r.url, r.query, r.headers, r.body, r.received_at, r.verified_at,
                            r.replay_token
                       FROM webhook_requests r WHERE r.id = in_id;
    END IF;
END $$;

-- Removes an unread request from the list. dismissed: whether it exists.
CREATE OR REPLACE FUNCTION dismiss_unread_webhook(in_actor text, in_id bigint, OUT dismissed boolean)
LANGUAGE plpgsql AS $$
BEGIN
    UPDATE webhook_requests r
       SET dismissed_at = clock_timestamp(), seen_at = coalesce(r.seen_at, clock_timestamp())
     WHERE r.id = in_id AND r.fault IS NOT NULL AND r.dismissed_at IS NULL;
    dismissed := FOUND;
    IF dismissed THEN
        INSERT INTO audit_events (account_id, actor, action, details)
        VALUES (0, in_actor, 'webhook.dismissed', jsonb_build_object('id', in_id));
    ELSE
        dismissed := EXISTS (SELECT FROM webhook_requests r WHERE r.id = in_id AND r.fault IS NOT NULL);
    END IF;
END $$;
