-- Roles, the tenant variable, tenants and their connections.
--
-- app_user is the application: it owns nothing and cannot bypass row-level
-- security. queue_user is the River queue, in a schema of its own.
-- directory_reader owns the functions that read across tenants, and
-- directory_writer the one that writes across them.
-- Roles belong to the cluster, not to this database: Down leaves them.

-- +goose Up
-- +goose StatementBegin
DO $$
DECLARE
    r text;
BEGIN
    FOREACH r IN ARRAY ARRAY['app_user', 'queue_user', 'directory_reader', 'directory_writer'] LOOP
        BEGIN
            EXECUTE format('CREATE ROLE %I NOLOGIN', r);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL; -- another database of this cluster has it already
        END;
    END LOOP;
    -- Needed to hand the directory functions over, where the owner is no superuser
    -- (RDS). From Postgres 16 on, whoever made a role is a member but may not
    -- become it, so membership is no reason to leave this out.
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT directory_reader, directory_writer TO %I', current_user);
    END IF;
END
$$;
-- +goose StatementEnd

-- Before Postgres 15 everybody may make tables and functions here, and so stand
-- in for ours.
REVOKE CREATE ON SCHEMA public FROM PUBLIC;

-- +goose StatementBegin
-- current_tenant is the tenant of this transaction. A transaction that names
-- none gets an error, never all rows.
CREATE FUNCTION current_tenant() RETURNS text
    LANGUAGE plpgsql STABLE PARALLEL SAFE
    SET search_path = pg_catalog
AS $$
DECLARE
    id text := current_setting('app.tenant', true);
BEGIN
    IF id IS NULL OR id = '' THEN
        RAISE EXCEPTION 'no tenant is set for this transaction' USING ERRCODE = 'insufficient_privilege',
            HINT = 'Run tenant SQL through postgres.InTenant.';
    END IF;
    RETURN id;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- protect gives a table with tenant_id its row-level security and app_user its
-- access. Every migration that adds a tenant table calls it.
CREATE PROCEDURE protect(target regclass)
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO app_user USING (tenant_id = (SELECT current_tenant())) '
                || 'WITH CHECK (tenant_id = (SELECT current_tenant()))', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO app_user', target);
END
$$;
-- +goose StatementEnd

