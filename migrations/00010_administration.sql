-- What administers has a role of its own: admin_user may do all that app_user
-- may, and alone may change tenants and connections, make tokens and erase. So
-- who takes over the webhook, which faces the Internet, can do none of this.
--
-- Processes of the version before go on serving. Their admin API and commands
-- cannot write any more until they are replaced.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    BEGIN
        CREATE ROLE admin_user NOLOGIN IN ROLE app_user;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        IF NOT pg_has_role('admin_user', 'app_user', 'MEMBER') THEN
            GRANT app_user TO admin_user;
        END IF;
    END;
END
$$;
-- +goose StatementEnd
GRANT USAGE ON SCHEMA public TO admin_user;

REVOKE INSERT, UPDATE, DELETE ON tenant_configs FROM app_user;
GRANT INSERT, UPDATE ON tenant_configs TO admin_user;

-- read_connection is one connection with all that belongs to it.
CREATE FUNCTION read_connection(of text) RETURNS TABLE (
    tool text, sealed_values bytea, sealed_signing bytea, allow_plain boolean, verify text, disabled boolean, routes jsonb, version integer)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT c.tool, c.sealed_values, c.sealed_signing, c.allow_plain, c.verify, c.disabled,
           (SELECT coalesce(jsonb_object_agg(r.account, r.tenant_id), '{}') FROM connection_tenants r WHERE r.connection_id = c.id), c.version
    FROM connections c WHERE c.id = of
$$;

-- +goose StatementBegin
-- hold_tenants keeps the tenants from being erased until the transaction ends.
-- A tenant that is not there is a foreign_key_violation.
CREATE FUNCTION hold_tenants(given text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT DISTINCT g FROM unnest(given) g ORDER BY g LOOP
        PERFORM pg_advisory_xact_lock_shared(hashtextextended('tenant/' || t, 0));
        IF NOT EXISTS (SELECT FROM tenant_configs c WHERE c.tenant_id = t) THEN
            RAISE EXCEPTION 'tenant % is not there', t USING ERRCODE = 'foreign_key_violation';
        END IF;
    END LOOP;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- write_connection adds a connection (version 0), or changes it where its
-- version still is the one that was read, and makes its routes those given:
-- accounts[i] belongs to tenants[i]. It gives the tenants that the connection
-- served before or serves now; NULL where the version is another one, and
-- nothing is changed. Calls for one connection wait for each other.
CREATE FUNCTION write_connection(
    new_id text, was integer, new_tool text, new_values bytea, new_signing bytea, plain boolean, new_verify text, off boolean,
    accounts text[], tenants text[]) RETURNS text[]
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    concerned text[];
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('connection/' || new_id, 0));
    IF coalesce((SELECT version FROM connections WHERE id = new_id), 0) <> was THEN
        RETURN NULL;
    END IF;
    concerned := ARRAY(SELECT r.tenant_id FROM connection_tenants r WHERE r.connection_id = new_id UNION SELECT unnest(tenants));
    PERFORM hold_tenants(concerned);
    INSERT INTO connections AS c (id, tool, sealed_values, sealed_signing, allow_plain, verify, disabled)
    VALUES (new_id, new_tool, new_values, new_signing, plain, new_verify, off)
    ON CONFLICT (id) DO UPDATE
    SET tool = excluded.tool, sealed_values = excluded.sealed_values, sealed_signing = excluded.sealed_signing,
        allow_plain = excluded.allow_plain, verify = excluded.verify, disabled = excluded.disabled, version = c.version + 1, updated_at = now();
    DELETE FROM connection_tenants WHERE connection_id = new_id;
    INSERT INTO connection_tenants (connection_id, account, tenant_id)
    SELECT new_id, r.account, r.tenant FROM unnest(accounts, tenants) r (account, tenant);
    RETURN concerned;
END
$$;
-- +goose StatementEnd

