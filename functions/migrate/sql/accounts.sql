-- Accounts, their addresses and their keys. Each function gets the actor, and writes its changes to audit_events in
-- the same transaction. The same call again changes nothing and writes no event. All are called by messaging
-- (accounts).

-- The following four functions return a row as the administration API shows it.

CREATE OR REPLACE FUNCTION account_json(account accounts) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object('id', account.id, 'name', account.name, 'sends_per_second', account.sends_per_second,
                             'sends_per_day', account.sends_per_day, 'created_at', rfc3339(account.created_at))
$$;

CREATE OR REPLACE FUNCTION address_json(owned account_addresses) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object('address', owned.address, 'account_id', owned.account_id,
                             'created_at', rfc3339(owned.created_at))
$$;

-- The hash is left out.
CREATE OR REPLACE FUNCTION key_json(key api_keys) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object('id', key.id, 'account_id', key.account_id, 'name', key.name, 'scopes', key.scopes,
                             'created_at', rfc3339(key.created_at), 'expires_at', rfc3339(key.expires_at),
                             'revoked_at', rfc3339(key.revoked_at), 'last_used_at', rfc3339(key.last_used_at))
$$;

CREATE OR REPLACE FUNCTION audit_json(event audit_events) RETURNS json
LANGUAGE sql STABLE PARALLEL SAFE AS $$
    SELECT json_build_object('id', event.id, 'account_id', event.account_id, 'key_id', event.key_id,
                             'actor', event.actor, 'action', event.action, 'details', event.details,
                             'created_at', rfc3339(event.created_at))
$$;

-- Creates an account. Names are unique.
-- outcome: created, exists (with these limits), or conflict (it exists with other limits).
CREATE OR REPLACE FUNCTION create_account(
    in_actor text, in_name text, in_per_second integer, in_per_day integer, OUT outcome text, OUT account text
)
LANGUAGE plpgsql AS $$
DECLARE
    existing accounts;
BEGIN
    LOOP
        INSERT INTO accounts (name, sends_per_second, sends_per_day) VALUES (in_name, in_per_second, in_per_day)
        ON CONFLICT (name) DO NOTHING RETURNING * INTO existing;
        IF FOUND THEN
            outcome := 'created';
            INSERT INTO audit_events (account_id, actor, action, details)
            VALUES (existing.id, in_actor, 'account.created',
                    account_json(existing)::jsonb - '{id,created_at}'::text[]);
            EXIT;
        END IF;
        SELECT * INTO existing FROM accounts a WHERE a.name = in_name;
        IF FOUND THEN  -- otherwise it was renamed in the meantime
            outcome := CASE WHEN existing.id > 0 AND (existing.sends_per_second, existing.sends_per_day)
                                 IS NOT DISTINCT FROM (in_per_second, in_per_day) THEN 'exists' ELSE 'conflict' END;
            EXIT;
        END IF;
    END LOOP;
    account := account_json(existing);
END $$;

-- Changes the fields of an account that in_changes contains.
-- outcome: exists (as requested), missing (no such account), or conflict (another account has the name).
CREATE OR REPLACE FUNCTION change_account(
    in_actor text, in_account bigint, in_changes jsonb, OUT outcome text, OUT account text
)
LANGUAGE plpgsql AS $$
DECLARE
    old accounts;
    changed accounts;
BEGIN
    SELECT * INTO old FROM accounts a WHERE a.id = in_account AND a.id > 0 FOR UPDATE;
    IF NOT FOUND THEN
        outcome := 'missing';
        RETURN;
    END IF;
    changed := jsonb_populate_record(old, in_changes);
    IF changed IS DISTINCT FROM old THEN
        BEGIN
            UPDATE accounts a SET (name, sends_per_second, sends_per_day)
                = (changed.name, changed.sends_per_second, changed.sends_per_day) WHERE a.id = in_account;
        EXCEPTION WHEN unique_violation THEN
            outcome := 'conflict';
            RETURN;
        END;
        INSERT INTO audit_events (account_id, actor, action, details)
        VALUES (in_account, in_actor, 'account.changed', in_changes);
    END IF;
    outcome := 'exists';
    account := account_json(changed);
END $$;

-- Gives an address to an account, with the messages to it that are in the quarantine.
-- outcome: created, exists (the account has it), conflict (another account has it), or missing (no such account).
CREATE OR REPLACE FUNCTION add_address(
    in_actor text, in_account bigint, in_address text, OUT outcome text, OUT address text
)
LANGUAGE plpgsql AS $$
DECLARE
    owned account_addresses;
