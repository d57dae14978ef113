-- The ledger of enhancements and the lease on a ticket.

-- +goose Up
CREATE TABLE enhancement_history (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    job_id        uuid NOT NULL, -- also the correlation id
    tool          text NOT NULL,
    connection_id text NOT NULL,
    ticket_id     text NOT NULL,
    kind          text NOT NULL,
    status        text NOT NULL DEFAULT 'pending' CHECK (status IN ('pending', 'completed', 'failed')),
    posting       boolean NOT NULL DEFAULT false, -- a note may have been written
    tries         integer NOT NULL DEFAULT 0,
    error         text NOT NULL DEFAULT '',
    skipped       text NOT NULL DEFAULT '', -- completed without a note: why
    shadow        boolean NOT NULL DEFAULT false,
    evidence_only boolean NOT NULL DEFAULT false,
    revision      text NOT NULL DEFAULT '',
    note_id       text NOT NULL DEFAULT '',
    note          text NOT NULL DEFAULT '',
    context       jsonb NOT NULL DEFAULT '{}', -- evidence and gaps, for debugging
    model         text NOT NULL DEFAULT '',
    usage         jsonb NOT NULL DEFAULT '{}',
    received_at   timestamptz NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    retry_at      timestamptz, -- when the next try is due
    ended_at      timestamptz,
    UNIQUE (tenant_id, job_id)
);
CALL protect('enhancement_history');
CREATE INDEX enhancement_history_ticket ON enhancement_history (tenant_id, connection_id, ticket_id, ended_at DESC);
CREATE INDEX enhancement_history_pending ON enhancement_history (tenant_id, updated_at) WHERE status = 'pending';

-- One try at a time works on a ticket. The lease is short and renewed while
-- the try runs, so that a crash holds the ticket for seconds.
CREATE TABLE ticket_leases (
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL,
    ticket_id     text NOT NULL,
    job_id        uuid NOT NULL,
    token         uuid NOT NULL, -- of the one try that holds it
    until         timestamptz NOT NULL,
    PRIMARY KEY (tenant_id, connection_id, ticket_id)
);
CALL protect('ticket_leases');

-- +goose Down
DROP TABLE ticket_leases, enhancement_history;
