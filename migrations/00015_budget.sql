-- What the model may cost a tenant in a day and in a month.
--
-- Processes of the version before go on counting tokens in model_use, what they
-- reserve among them. They do not see what this version reserves until it is
-- used, and know no limit in dollars: those hold once they are replaced.

-- +goose Up
-- What was used, in billionths of a US dollar: whole numbers add up exactly.
ALTER TABLE model_use ADD COLUMN nano_usd bigint NOT NULL DEFAULT 0 CHECK (nano_usd >= 0);

-- What calls that have not ended may take at most. A process that died settles
-- nothing, so that a reservation ends by itself.
CREATE TABLE model_reservations (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    id        uuid NOT NULL DEFAULT gen_random_uuid(),
    day       date NOT NULL, -- in UTC, on which it was made and will be counted
    tokens    bigint NOT NULL CHECK (tokens >= 0),
    nano_usd  bigint NOT NULL CHECK (nano_usd >= 0),
    until     timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, id)
);
CALL protect('model_reservations');

-- +goose Down
DROP TABLE model_reservations;
ALTER TABLE model_use DROP COLUMN nano_usd;
