-- The account that owns an address; 0, the quarantine, where none does.
CREATE OR REPLACE FUNCTION address_owner(in_address text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT a.account_id FROM account_addresses a WHERE a.address = in_address),
                    (SELECT a.account_id FROM account_addresses a WHERE a.address = '*'), 0)
$$;

-- Finds or makes the conversation of a pair of addresses, with its contact, and leaves it locked until
-- the caller's transaction ends: a message inserted after this call has an id that follows, within the
-- conversation, the ids of all that were committed before.

CREATE OR REPLACE FUNCTION touch_conversation(
    in_account bigint, in_customer text, in_contact text, in_type text
) RETURNS conversations
LANGUAGE plpgsql AS $$
DECLARE
    found_conversation conversations;
    found_contact bigint;
BEGIN
    UPDATE conversations AS c
       SET last_message_at = greatest(c.last_message_at, clock_timestamp()),
           types = CASE WHEN in_type = ANY (c.types) THEN c.types ELSE c.types || in_type END
     WHERE c.account_id = in_account AND c.customer_address = in_customer AND c.contact_address = in_contact
    RETURNING c.* INTO found_conversation;
    IF FOUND THEN
        RETURN found_conversation;
    END IF;

    -- The address comes first and its contact only where it was new, in one statement: a loser of the
    -- race waits here for the winner and leaves no contact behind.
    WITH new_address AS (
        INSERT INTO contact_addresses (account_id, address, contact_id)
        VALUES (in_account, in_contact, nextval(pg_get_serial_sequence('contacts', 'id')))
        ON CONFLICT DO NOTHING
        RETURNING account_id, contact_id)
    INSERT INTO contacts (id, account_id) SELECT contact_id, account_id FROM new_address;

    SELECT contact_id INTO STRICT found_contact
      FROM contact_addresses WHERE account_id = in_account AND address = in_contact;

    INSERT INTO conversations AS c (account_id, customer_address, contact_address, contact_id, types)
    VALUES (in_account, in_customer, in_contact, found_contact, ARRAY[in_type])
    ON CONFLICT (account_id, customer_address, contact_address) DO UPDATE
       SET last_message_at = greatest(c.last_message_at, clock_timestamp()),
           types = CASE WHEN in_type = ANY (c.types) THEN c.types ELSE c.types || in_type END
    RETURNING c.* INTO found_conversation;

    INSERT INTO conversation_participants (conversation_id, account_id, address, role)
    VALUES (found_conversation.id, in_account, in_customer, 'customer'),
           (found_conversation.id, in_account, in_contact, 'contact')
    ON CONFLICT DO NOTHING;
    RETURN found_conversation;
END $$;

-- Notes who else is in a mail.
CREATE OR REPLACE FUNCTION add_participants(in_conversation conversations, in_addresses jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO conversation_participants (conversation_id, account_id, address, role)
    SELECT in_conversation.id, in_conversation.account_id, address, 'cc'
      FROM jsonb_array_elements_text(in_addresses) AS listed (address)
     ORDER BY address
    ON CONFLICT DO NOTHING
$$;

-- Inserts a message with the content that the caller sent or the provider reported (models.Content).
CREATE OR REPLACE FUNCTION insert_message(
    in_conversation conversations, in_direction text, in_status text, in_provider text,
    in_provider_message_id text, in_token uuid, in_content jsonb, in_extra jsonb,
    in_providers text[] DEFAULT '{}', in_policy text DEFAULT 'at_most_once'
) RETURNS messages
LANGUAGE sql AS $$
    INSERT INTO messages (
        account_id, conversation_id, direction, status, provider, providers, provider_message_id,
        delivery_policy, request_token, extra, size, type, cc, reply_to, headers, subject, body, html, "timestamp",
        attachments, created_at, updated_at, dispatch_at)
    SELECT in_conversation.account_id, in_conversation.id, in_direction, in_status, in_provider, in_providers,
           in_provider_message_id, in_policy, in_token, in_extra, octet_length(to_json(in_content::text)::text),
           content.type, coalesce(content.cc, '[]'), content.reply_to, coalesce(content.headers, '{}'), content.subject, content.body, content.html,
           content.timestamp,
           -- A URL, or an object for what we keep ourselves.
           (SELECT coalesce(jsonb_agg(CASE jsonb_typeof(one) WHEN 'object' THEN one
                                                             ELSE jsonb_build_object('url', one) END ORDER BY place), '[]')
              FROM jsonb_array_elements(content.attachments) WITH ORDINALITY AS listed (one, place)),
           clock.now, clock.now,
           -- Its first nudge is on its way; a minute later the relay takes it for lost.
           CASE in_status WHEN 'queued' THEN clock.now + interval '1 minute' END
      FROM (SELECT clock_timestamp() AS now) AS clock,
           jsonb_to_record(in_content) AS content (
               type text, cc jsonb, reply_to text, headers jsonb, subject text, body text, html text,
               "timestamp" timestamptz, attachments jsonb)
    ON CONFLICT (request_token) DO NOTHING
    RETURNING *
$$;
