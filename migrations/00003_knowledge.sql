-- What a tenant knows: past tickets, articles, systems, and the postings by
-- which tickets and articles are found.

-- +goose Up
CREATE TABLE ticket_history (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL,
    ticket_id     text NOT NULL,
    number        text NOT NULL DEFAULT '',
    subject       text NOT NULL,
    description   text NOT NULL,
    resolution    text NOT NULL DEFAULT '',
    priority      text NOT NULL DEFAULT '',
    requester     text NOT NULL DEFAULT '',
    site          text NOT NULL DEFAULT '',
    url           text NOT NULL DEFAULT '',
    tags          text[] NOT NULL DEFAULT '{}',
    created_at    timestamptz,
    resolved_date timestamptz,
    source        text NOT NULL CHECK (source IN ('bulk_import', 'webhook_resolved')),
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, connection_id, ticket_id)
);
CALL protect('ticket_history');

CREATE TABLE articles (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL,
    article_id    text NOT NULL,
    title         text NOT NULL,
    body          text NOT NULL,
    url           text NOT NULL DEFAULT '',
    updated_at    timestamptz,
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, connection_id, article_id)
);
CALL protect('articles');

CREATE TABLE systems (
    id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    tenant_id     text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    connection_id text NOT NULL,
    system_id     text NOT NULL,
    hostname      text NOT NULL,
    -- A column, because lower() is not leakproof: under row-level security an
    -- index on the expression would not be used.
    name          text NOT NULL GENERATED ALWAYS AS (lower(hostname)) STORED,
    role          text NOT NULL DEFAULT '',
    client        text NOT NULL DEFAULT '',
    location      text NOT NULL DEFAULT '',
    ingested_at   timestamptz NOT NULL DEFAULT now(),
    UNIQUE (tenant_id, connection_id, system_id)
);
CALL protect('systems');
CREATE INDEX systems_name ON systems (tenant_id, name);

CREATE TABLE system_addresses (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    address   inet NOT NULL,
    system    bigint NOT NULL REFERENCES systems ON DELETE CASCADE,
    PRIMARY KEY (tenant_id, address, system)
);
CALL protect('system_addresses');
CREATE INDEX system_addresses_system ON system_addresses (system);

-- One row for each term of each document. "=" on text is leakproof, so the
-- primary key is usable under row-level security; "@@", "%" and "<->" are not.
CREATE TABLE postings (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    corpus    text NOT NULL CHECK (corpus IN ('ticket', 'article')),
    term      text NOT NULL,
    doc       bigint NOT NULL, -- ticket_history.id or articles.id
    tf        smallint NOT NULL,
    length    integer NOT NULL, -- terms in the document
    day       date, -- of the resolution; null for articles
    PRIMARY KEY (tenant_id, corpus, term, doc)
);
CALL protect('postings');
CREATE INDEX postings_doc ON postings (tenant_id, corpus, doc);

-- What BM25 must know of a corpus, kept in the transaction that writes the
-- postings. Writers lock the corpus's row first, so they wait in line and
-- never for each other's terms.
CREATE TABLE corpora (
    tenant_id text NOT NULL REFERENCES tenant_configs ON DELETE CASCADE,
    corpus    text NOT NULL CHECK (corpus IN ('ticket', 'article')),
    docs      bigint NOT NULL DEFAULT 0,
    length    bigint NOT NULL DEFAULT 0, -- of all documents, in terms
    PRIMARY KEY (tenant_id, corpus)
);
CALL protect('corpora');

CREATE TABLE corpus_terms (
    tenant_id text NOT NULL,
    corpus    text NOT NULL,
    term      text NOT NULL,
    docs      bigint NOT NULL, -- that hold the term
    PRIMARY KEY (tenant_id, corpus, term),
    FOREIGN KEY (tenant_id, corpus) REFERENCES corpora ON DELETE CASCADE
);
CALL protect('corpus_terms');

-- +goose Down
DROP TABLE corpus_terms, corpora, postings, system_addresses, systems, articles, ticket_history;
