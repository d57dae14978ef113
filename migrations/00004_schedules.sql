-- The last slot of each schedule that some process has claimed for a tenant.

-- +goose Up
CREATE TABLE schedule_slots (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    schedule  text NOT NULL,
    slot      timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, schedule)
);
CALL protect('schedule_slots');

-- +goose Down
DROP TABLE schedule_slots;