-- What the program promises of a token, the database holds to: the end of its
-- life (366 days, and one for clocks that differ), and tenants that exist, for a
-- token must not wait for somebody who will have the name.
ALTER TABLE api_tokens ADD CONSTRAINT api_tokens_life CHECK (expires_at <= created_at + interval '367 days');
-- +goose StatementBegin
CREATE OR REPLACE FUNCTION add_token(
    new_id text, new_hash bytea, new_name text, new_role text, new_tenants text[], new_by text, new_expires timestamptz) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM hold_tenants(new_tenants);
    INSERT INTO api_tokens (id, hash, name, role, tenants, created_by, expires_at)
    VALUES (new_id, new_hash, new_name, new_role, new_tenants, new_by, new_expires);
END
$$;
-- +goose StatementEnd

-- What was done to the installation and to no one tenant, such as a token for
-- all of them. It is appended to, and never changed.
CREATE TABLE installation_events (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    operation      text NOT NULL CHECK (operation ~ '^[a-z_.]{1,50}$'),
    subject        text NOT NULL DEFAULT '' CHECK (length(subject) <= 200),
    actor          text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    status         text NOT NULL CHECK (status ~ '^[a-z_]{1,50}$'),
    correlation_id text NOT NULL DEFAULT '' CHECK (length(correlation_id) <= 200)
);
ALTER TABLE installation_events ENABLE ROW LEVEL SECURITY;
ALTER TABLE installation_events FORCE ROW LEVEL SECURITY;
CREATE POLICY append ON installation_events FOR INSERT TO admin_user WITH CHECK (true);
CREATE POLICY read ON installation_events FOR SELECT TO admin_user USING (true);
GRANT SELECT, INSERT (operation, subject, actor, status, correlation_id) ON installation_events TO admin_user;
COMMENT ON TABLE installation_events IS 'Open: to admin_user alone, which administers all tenants. It has ids of tokens and names of administrators, nothing of a tenant.';

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer;
ALTER FUNCTION read_connection OWNER TO directory_reader;
ALTER FUNCTION hold_tenants OWNER TO directory_writer;
ALTER FUNCTION write_connection OWNER TO directory_writer;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer;

-- The doors of administration. The first four are not used any more: what writes
-- a connection without its version loses what others wrote.
REVOKE EXECUTE ON FUNCTION put_connection, put_verified_connection, lock_connection, connection_version FROM app_user;
REVOKE EXECUTE ON FUNCTION add_token, list_tokens, revoke_token, use_token, erase_tenant, tenant_rows, directory_unmapped FROM app_user;
REVOKE ALL ON FUNCTION read_connection, hold_tenants, write_connection FROM PUBLIC;
GRANT EXECUTE ON FUNCTION add_token, list_tokens, revoke_token, use_token, erase_tenant, tenant_rows, directory_unmapped, read_connection, write_connection
    TO admin_user;
COMMENT ON FUNCTION read_connection IS 'Door: a connection may serve many tenants. Reads one, sealed, and its routes.';
COMMENT ON FUNCTION hold_tenants IS 'Door: for other doors alone. A connection or a token may be for many tenants. Locks, and writes nothing.';
COMMENT ON FUNCTION write_connection IS 'Door: an administrator sets up a connection that may serve many tenants. Writes one connection and its routes.';

-- +goose Down
GRANT EXECUTE ON FUNCTION put_connection, put_verified_connection, lock_connection, connection_version TO app_user;
GRANT EXECUTE ON FUNCTION add_token, list_tokens, revoke_token, use_token, erase_tenant, tenant_rows, directory_unmapped TO app_user;
REVOKE EXECUTE ON FUNCTION add_token, list_tokens, revoke_token, use_token, erase_tenant, tenant_rows, directory_unmapped FROM admin_user;
DROP TABLE installation_events;
CREATE OR REPLACE FUNCTION add_token(
    new_id text, new_hash bytea, new_name text, new_role text, new_tenants text[], new_by text, new_expires timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO api_tokens (id, hash, name, role, tenants, created_by, expires_at)
    VALUES (new_id, new_hash, new_name, new_role, new_tenants, new_by, new_expires)
$$;
ALTER TABLE api_tokens DROP CONSTRAINT api_tokens_life;
DROP FUNCTION write_connection;
DROP FUNCTION hold_tenants;
DROP FUNCTION read_connection;
REVOKE INSERT, UPDATE ON tenant_configs FROM admin_user;
GRANT INSERT, UPDATE, DELETE ON tenant_configs TO app_user;
REVOKE USAGE ON SCHEMA public FROM admin_user;
