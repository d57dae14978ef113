-- The record of how each note came to be, for "why did it say that".

-- +goose Up
-- The job's last try. Processes of the version before write none.
CREATE TABLE enhancement_runs (
    tenant_id   text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    job_id      uuid NOT NULL,
    recorded_at timestamptz NOT NULL DEFAULT now(),
    record      jsonb NOT NULL, -- enhance.Run, in at most 256 KiB as the program writes it
    PRIMARY KEY (tenant_id, job_id),
    FOREIGN KEY (tenant_id, job_id) REFERENCES enhancement_history (tenant_id, job_id) ON DELETE CASCADE
);
CALL protect('enhancement_runs');
CREATE INDEX enhancement_runs_age ON enhancement_runs (tenant_id, recorded_at);

-- +goose Down
DROP TABLE enhancement_runs;