CREATE TABLE tenant_configs (
    tenant_id  text PRIMARY KEY CHECK (tenant_id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$'),
    name       text NOT NULL,
    settings   jsonb NOT NULL DEFAULT '{}',
    disabled   boolean NOT NULL DEFAULT false,
    version    integer NOT NULL DEFAULT 1,
    created_at timestamptz NOT NULL DEFAULT now(),
    updated_at timestamptz NOT NULL DEFAULT now()
);
CALL protect('tenant_configs');

-- A connection may serve many tenants, so it has no tenant_id; its credentials
-- and signing secrets are sealed for "connection/<id>/<column>".
CREATE TABLE connections (
    id             text PRIMARY KEY CHECK (id ~ '^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$' AND id <> 'resolved'),
    tool           text NOT NULL,
    sealed_values  bytea NOT NULL,
    sealed_signing bytea NOT NULL,
    allow_plain    boolean NOT NULL DEFAULT false,
    disabled       boolean NOT NULL DEFAULT false,
    version        integer NOT NULL DEFAULT 1,
    created_at     timestamptz NOT NULL DEFAULT now(),
    updated_at     timestamptz NOT NULL DEFAULT now()
);

-- connection_tenants routes the tool's own account to a tenant; account '' takes
-- every ticket of the connection.
CREATE TABLE connection_tenants (
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL REFERENCES connections ON DELETE CASCADE,
    account       text NOT NULL DEFAULT '',
    PRIMARY KEY (connection_id, account)
);
CALL protect('connection_tenants');

-- A connection belongs to no one tenant, so no tenant's transaction may touch
-- it: app_user reads connections through directory_connections and writes them
-- and their routes through put_connection, and has no other way.
ALTER TABLE connections ENABLE ROW LEVEL SECURITY;
ALTER TABLE connections FORCE ROW LEVEL SECURITY;
REVOKE INSERT, UPDATE, DELETE ON connection_tenants FROM app_user;

-- The directory: what every process must know of all tenants before it knows
-- which tenant a webhook belongs to.
CREATE POLICY directory ON tenant_configs FOR SELECT TO directory_reader USING (true);
CREATE POLICY directory ON connection_tenants FOR SELECT TO directory_reader USING (true);
CREATE POLICY directory ON connections FOR SELECT TO directory_reader USING (true);
GRANT SELECT ON tenant_configs, connection_tenants, connections TO directory_reader;

CREATE FUNCTION directory_tenants() RETURNS SETOF tenant_configs
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT * FROM tenant_configs';

CREATE FUNCTION directory_connections() RETURNS TABLE (
    id text, tool text, sealed_values bytea, sealed_signing bytea, allow_plain boolean, disabled boolean, routes jsonb)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT c.id, c.tool, c.sealed_values, c.sealed_signing, c.allow_plain, c.disabled,
           coalesce(jsonb_object_agg(ct.account, ct.tenant_id) FILTER (WHERE ct.tenant_id IS NOT NULL), '{}')
    FROM connections c LEFT JOIN connection_tenants ct ON ct.connection_id = c.id
    GROUP BY c.id
$$;

CREATE POLICY directory_write ON connections TO directory_writer USING (true) WITH CHECK (true);
CREATE POLICY directory_write ON connection_tenants TO directory_writer USING (true) WITH CHECK (true);
CREATE POLICY directory_write ON tenant_configs FOR SELECT TO directory_writer USING (true);
GRANT SELECT, INSERT, UPDATE ON connections TO directory_writer;
GRANT SELECT, INSERT, DELETE ON connection_tenants TO directory_writer;
GRANT SELECT ON tenant_configs TO directory_writer;

-- +goose StatementBegin
-- put_connection adds a connection or changes it, and makes its routes those
-- given: accounts[i] belongs to tenants[i]. A tenant that is not there is a
-- foreign_key_violation. Calls for one connection wait for each other.
--
-- It is the door through which an operator's command writes, and app_user may
-- use it for any connection. Roles for administrators come with the admin API.
CREATE FUNCTION put_connection(
    new_id text, new_tool text, new_values bytea, new_signing bytea, plain boolean, off boolean, accounts text[], tenants text[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    missing text;
BEGIN
    SELECT t INTO missing FROM unnest(tenants) t WHERE NOT EXISTS (SELECT FROM tenant_configs c WHERE c.tenant_id = t) LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'tenant % is not there', missing USING ERRCODE = 'foreign_key_violation';
    END IF;
    INSERT INTO connections AS c (id, tool, sealed_values, sealed_signing, allow_plain, disabled)
    VALUES (new_id, new_tool, new_values, new_signing, plain, off)
    ON CONFLICT (id) DO UPDATE
    SET tool = excluded.tool, sealed_values = excluded.sealed_values, sealed_signing = excluded.sealed_signing,
        allow_plain = excluded.allow_plain, disabled = excluded.disabled, version = c.version + 1, updated_at = now();
    DELETE FROM connection_tenants WHERE connection_id = new_id;
    INSERT INTO connection_tenants (connection_id, account, tenant_id)
    SELECT new_id, r.account, r.tenant FROM unnest(accounts, tenants) r (account, tenant);
END
$$;
-- +goose StatementEnd

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer;
ALTER FUNCTION directory_tenants() OWNER TO directory_reader;
ALTER FUNCTION directory_connections() OWNER TO directory_reader;
ALTER FUNCTION put_connection OWNER TO directory_writer;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer;
REVOKE ALL ON FUNCTION directory_tenants(), directory_connections(), put_connection FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_tenants(), directory_connections(), put_connection TO app_user;
GRANT USAGE ON SCHEMA public TO app_user, directory_reader, directory_writer;

-- +goose Down
DROP FUNCTION put_connection;
DROP FUNCTION directory_connections();
DROP FUNCTION directory_tenants();
DROP TABLE connection_tenants, connections, tenant_configs;
DROP PROCEDURE protect(regclass);
DROP FUNCTION current_tenant();
