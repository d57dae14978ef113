-- How the webhooks of a connection prove that they are genuine.
--
-- '' is ours, with a timestamp; where allow_plain is set, a sender may leave the
-- timestamp out. Every other profile has its name in verify, which then counts
-- alone. A process of the version before takes such a connection for one of
-- ours, and refuses its webhooks until it is replaced.

-- +goose Up
ALTER TABLE connections ADD COLUMN verify text NOT NULL DEFAULT '' CHECK (verify ~ '^[a-z_]{0,40}$');

-- directory_verify gives the connections whose profile has a name.
CREATE FUNCTION directory_verify() RETURNS TABLE (id text, verify text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = public, pg_temp
AS $$ SELECT c.id, c.verify FROM connections c WHERE c.verify <> '' $$;

-- +goose StatementBegin
-- put_verified_connection is put_connection with the profile, which that leaves
-- as it is.
CREATE FUNCTION put_verified_connection(
    new_id text, new_tool text, new_values bytea, new_signing bytea, plain boolean, off boolean, accounts text[], tenants text[],
    new_verify text) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = public, pg_temp
AS $$
BEGIN
    PERFORM put_connection(new_id, new_tool, new_values, new_signing, plain, off, accounts, tenants);
    UPDATE connections SET verify = new_verify WHERE id = new_id AND verify <> new_verify;
END
$$;
-- +goose StatementEnd

GRANT CREATE ON SCHEMA public TO directory_reader, directory_writer;
ALTER FUNCTION directory_verify() OWNER TO directory_reader;
ALTER FUNCTION put_verified_connection OWNER TO directory_writer;
REVOKE CREATE ON SCHEMA public FROM directory_reader, directory_writer;
REVOKE ALL ON FUNCTION directory_verify(), put_verified_connection FROM PUBLIC;
GRANT EXECUTE ON FUNCTION directory_verify(), put_verified_connection TO app_user;

-- +goose Down
DROP FUNCTION put_verified_connection;
DROP FUNCTION directory_verify();
ALTER TABLE connections DROP COLUMN verify;
