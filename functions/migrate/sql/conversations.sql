-- Returns the account that owns an address, or 0, the quarantine, if no account does.
-- Called by accept_message and inbound_owner.
CREATE OR REPLACE FUNCTION address_owner(in_address text) RETURNS bigint
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT coalesce((SELECT a.account_id FROM account_addresses a WHERE a.address = in_address),
                    (SELECT a.account_id FROM account_addresses a WHERE a.address = '*'), 0)
$$;

-- Finds or creates the conversation of two addresses, with its contact, and marks it as active now. The conversation
-- stays locked until the caller's transaction ends. A message that is inserted after this call therefore has a higher
-- id than every message of the conversation that is committed.
-- Returns the conversation. Called by accept_message, add_inbound and release_quarantined.
CREATE OR REPLACE FUNCTION touch_conversation(
    in_account bigint, in_customer text, in_contact text, in_type text
) RETURNS conversations
LANGUAGE plpgsql AS $$
DECLARE
    conversation conversations;
    existing_contact bigint;
BEGIN
    UPDATE conversations AS c
       SET last_message_at = greatest(c.last_message_at, clock_timestamp()),
           types = CASE WHEN in_type = ANY (c.types) THEN c.types ELSE c.types || in_type END
     WHERE c.account_id = in_account AND c.customer_address = in_customer AND c.contact_address = in_contact
    RETURNING c.* INTO conversation;
    IF FOUND THEN
        RETURN conversation;
    END IF;

    -- One statement inserts the address, and the contact only if the address is new. A transaction that loses the
    -- race waits here for the winner and leaves no contact behind.
    WITH new_address AS (
        INSERT INTO contact_addresses (account_id, address, contact_id)
        VALUES (in_account, in_contact, nextval(pg_get_serial_sequence('contacts', 'id')))
        ON CONFLICT DO NOTHING
        RETURNING account_id, contact_id)
    INSERT INTO contacts (id, account_id) SELECT contact_id, account_id FROM new_address;

    SELECT contact_id INTO STRICT existing_contact
      FROM contact_addresses WHERE account_id = in_account AND address = in_contact;

    INSERT INTO conversations AS c (account_id, customer_address, contact_address, contact_id, types)
    VALUES (in_account, in_customer, in_contact, existing_contact, ARRAY[in_type])
    ON CONFLICT (account_id, contact_address, customer_address) DO UPDATE
       SET last_message_at = greatest(c.last_message_at, clock_timestamp()),
           types = CASE WHEN in_type = ANY (c.types) THEN c.types ELSE c.types || in_type END
    RETURNING c.* INTO conversation;

    INSERT INTO conversation_participants (conversation_id, account_id, address, role)
    VALUES (conversation.id, in_account, in_customer, 'customer'),
           (conversation.id, in_account, in_contact, 'contact')
    ON CONFLICT DO NOTHING;
    RETURN conversation;
END $$;

-- Adds the recipients of copies of a mail to the participants of its conversation.
-- Called by accept_message and add_inbound.
CREATE OR REPLACE FUNCTION add_participants(in_conversation conversations, in_addresses jsonb) RETURNS void
LANGUAGE sql AS $$
    INSERT INTO conversation_participants (conversation_id, account_id, address, role)
    SELECT in_conversation.id, in_conversation.account_id, address, 'cc'
      FROM jsonb_array_elements_text(in_addresses) AS listed (address)
     ORDER BY address
    ON CONFLICT DO NOTHING
$$;

-- Returns what identifies an inbound message: its provider and the provider's id. The name of a provider contains no
-- =.
-- Called by add_inbound and id_at_provider.
CREATE OR REPLACE FUNCTION inbound_key(in_provider text, in_provider_message_id text) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT in_provider || '=' || in_provider_message_id
$$;

-- Returns the provider's id of a message, or NULL if it is not known. The key of an inbound message contains it, and
-- the row does not store it twice.
-- Called by message_json.
CREATE OR REPLACE FUNCTION id_at_provider(message messages) RETURNS text
LANGUAGE sql IMMUTABLE PARALLEL SAFE AS $$
    SELECT CASE message.direction
           WHEN 'inbound' THEN substr(message.inbound_key, length(inbound_key(message.provider, '')) + 1)
           ELSE message.provider_message_id END
$$;

-- Inserts a message with the content that the caller sent or the provider reported (models.Content): each field goes
-- to the column of its name. Every other column gets its first value here. in_webhook_request: the request in which an
-- inbound message came.
-- Returns the message, or NULL if this token already has one. Called by accept_message and add_inbound.
CREATE OR REPLACE FUNCTION insert_message(
    in_conversation conversations, in_direction text, in_status text, in_provider text, in_inbound_key text,
    in_token uuid, in_content jsonb, in_extra jsonb, in_providers text[] DEFAULT NULL, in_policy text DEFAULT NULL,
    in_webhook_request bigint DEFAULT NULL
) RETURNS messages
LANGUAGE plpgsql AS $$
DECLARE
    message messages := jsonb_populate_record(NULL::messages, in_content);
    inserted messages;
BEGIN
    message.id := nextval('messages_id_seq');
    message.account_id := in_conversation.account_id;
    message.conversation_id := in_conversation.id;
    message.direction := in_direction;
    message.status := in_status;
    message.provider := in_provider;
    message.providers := in_providers;
    message.inbound_key := in_inbound_key;
    message.webhook_request_id := in_webhook_request;
    message.delivery_policy := in_policy;
    message.request_token := in_token;
    message.extra := in_extra;
    message.size := octet_length(to_json(in_content::text)::text);
    IF in_content -> 'attachments' <> '[]' THEN
        -- An attachment is a URL, or an object if its file is in our own bucket.
        message.attachments := (
            SELECT jsonb_agg(CASE jsonb_typeof(attachment) WHEN 'object' THEN attachment
                             ELSE jsonb_build_object('url', attachment) END ORDER BY position)
              FROM jsonb_array_elements(in_content -> 'attachments') WITH ORDINALITY AS listed (attachment, position));
    END IF;
    message.report_rank := 0;
    message.attempt_count := 0;
    message.version := 1;
    message.created_at := clock_timestamp();
    message.updated_at := message.created_at;
    INSERT INTO messages VALUES (message.*)
    ON CONFLICT (request_token) WHERE request_token IS NOT NULL DO NOTHING
    RETURNING * INTO inserted;
    RETURN inserted;
END $$;
