-- What settings of a tenant need: how many tokens of the model a day has taken,
-- and by which status a past ticket was solved.

-- +goose Up
CREATE TABLE model_use (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    day       date NOT NULL, -- in UTC
    tokens    bigint NOT NULL CHECK (tokens >= 0), -- used, or reserved by calls that have not ended
    PRIMARY KEY (tenant_id, day)
);
CALL protect('model_use');

-- Empty: the ticket was solved, by a status that nobody kept.
ALTER TABLE ticket_history ADD COLUMN status text NOT NULL DEFAULT '';

-- +goose Down
ALTER TABLE ticket_history DROP COLUMN status;
DROP TABLE model_use;
