-- The audit trail, and what a tenant's data rights need: to find every row of a
-- tenant, and to erase it.
--
-- tenant_eraser owns the functions that delete. Row-level security holds it
-- like app_user: it deletes rows of the transaction's tenant, and no others.

-- +goose Up
-- +goose StatementBegin
DO $$
BEGIN
    BEGIN
        CREATE ROLE tenant_eraser NOLOGIN;
    EXCEPTION WHEN duplicate_object OR unique_violation THEN
        NULL; -- another database of this cluster has it already
    END;
    IF NOT (SELECT rolsuper FROM pg_roles WHERE rolname = current_user) THEN
        EXECUTE format('GRANT tenant_eraser TO %I', current_user);
    END IF;
END
$$;
-- +goose StatementEnd
GRANT USAGE ON SCHEMA public TO tenant_eraser;

-- tenant_tables gives every table with a tenant_id, from the catalogue, so that
-- a table of a later migration is exported and erased like all others.
CREATE FUNCTION tenant_tables() RETURNS SETOF text
    LANGUAGE sql STABLE SET search_path = pg_catalog
AS $$
    SELECT c.relname::text FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
    WHERE c.relnamespace = 'public'::regnamespace AND c.relkind IN ('r', 'p') AND NOT c.relispartition
      AND a.attname = 'tenant_id' AND NOT a.attisdropped
    ORDER BY c.relname
$$;

-- +goose StatementBegin
CREATE OR REPLACE PROCEDURE protect(target regclass)
    LANGUAGE plpgsql
AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    EXECUTE format('CREATE POLICY tenant ON %s TO app_user, tenant_eraser USING (tenant_id = (SELECT current_tenant())) '
                || 'WITH CHECK (tenant_id = (SELECT current_tenant()))', target);
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO app_user', target);
    EXECUTE format('GRANT SELECT, DELETE ON %s TO tenant_eraser', target);
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT tenant_tables() LOOP
        EXECUTE format('ALTER POLICY tenant ON %I TO app_user, tenant_eraser', t);
        EXECUTE format('GRANT SELECT, DELETE ON %I TO tenant_eraser', t);
    END LOOP;
END
$$;
-- +goose StatementEnd

-- What was done to whose data, by whom. Ids only, never text. app_user appends
-- and reads; the time is the database's. A tenant with events cannot be deleted
-- past them: there is no cascade here.
CREATE TABLE audit_events (
    id             bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at             timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_id      text NOT NULL REFERENCES tenant_configs,
    ticket_id      text NOT NULL DEFAULT '' CHECK (length(ticket_id) <= 200),
    operation      text NOT NULL CHECK (operation ~ '^[a-z_.]{1,50}$'),
    actor          text NOT NULL CHECK (length(actor) BETWEEN 1 AND 200),
    status         text NOT NULL CHECK (status ~ '^[a-z_]{1,50}$'),
    correlation_id text NOT NULL DEFAULT '' CHECK (length(correlation_id) <= 200)
);
CALL protect('audit_events');
REVOKE INSERT, UPDATE, DELETE ON audit_events FROM app_user;
GRANT INSERT (tenant_id, ticket_id, operation, actor, status, correlation_id) ON audit_events TO app_user;
CREATE INDEX audit_events_at ON audit_events (tenant_id, at, id);

-- prune_audit deletes the tenant's events of more than 90 days ago (story 3.7).
-- The time is fixed here, so that nobody prunes what is newer.
CREATE FUNCTION prune_audit() RETURNS bigint
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    WITH gone AS (
        DELETE FROM audit_events WHERE tenant_id = (SELECT current_tenant()) AND at < now() - interval '90 days' RETURNING id)
    SELECT count(*) FROM gone
$$;

-- What remains of a tenant that was erased: that it was, and how many rows. The
-- tenant is a hash, by which one who knows its id finds the entry.
CREATE TABLE erasures (
    id          bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    at          timestamptz NOT NULL DEFAULT clock_timestamp(),
    tenant_hash text NOT NULL, -- sha256 of the tenant's id
    actor       text NOT NULL,
    counts      jsonb NOT NULL -- rows by table
);
ALTER TABLE erasures ENABLE ROW LEVEL SECURITY;
ALTER TABLE erasures FORCE ROW LEVEL SECURITY;
CREATE POLICY append ON erasures FOR INSERT TO tenant_eraser WITH CHECK (true);
CREATE POLICY read ON erasures FOR SELECT TO app_user USING (true);
GRANT INSERT ON erasures TO tenant_eraser;
GRANT SELECT ON erasures TO app_user;
COMMENT ON TABLE erasures IS 'Open: it is the proof of erasures. It has hashes of tenants that are gone and numbers of rows, nothing of a tenant that is there.';

