-- What technicians say of notes, and what became of the tickets. Nothing here
-- refers to the job's row: a report outlives the record of a run.

-- +goose Up
CREATE TABLE feedback_votes (
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    job_id        uuid NOT NULL,
    vote          text NOT NULL CHECK (vote IN ('useful', 'useless')),
    reasons       text[] NOT NULL DEFAULT '{}',
    comment       text NOT NULL DEFAULT '' CHECK (length(comment) <= 500), -- redacted
    created_at    timestamptz NOT NULL DEFAULT now(),
    updated_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job_id)
);
CALL protect('feedback_votes');
CREATE INDEX feedback_votes_updated ON feedback_votes (tenant_id, updated_at);

-- What is not shown for a ticket again, by the votes that say so: who takes a
-- vote back, takes back what it muted, and no more.
CREATE TABLE muted_pairs (
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL,
    ticket_id     text NOT NULL,
    kind          text NOT NULL CHECK (kind IN ('ticket', 'article')),
    ref           text NOT NULL, -- a ticket's number, or its key where it has none; an article's key
    job_id        uuid NOT NULL,
    created_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, connection_id, ticket_id, kind, ref, job_id)
);
CALL protect('muted_pairs');
CREATE INDEX muted_pairs_job ON muted_pairs (tenant_id, job_id);

-- How the technician's resolution compares with the note, as package outcome has it.
CREATE TABLE note_outcomes (
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    job_id        uuid NOT NULL,
    verdict       text NOT NULL CHECK (verdict IN ('used', 'partly', 'unrelated', 'contradicted', 'unknown')),
    score         real NOT NULL,
    at            timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (tenant_id, job_id)
);
CALL protect('note_outcomes');
CREATE INDEX note_outcomes_at ON note_outcomes (tenant_id, at);

-- Reports read the jobs of some weeks.
CREATE INDEX enhancement_history_received ON enhancement_history (tenant_id, received_at);

-- +goose Down
DROP INDEX enhancement_history_received;
DROP TABLE note_outcomes, muted_pairs, feedback_votes;