BEGIN
    PERFORM FROM accounts a WHERE a.id = in_account AND a.id > 0;
    IF NOT FOUND THEN
        outcome := 'missing';
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(quarantine_lock());
    LOOP
        INSERT INTO account_addresses (address, account_id) VALUES (in_address, in_account)
        ON CONFLICT DO NOTHING RETURNING * INTO owned;
        IF FOUND THEN
            outcome := 'created';
            INSERT INTO audit_events (account_id, actor, action, details)
            VALUES (in_account, in_actor, 'address.added', jsonb_build_object('address', in_address));
            PERFORM release_quarantined(in_address, in_account);
            EXIT;
        END IF;
        SELECT * INTO owned FROM account_addresses a WHERE a.address = in_address;
        IF FOUND THEN  -- otherwise it was removed in the meantime
            outcome := CASE owned.account_id WHEN in_account THEN 'exists' ELSE 'conflict' END;
            EXIT;
        END IF;
    END LOOP;
    address := address_json(owned);
END $$;

-- Takes an address from its account, which keeps its conversations. removed: whether an account had the address.
CREATE OR REPLACE FUNCTION remove_address(in_actor text, in_address text, OUT removed boolean)
LANGUAGE plpgsql AS $$
DECLARE
    owner bigint;
BEGIN
    DELETE FROM account_addresses a WHERE a.address = in_address RETURNING a.account_id INTO owner;
    IF FOUND THEN
        INSERT INTO audit_events (account_id, actor, action, details)
        VALUES (owner, in_actor, 'address.removed', jsonb_build_object('address', in_address));
    END IF;
    removed := owner IS NOT NULL;
END $$;

-- Creates an API key. The same hash again returns the same key. key: NULL if there is no such account.
CREATE OR REPLACE FUNCTION create_key(
    in_actor text, in_account bigint, in_name text, in_scopes text[], in_hash bytea, in_expires_at timestamptz,
    OUT key text
)
LANGUAGE plpgsql AS $$
DECLARE
    inserted api_keys;
BEGIN
    INSERT INTO api_keys (account_id, name, scopes, hash, expires_at)
    SELECT a.id, in_name, in_scopes, in_hash, in_expires_at FROM accounts a WHERE a.id = in_account AND a.id > 0
    ON CONFLICT (hash) DO NOTHING RETURNING * INTO inserted;
    IF FOUND THEN
        INSERT INTO audit_events (account_id, key_id, actor, action, details)
        VALUES (in_account, inserted.id, in_actor, 'key.created',
                jsonb_build_object('name', in_name, 'scopes', in_scopes, 'expires_at', rfc3339(in_expires_at)));
    ELSE
        SELECT * INTO inserted FROM api_keys k WHERE k.hash = in_hash;
    END IF;
    key := CASE WHEN inserted.id IS NOT NULL THEN key_json(inserted) END;
END $$;

-- Revokes an API key for good. key: the key, or NULL if there is none.
CREATE OR REPLACE FUNCTION revoke_key(in_actor text, in_key bigint, OUT key text)
LANGUAGE plpgsql AS $$
DECLARE
    revoked api_keys;
BEGIN
    UPDATE api_keys k SET revoked_at = clock_timestamp() WHERE k.id = in_key AND k.revoked_at IS NULL
    RETURNING * INTO revoked;
    IF FOUND THEN
        INSERT INTO audit_events (account_id, key_id, actor, action)
        VALUES (revoked.account_id, revoked.id, in_actor, 'key.revoked');
    ELSE
        SELECT * INTO revoked FROM api_keys k WHERE k.id = in_key;
    END IF;
    key := CASE WHEN revoked.id IS NOT NULL THEN key_json(revoked) END;
END $$;

-- Stores that a key was used, at most once a minute, however many requests use it. recorded: whether this call did so.
CREATE OR REPLACE FUNCTION record_key_use(in_key bigint, in_source text, OUT recorded boolean)
LANGUAGE plpgsql AS $$
DECLARE
    used api_keys;
BEGIN
    UPDATE api_keys k SET last_used_at = clock_timestamp()
     WHERE k.id = in_key AND (k.last_used_at IS NULL OR k.last_used_at < clock_timestamp() - interval '1 minute')
    RETURNING * INTO used;
    recorded := FOUND;
    IF recorded THEN
        INSERT INTO audit_events (account_id, key_id, actor, action, details)
        VALUES (used.account_id, used.id, 'key:' || used.id, 'key.used', jsonb_build_object('source', in_source));
    END IF;
END $$;
