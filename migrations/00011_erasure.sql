-- An erasure takes the tenant's API tokens too, and holds up nobody else's
-- changes; and a process can tell which migrations the database has.

-- +goose Up
-- What is counted of api_tokens are those that name the transaction's tenant.
CREATE POLICY erase ON api_tokens FOR SELECT TO tenant_eraser USING (current_tenant() = ANY(tenants));
GRANT SELECT (tenants) ON api_tokens TO tenant_eraser;
GRANT DELETE ON api_tokens TO directory_writer;

-- +goose StatementBegin
-- drop_tokens ends the tokens of the transaction's tenant. One that is for
-- others too loses this tenant.
CREATE FUNCTION drop_tokens() RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    DELETE FROM api_tokens WHERE tenants <@ ARRAY[current_tenant()];
    UPDATE api_tokens SET tenants = array_remove(tenants, current_tenant()) WHERE current_tenant() = ANY(tenants);
END
$$;
-- +goose StatementEnd

-- +goose StatementBegin
-- tenant_rows counts the rows of the transaction's tenant in every table, the
-- connections that serve no other, and the tokens that name it.
CREATE OR REPLACE FUNCTION tenant_rows() RETURNS TABLE (name text, counted bigint)
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
    name := 'api_tokens';
    SELECT count(tenants) INTO counted FROM api_tokens;
    RETURN NEXT;
END
$$;
-- +goose StatementEnd

DROP FUNCTION erase_tenant(text);
-- +goose StatementBegin
-- erase_tenant deletes the transaction's tenant: every row of every table, the
-- connections that serve nobody else, its routes on others, and its tokens. It
-- gives the rows that it found, by table, and the ids of the connections. Whoever
-- writes for the tenant meanwhile waits, and then finds that it is gone; who
-- writes for others does not wait.
CREATE FUNCTION erase_tenant(by_whom text, OUT counts jsonb, OUT gone text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    id      text := current_tenant();
    pending text[] := ARRAY(SELECT tenant_tables());
    blocked text[];
    t       text;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('tenant/' || id, 0)); -- no new routes or tokens: hold_tenants
    PERFORM FROM tenant_configs WHERE tenant_id = id FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'tenant % is not there', id USING ERRCODE = 'no_data_found';
    END IF;
    SELECT jsonb_object_agg(r.name, r.counted) INTO counts FROM tenant_rows() r;
    INSERT INTO erasures (tenant_hash, actor, counts) VALUES (encode(sha256(convert_to(id, 'UTF8')), 'hex'), by_whom, erase_tenant.counts);
    gone := ARRAY(SELECT c.id FROM connections c ORDER BY c.id); -- those that its policy shows
    DELETE FROM connections;
    PERFORM drop_tokens();
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

-- schema_versions gives the migrations that are applied. The role of the
-- application may not read the table in which goose keeps them.
CREATE FUNCTION schema_versions() RETURNS SETOF bigint
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT version_id FROM goose_db_version WHERE is_applied';
GRANT SELECT ON goose_db_version TO directory_reader;

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer, tenant_eraser;
ALTER FUNCTION drop_tokens() OWNER TO directory_writer;
ALTER FUNCTION erase_tenant(text) OWNER TO tenant_eraser;
ALTER FUNCTION schema_versions() OWNER TO directory_reader;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer, tenant_eraser;
REVOKE ALL ON FUNCTION drop_tokens(), erase_tenant(text), schema_versions() FROM PUBLIC;
GRANT EXECUTE ON FUNCTION drop_tokens() TO tenant_eraser;
GRANT EXECUTE ON FUNCTION erase_tenant(text) TO admin_user;
GRANT EXECUTE ON FUNCTION schema_versions() TO app_user;
COMMENT ON FUNCTION drop_tokens() IS 'Door: for erase_tenant alone. A token may be for many tenants. Takes the transaction''s tenant out of them.';
COMMENT ON FUNCTION erase_tenant(text) IS 'Door: a tenant has the right to be erased, audit events and connections included. Deletes the transaction''s tenant.';
COMMENT ON FUNCTION schema_versions() IS 'Door: a process must know whether the schema is its own. Reads numbers of migrations.';

-- +goose Down
DROP FUNCTION schema_versions();
REVOKE SELECT ON goose_db_version FROM directory_reader;
DROP FUNCTION erase_tenant(text);
DROP FUNCTION drop_tokens();
REVOKE DELETE ON api_tokens FROM directory_writer;
REVOKE SELECT (tenants) ON api_tokens FROM tenant_eraser;
DROP POLICY erase ON api_tokens;
-- As they were before.
-- +goose StatementBegin
-- tenant_rows counts the rows of the transaction's tenant in every table, and
-- the connections that serve no other.
CREATE OR REPLACE FUNCTION tenant_rows() RETURNS TABLE (name text, counted bigint)
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
ALTER FUNCTION erase_tenant(text) OWNER TO tenant_eraser;
REVOKE CREATE ON SCHEMA public FROM tenant_eraser;
REVOKE ALL ON FUNCTION erase_tenant(text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION erase_tenant(text) TO admin_user;
COMMENT ON FUNCTION erase_tenant(text) IS 'Door: a tenant has the right to be erased, audit events and connections included. Deletes the transaction''s tenant.';
