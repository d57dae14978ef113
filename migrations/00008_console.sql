-- Tokens of the admin API, and the lock on a connection's version.

-- +goose Up

-- api_tokens belong to the installation: a token may act for many tenants. Only
-- the hash of a token is kept, and app_user has no access but the functions
-- below: it cannot read hashes, prolong a token or bring a revoked one back.
CREATE TABLE api_tokens (
    id         text PRIMARY KEY CHECK (id ~ '^[a-z0-9]{8,32}$'),
    hash       bytea NOT NULL UNIQUE CHECK (length(hash) = 32),
    name       text NOT NULL,
    role       text NOT NULL CHECK (role IN ('viewer', 'operator', 'admin')),
    tenants    text[] CHECK (cardinality(tenants) > 0), -- NULL: all of them
    created_by text NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL CHECK (expires_at > created_at),
    last_used  timestamptz,
    revoked_at timestamptz,
    revoked_by text NOT NULL DEFAULT ''
);
ALTER TABLE api_tokens ENABLE ROW LEVEL SECURITY;
ALTER TABLE api_tokens FORCE ROW LEVEL SECURITY;
CREATE POLICY directory_write ON api_tokens TO directory_writer USING (true) WITH CHECK (true);
GRANT SELECT, INSERT, UPDATE ON api_tokens TO directory_writer;

-- +goose StatementBegin
-- use_token gives the token with this hash where it is good, and notes that it
-- was used, at most once a minute: a busy token costs no write per request.
CREATE FUNCTION use_token(given bytea) RETURNS TABLE (token_id text, token_role text, token_tenants text[])
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    UPDATE api_tokens t SET last_used = now()
    WHERE t.hash = given AND t.revoked_at IS NULL AND t.expires_at > now()
      AND (t.last_used IS NULL OR t.last_used < now() - interval '1 minute');
    RETURN QUERY SELECT t.id, t.role, t.tenants FROM api_tokens t
    WHERE t.hash = given AND t.revoked_at IS NULL AND t.expires_at > now();
END
$$;
-- +goose StatementEnd

CREATE FUNCTION add_token(
    new_id text, new_hash bytea, new_name text, new_role text, new_tenants text[], new_by text, new_expires timestamptz) RETURNS void
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    INSERT INTO api_tokens (id, hash, name, role, tenants, created_by, expires_at)
    VALUES (new_id, new_hash, new_name, new_role, new_tenants, new_by, new_expires)
$$;

CREATE FUNCTION list_tokens() RETURNS TABLE (
    id text, name text, role text, tenants text[], created_by text, created_at timestamptz,
    expires_at timestamptz, last_used timestamptz, revoked_at timestamptz, revoked_by text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    SELECT t.id, t.name, t.role, t.tenants, t.created_by, t.created_at, t.expires_at, t.last_used, t.revoked_at, t.revoked_by
    FROM api_tokens t ORDER BY t.created_at, t.id
$$;

-- revoke_token tells whether there was a token that was not revoked yet.
CREATE FUNCTION revoke_token(old_id text, by_whom text) RETURNS boolean
    LANGUAGE sql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
    WITH revoked AS (UPDATE api_tokens SET revoked_at = now(), revoked_by = by_whom WHERE id = old_id AND revoked_at IS NULL RETURNING 1)
    SELECT EXISTS (SELECT FROM revoked)
$$;

CREATE FUNCTION connection_version(of text) RETURNS integer
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS 'SELECT version FROM connections WHERE id = of';

-- +goose StatementBegin
-- lock_connection holds the connection, there or not, until the transaction
-- ends, and gives its version, 0 where it is not there.
CREATE FUNCTION lock_connection(of text) RETURNS integer
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
DECLARE
    now_at integer;
BEGIN
    PERFORM pg_advisory_xact_lock(hashtextextended('connection/' || of, 0));
    SELECT version INTO now_at FROM connections WHERE id = of FOR UPDATE;
    RETURN coalesce(now_at, 0);
END
$$;
-- +goose StatementEnd

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer;
ALTER FUNCTION use_token OWNER TO directory_writer;
ALTER FUNCTION add_token OWNER TO directory_writer;
ALTER FUNCTION list_tokens OWNER TO directory_writer;
ALTER FUNCTION revoke_token OWNER TO directory_writer;
ALTER FUNCTION lock_connection OWNER TO directory_writer;
ALTER FUNCTION connection_version OWNER TO directory_reader;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer;
REVOKE ALL ON FUNCTION use_token, add_token, list_tokens, revoke_token, lock_connection, connection_version FROM PUBLIC;
GRANT EXECUTE ON FUNCTION use_token, add_token, list_tokens, revoke_token, lock_connection, connection_version TO app_user;

-- Why each of these runs as somebody else.
COMMENT ON FUNCTION use_token IS 'Door: a caller is known before a tenant is. Answers only for the hash of a token that the caller has.';
COMMENT ON FUNCTION add_token IS 'Door: a token may act for many tenants. Writes one row, with its hash.';
COMMENT ON FUNCTION list_tokens IS 'Door: an administrator must see all tokens. Reads everything but the hashes.';
COMMENT ON FUNCTION revoke_token IS 'Door: an administrator ends a token of any tenant. Sets one time, which nothing takes back.';
COMMENT ON FUNCTION connection_version IS 'Door: a connection may serve many tenants. Reads one number.';
COMMENT ON FUNCTION lock_connection IS 'Door: a change of a connection must not meet another one. Reads one number and writes nothing.';

-- +goose Down
DROP FUNCTION connection_version;
DROP FUNCTION lock_connection;
DROP FUNCTION revoke_token;
DROP FUNCTION list_tokens;
DROP FUNCTION add_token;
DROP FUNCTION use_token;
DROP TABLE api_tokens;
