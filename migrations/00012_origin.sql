-- Where knowledge came from: the tool's own account beside the connection. When
-- an account is given to another tenant, what came from it goes.

-- +goose Up
-- '' is no account: on a shared connection that is nobody's, and goes, too.
-- What was stored before this column has none, so the past tickets of shared
-- connections have to be imported again.
ALTER TABLE ticket_history ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE articles ADD COLUMN account text NOT NULL DEFAULT '';
ALTER TABLE systems ADD COLUMN account text NOT NULL DEFAULT '';
-- The account before the connection: the planner takes no index for the look-up
-- of a ticket that has its connection, but not its id, first.
CREATE INDEX ticket_history_origin ON ticket_history (tenant_id, account, connection_id);

-- +goose Down
DROP INDEX ticket_history_origin;
ALTER TABLE systems DROP COLUMN account;
ALTER TABLE articles DROP COLUMN account;
ALTER TABLE ticket_history DROP COLUMN account;
