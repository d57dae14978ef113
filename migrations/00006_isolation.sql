-- Leak canaries, the accounts that nobody mapped, and the reason of each
-- function that runs as somebody else.

-- +goose Up
-- Each tenant's canary: a word that stands in decoys among its data and nowhere
-- else. Where it turns up with another tenant, data leaked. It is random, so
-- that nobody can write one into a ticket who has not read this table.
CREATE TABLE canaries (
    tenant_id  text PRIMARY KEY REFERENCES tenant_configs ON DELETE CASCADE,
    token      text NOT NULL UNIQUE CHECK (token ~ '^dhcanary[a-p]{32}$'),
    created_at timestamptz NOT NULL DEFAULT now()
);
CALL protect('canaries');
REVOKE UPDATE, DELETE ON canaries FROM app_user;
CREATE POLICY directory ON canaries FOR SELECT TO directory_reader USING (true);
GRANT SELECT ON canaries TO directory_reader;

-- canary_owners tells whose canaries these are. Who does not hold one learns
-- nothing: there is no list.
CREATE FUNCTION canary_owners(tokens text[]) RETURNS TABLE (token text, tenant_id text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT c.token, c.tenant_id FROM canaries c WHERE c.token = ANY(tokens)';

-- Accounts of a shared connection whose tickets got no note, because no tenant
-- has them. They belong to no tenant, so app_user has no access but the two
-- functions.
CREATE TABLE unmapped_accounts (
    connection_id text NOT NULL REFERENCES connections ON DELETE CASCADE,
    account       text NOT NULL CHECK (length(account) <= 200),
    first_seen    timestamptz NOT NULL DEFAULT now(),
    last_seen     timestamptz NOT NULL DEFAULT now(),
    seen          bigint NOT NULL DEFAULT 1,
    PRIMARY KEY (connection_id, account)
);
ALTER TABLE unmapped_accounts ENABLE ROW LEVEL SECURITY;
ALTER TABLE unmapped_accounts FORCE ROW LEVEL SECURITY;
CREATE POLICY directory ON unmapped_accounts FOR SELECT TO directory_reader USING (true);
GRANT SELECT ON unmapped_accounts TO directory_reader;
CREATE POLICY directory_write ON unmapped_accounts TO directory_writer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE, DELETE ON unmapped_accounts TO directory_writer;

-- +goose StatementBegin
-- note_unmapped counts a ticket of an account that no tenant has. A connection
-- has 100 rows at most: what is new then is left out. Rows that were not seen
-- for 30 days make room, and so do accounts that were mapped meanwhile.
CREATE FUNCTION note_unmapped(connection text, unknown text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM connections WHERE id = connection) THEN
        RETURN;
    END IF;
    PERFORM pg_advisory_xact_lock(hashtextextended('unmapped/' || connection, 0));
    DELETE FROM unmapped_accounts u WHERE u.connection_id = connection
        AND (u.last_seen < now() - interval '30 days'
             OR EXISTS (SELECT FROM connection_tenants r WHERE r.connection_id = connection AND r.account IN (u.account, '')));
    IF EXISTS (SELECT FROM connection_tenants r WHERE r.connection_id = connection AND r.account IN (left(unknown, 200), '')) THEN
        RETURN;
    END IF;
    UPDATE unmapped_accounts u SET last_seen = now(), seen = u.seen + 1 WHERE u.connection_id = connection AND u.account = left(unknown, 200);
    IF NOT FOUND THEN
        INSERT INTO unmapped_accounts (connection_id, account)
        SELECT connection, left(unknown, 200) WHERE (SELECT count(*) FROM unmapped_accounts u WHERE u.connection_id = connection) < 100;
    END IF;
END
$$;
-- +goose StatementEnd

-- directory_unmapped gives them for the operator, who gets them only as long
-- as nobody has them.
CREATE FUNCTION directory_unmapped() RETURNS SETOF unmapped_accounts
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT u.* FROM unmapped_accounts u
    WHERE NOT EXISTS (SELECT FROM connection_tenants r WHERE r.connection_id = u.connection_id AND r.account IN (u.account, ''))
$$;

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer;
ALTER FUNCTION canary_owners(text[]) OWNER TO directory_reader;
ALTER FUNCTION directory_unmapped() OWNER TO directory_reader;
ALTER FUNCTION note_unmapped(text, text) OWNER TO directory_writer;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer;
REVOKE ALL ON FUNCTION canary_owners(text[]), directory_unmapped(), note_unmapped(text, text) FROM PUBLIC;
GRANT EXECUTE ON FUNCTION canary_owners(text[]), directory_unmapped(), note_unmapped(text, text) TO app_user;

-- Why each function may run as somebody else. A test refuses one without.
COMMENT ON FUNCTION directory_tenants() IS 'Door: a process must know all tenants before it knows whose webhook it has. Reads names and settings.';
COMMENT ON FUNCTION directory_connections() IS 'Door: a webhook is authenticated before its tenant is known. Reads connections, sealed, and their routes.';
COMMENT ON FUNCTION put_connection(text, text, bytea, bytea, boolean, boolean, text[], text[]) IS 'Door: an operator sets up a connection that may serve many tenants. Writes one connection and its routes.';
COMMENT ON FUNCTION directory_verify() IS 'Door: a webhook is authenticated before its tenant is known. Reads how, for each connection.';
COMMENT ON FUNCTION put_verified_connection IS 'Door: an operator sets up a connection that may serve many tenants. Writes one connection and its routes.';
COMMENT ON FUNCTION canary_owners(text[]) IS 'Door: a text holds a canary, and the alarm must know whose. Answers only for tokens that the caller already has.';
COMMENT ON FUNCTION directory_unmapped() IS 'Door: an operator must see the accounts that get no note. They belong to no tenant.';
COMMENT ON FUNCTION note_unmapped(text, text) IS 'Door: counts an account that belongs to no tenant. Writes at most 100 rows for each connection that exists.';

-- +goose Down
COMMENT ON FUNCTION put_verified_connection IS NULL;
COMMENT ON FUNCTION directory_verify() IS NULL;
COMMENT ON FUNCTION put_connection(text, text, bytea, bytea, boolean, boolean, text[], text[]) IS NULL;
COMMENT ON FUNCTION directory_connections() IS NULL;
COMMENT ON FUNCTION directory_tenants() IS NULL;
DROP FUNCTION note_unmapped(text, text);
DROP FUNCTION directory_unmapped();
DROP FUNCTION canary_owners(text[]);
DROP TABLE unmapped_accounts, canaries;
