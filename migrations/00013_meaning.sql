-- What makes retrieval more than words: what the resolutions point to, and
-- where each document lies in meaning.

-- +goose Up
-- The names in a resolution that may be a ticket's or an article's: keys or
-- numbers. Which of them there are, a search tells by joining.
CREATE TABLE ticket_references (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    ticket    bigint NOT NULL REFERENCES ticket_history ON DELETE CASCADE,
    name      text NOT NULL,
    own       boolean NOT NULL, -- it can be a ticket's, as retrieval.Reference has it
    PRIMARY KEY (tenant_id, ticket, name)
);
CALL protect('ticket_references');
CREATE INDEX ticket_references_name ON ticket_references (tenant_id, name);
CREATE INDEX ticket_references_ticket ON ticket_references (ticket);
CREATE INDEX ticket_history_number ON ticket_history (tenant_id, number);
CREATE INDEX articles_key ON articles (tenant_id, article_id);

-- A vector space is the tenant's own latent factors of one day ("latent/7"), or
-- an embedding model by its name.
CREATE TABLE term_vectors (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    space     text NOT NULL,
    term      text NOT NULL,
    vector    bytea NOT NULL, -- as retrieval.Pack has it
    PRIMARY KEY (tenant_id, space, term)
);
CALL protect('term_vectors');

CREATE TABLE document_vectors (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    corpus    text NOT NULL CHECK (corpus IN ('ticket', 'article')),
    space     text NOT NULL,
    doc       bigint NOT NULL, -- ticket_history.id or articles.id
    vector    bytea NOT NULL,
    PRIMARY KEY (tenant_id, corpus, doc, space) -- a document's, of all spaces, go with it
);
CALL protect('document_vectors');

-- The tenant's factors. Those in preparation become active when every document
-- has its vector among them. Writers serve both.
CREATE TABLE latent_factors (
    tenant_id text NOT NULL PRIMARY KEY REFERENCES tenant_configs ON DELETE CASCADE,
    active    bigint, -- space is 'latent/' || active
    preparing bigint,
    placed    bigint NOT NULL DEFAULT 0, -- tickets up to this id have their vector in preparation
    documents bigint NOT NULL DEFAULT 0, -- in the corpus of tickets, when they were learnt
    learnt_at timestamptz NOT NULL DEFAULT now()
);
CALL protect('latent_factors');

-- The analyser that wrote a document's postings: another one reads the document
-- again (retrieval.Analyser). Postings of before have the number 1.
ALTER TABLE ticket_history ADD COLUMN analyser smallint NOT NULL DEFAULT 1;
ALTER TABLE articles ADD COLUMN analyser smallint NOT NULL DEFAULT 1;
CREATE INDEX ticket_history_analyser ON ticket_history (tenant_id, analyser, id);
CREATE INDEX articles_analyser ON articles (tenant_id, analyser, id);

-- All that a search reads of a posting is in the index, which is six times as
-- fast as the table. Writers wait while it is built: some seconds for a million
-- postings.
ALTER TABLE postings DROP CONSTRAINT postings_pkey,
    ADD CONSTRAINT postings_pkey PRIMARY KEY (tenant_id, corpus, term, doc) INCLUDE (tf, length, day);

-- +goose Down
ALTER TABLE postings DROP CONSTRAINT postings_pkey,
    ADD CONSTRAINT postings_pkey PRIMARY KEY (tenant_id, corpus, term, doc);
DROP INDEX articles_analyser, ticket_history_analyser;
ALTER TABLE articles DROP COLUMN analyser;
ALTER TABLE ticket_history DROP COLUMN analyser;
DROP TABLE latent_factors, document_vectors, term_vectors;
DROP INDEX articles_key, ticket_history_number;
DROP TABLE ticket_references;