-- Of the connections, tenant_eraser has those that serve the transaction's
-- tenant and nobody else. To tell, it reads all routes.
CREATE POLICY erase ON connection_tenants FOR SELECT TO tenant_eraser USING (true);
CREATE POLICY erase ON connections TO tenant_eraser USING (
    EXISTS (SELECT FROM connection_tenants r WHERE r.connection_id = connections.id)
    AND NOT EXISTS (SELECT FROM connection_tenants r WHERE r.connection_id = connections.id AND r.tenant_id <> (SELECT current_tenant())));
GRANT SELECT, DELETE ON connections TO tenant_eraser;
GRANT UPDATE (disabled) ON tenant_configs TO tenant_eraser; -- to lock the row

-- +goose StatementBegin
-- tenant_rows counts the rows of the transaction's tenant in every table, and
-- the connections that serve no other.
CREATE FUNCTION tenant_rows() RETURNS TABLE (name text, counted bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    FOR name IN SELECT tenant_tables() LOOP
        EXECUTE format('SELECT count(*) FROM %I WHERE tenant_id = $1', name) INTO counted USING current_tenant();
        RETURN NEXT;
    END LOOP;
    name := 'connections';
    SELECT count(*) INTO counted FROM connections;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- erase_tenant deletes the transaction's tenant: every row of every table, the
-- connections that serve nobody else, and its routes on others. Whoever writes
-- for the tenant meanwhile waits, and then finds that it is gone.
CREATE FUNCTION erase_tenant(by_whom text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    id      text := current_tenant();
    pending text[] := ARRAY(SELECT tenant_tables());
    blocked text[];
    t       text;
BEGIN
    LOCK TABLE connections IN SHARE ROW EXCLUSIVE MODE; -- no new routes
    PERFORM FROM tenant_configs WHERE tenant_id = id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant % is not there', id USING ERRCODE = 'no_data_found';
    END IF;
    INSERT INTO erasures (tenant_hash, actor, counts)
    SELECT encode(sha256(convert_to(id, 'UTF8')), 'hex'), by_whom, jsonb_object_agg(r.name, r.counted) FROM tenant_rows() r;
    DELETE FROM connections; -- of those that its policy shows
    WHILE cardinality(pending) > 0 LOOP
        blocked := '{}';
        FOREACH t IN ARRAY pending LOOP
            BEGIN
                EXECUTE format('DELETE FROM %I WHERE tenant_id = $1', t) USING id;
            EXCEPTION WHEN foreign_key_violation THEN
                blocked := blocked || t; -- once those that refer to it are gone
            END;
        END LOOP;
        IF cardinality(blocked) = cardinality(pending) THEN
            RAISE EXCEPTION 'rows of tenant % hold each other: %', id, blocked;
        END IF;
        pending := blocked;
    END LOOP;
END
$$;
-- +goose StatementEnd

GRANT CREATE ON SCHEMA public TO tenant_eraser;
ALTER FUNCTION prune_audit() OWNER TO tenant_eraser;
ALTER FUNCTION tenant_rows() OWNER TO tenant_eraser;
ALTER FUNCTION erase_tenant(text) OWNER TO tenant_eraser;
REVOKE CREATE ON SCHEMA public FROM tenant_eraser;
REVOKE ALL ON FUNCTION prune_audit(), tenant_rows(), erase_tenant(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION prune_audit(), tenant_rows(), erase_tenant(text) TO app_user;
COMMENT ON FUNCTION prune_audit() IS 'Door: app_user cannot delete audit events. Deletes those of the transaction''s tenant that are more than 90 days old.';
COMMENT ON FUNCTION tenant_rows() IS 'Door: an erasure is proved by counting. Reads numbers of rows of the transaction''s tenant.';
COMMENT ON FUNCTION erase_tenant(text) IS 'Door: a tenant has the right to be erased, audit events and connections included. Deletes the transaction''s tenant.';

-- +goose Down
REVOKE UPDATE (disabled) ON tenant_configs FROM tenant_eraser;
REVOKE ALL ON connections FROM tenant_eraser;
DROP POLICY erase ON connections;
DROP POLICY erase ON connection_tenants;
DROP FUNCTION erase_tenant(text);
DROP FUNCTION tenant_rows();
DROP FUNCTION prune_audit();
DROP TABLE erasures, audit_events;
-- +goose StatementBegin
DO $$
DECLARE
    t text;
BEGIN
    FOR t IN SELECT tenant_tables() LOOP
        EXECUTE format('ALTER POLICY tenant ON %I TO app_user', t);
        EXECUTE format('REVOKE ALL ON %I FROM tenant_eraser', t);
    END LOOP;
END
$$;
-- +goose StatementEnd
-- +goose StatementBegin
CREATE OR REPLACE PROCEDURE protect(target regclass)
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
DROP FUNCTION tenant_tables();
REVOKE USAGE ON SCHEMA public FROM tenant_eraser;
