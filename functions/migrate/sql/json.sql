-- Rows as the HTTP contract shows them. Only this file knows their form.

-- Returns a time in UTC as RFC 3339, whatever the time zone and the date style of the session, with as many digits as
-- Python writes. Called by the other functions of this file, by outbound_json and by those of accounts.sql.
CREATE OR REPLACE FUNCTION rfc3339(moment timestamptz) RETURNS text
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT to_char(moment AT TIME ZONE 'UTC', CASE WHEN moment = date_trunc('second', moment)
                                              THEN 'YYYY-MM-DD"T"HH24:MI:SS"Z"'
                                              ELSE 'YYYY-MM-DD"T"HH24:MI:SS.US"Z"' END)
$$;

-- Returns a message (responses.Message). Called by accept_message, add_inbound, add_report and the reads.
CREATE OR REPLACE FUNCTION message_json(message messages, conversation conversations) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(fields) FROM (
        SELECT message.id,
               message.conversation_id,
               message.direction,
               message.type,
               CASE message.direction WHEN 'outbound' THEN conversation.customer_address
                                      ELSE conversation.contact_address END AS "from",
               CASE message.direction WHEN 'outbound' THEN conversation.contact_address
                                      ELSE conversation.customer_address END AS "to",
               message.from_name,
               message.to_name,
               message.cc,
               coalesce(message.cc_names, '{}') AS cc_names,
               message.reply_to,
               message.reply_to_name,
               message.headers,
               message.subject,
               message.body,
               message.html,
               -- Each has a URL of its own, or its file is in our bucket.
               (SELECT coalesce(jsonb_agg(coalesce(
                           listed.attachment ->> 'url',
                           format('/api/messages/%s/attachments/%s', message.id, listed.position))
                           ORDER BY position), '[]')
                  FROM jsonb_array_elements(message.attachments) WITH ORDINALITY AS listed (attachment, position)
               ) AS attachments,
               coalesce(message.extra -> 'content_ids', '{}') AS content_ids,
               coalesce(message.extra - 'content_ids', '{}') AS extra,
               message.status,
               message.provider,
               id_at_provider(message) AS provider_message_id,
               CASE WHEN message.error_code IS NOT NULL OR message.error_reason IS NOT NULL
                    THEN json_build_object('code', message.error_code, 'reason', message.error_reason) END AS error,
               rfc3339(message.timestamp) AS timestamp,
               rfc3339(message.created_at) AS created_at,
               rfc3339(message.updated_at) AS updated_at,
               message.version) AS fields
$$;

-- Returns one event of a message (responses.MessageEvent). Called by the reads.
CREATE OR REPLACE FUNCTION event_json(event message_events) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(fields) FROM (
        SELECT event.kind,
               event.attempt,
               event.provider,
               event.status,
               event.code,
               event.reason,
               rfc3339(event.occurred_at) AS occurred_at,
               rfc3339(event.created_at) AS created_at) AS fields
$$;

-- Returns a conversation with its last message (responses.Conversation). Called by the reads.
CREATE OR REPLACE FUNCTION conversation_json(conversation conversations) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT row_to_json(fields) FROM (
        SELECT conversation.id,
               conversation.customer_address,
               conversation.contact_address,
               conversation.contact_id,
               (SELECT row_to_json(newest) FROM (
                    SELECT m.id, m.type, m.direction, left(m.body, 200) AS preview
                      FROM messages m
                     -- A range instead of an equality, so that only messages_page_idx has this order. With an
                     -- equality, the planner may read the primary key backwards, through all newer messages.
                     WHERE m.conversation_id BETWEEN conversation.id AND conversation.id
                     ORDER BY m.conversation_id DESC, m.id DESC LIMIT 1) AS newest) AS last_message,
               rfc3339(conversation.created_at) AS created_at,
               rfc3339(conversation.last_message_at) AS last_message_at) AS fields
$$;
