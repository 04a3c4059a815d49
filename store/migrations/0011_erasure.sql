-- +goose Up

-- What was erased at a person's request. A receipt says when, and how many rows of which table, and nothing of the person.
CREATE TABLE erasures (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    id uuid NOT NULL,
    erased_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    counts jsonb NOT NULL,                     -- rows by table
    PRIMARY KEY (connector_id, id)
);

-- The key of a connector's hashes in erased: random, sealed, and there only once something was erased.
CREATE TABLE erasure_keys (
    connector_id uuid PRIMARY KEY REFERENCES connectors ON DELETE CASCADE,
    sealed bytea NOT NULL
);

-- Whom no sync and no write may bring back: keyed hashes of ids, and no id.
CREATE TABLE erased (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    hash bytea NOT NULL,                       -- HMAC-SHA256
    erasure_id uuid NOT NULL,
    PRIMARY KEY (connector_id, hash)
);
