-- Rows in the form in which the HTTP contract shows them: the only place that knows it.

CREATE OR REPLACE FUNCTION rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    -- Whatever the session's time zone and date style are; with as many digits as Python writes.
    SELECT to_char(moment AT TIME ZONE 'UTC', CASE WHEN moment = date_trunc('second', moment)
                                              THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                                              ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)
$$;

CREATE OR REPLACE FUNCTION message_json(message messages, conversation conversations) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(shown) FROM (
        SELECT message.id,
               message.conversation_id,
               message.direction,
               message.type,
               CASE message.direction WHEN 'outbound' THEN conversation.customer_address
                                      ELSE conversation.contact_address END AS "from",
               CASE message.direction WHEN 'outbound' THEN conversation.contact_address
                                      ELSE conversation.customer_address END AS "to",
               message.cc,
               message.reply_to,
               message.headers,
               message.subject,
               message.body,
               message.html,
               -- What lies at a URL of its own, or what we keep ourselves.
               (SELECT coalesce(jsonb_agg(coalesce(
                           listed.attachment ->> 'url',
                           format('/api/messages/%s/attachments/%s', message.id, listed.place)) ORDER BY place), '[]')
                  FROM jsonb_array_elements(message.attachments) WITH ORDINALITY AS listed (attachment, place)
               ) AS attachments,
               coalesce(message.extra -> 'content_ids', '{}') AS content_ids,
               message.status,
               message.provider,
               message.provider_message_id,
               CASE WHEN message.error_code IS NOT NULL OR message.error_reason IS NOT NULL
                    THEN json_build_object('code', message.error_code, 'reason', message.error_reason) END AS error,
               rfc3339(message.timestamp) AS timestamp,
               rfc3339(message.created_at) AS created_at,
               rfc3339(message.updated_at) AS updated_at,
               message.version) AS shown
$$;

CREATE OR REPLACE FUNCTION event_json(event message_events) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(shown) FROM (
        SELECT event.kind,
               event.attempt,
               event.provider,
               event.status,
               event.code,
               event.reason,
               rfc3339(event.occurred_at) AS occurred_at,
               rfc3339(event.created_at) AS created_at) AS shown
$$;

CREATE OR REPLACE FUNCTION conversation_json(conversation conversations) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(shown) FROM (
        SELECT conversation.id,
               conversation.customer_address,
               conversation.contact_address,
               conversation.contact_id,
               (SELECT row_to_json(newest) FROM (
                    SELECT m.id, m.type, m.direction, left(m.body, 200) AS preview
                      FROM messages m
                     -- A range and no equality, so that one index alone has this order: the primary key would be
                     -- read through all newer messages wherever this conversation is taken for a crowded one.
                     WHERE m.conversation_id BETWEEN conversation.id AND conversation.id
                     ORDER BY m.conversation_id DESC, m.id DESC LIMIT 1) AS newest) AS last_message,
               rfc3339(conversation.created_at) AS created_at,
               rfc3339(conversation.last_message_at) AS last_message_at) AS shown
$$;
