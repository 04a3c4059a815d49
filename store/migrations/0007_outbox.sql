-- +goose Up

-- What is being written to Lever, one row an idempotency key, kept 24 hours. Lever has no such key and makes
-- a new record on every call: what became of a write is settled here before anything is sent again.
CREATE TABLE outbox (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    key text NOT NULL,                         -- the client's, or one made for it
    kind text NOT NULL CHECK (kind IN ('candidate', 'attachment', 'activity')),
    fingerprint bytea NOT NULL,                -- SHA-256 of the request: another one under the key is refused
    state text NOT NULL DEFAULT 'pending' CHECK (state IN (
        'pending',                             -- nothing was sent
        'sent',                                -- it is being sent, or who sent it died
        'unknown',                             -- it was sent, and no answer came
        'confirmed',                           -- Lever has it, and so have we
        'failed')),                            -- Lever does not have it: the key is free again
    claim uuid,                                -- of whoever works on it
    claimed_until timestamptz,
    subject jsonb NOT NULL,                    -- what it is looked up by when its outcome is not known
    first_sent_at timestamptz,
    sent_at timestamptz,                       -- the last time
    remote_id text,                            -- Lever's id of what was made, once that is known
    reply json,                                -- of a confirmed one; json, not jsonb: it is replayed to the letter
    reason text NOT NULL DEFAULT '',
    looks integer NOT NULL DEFAULT 0,          -- how often it was looked up by the recoverer
    look_at timestamptz,                       -- not before
    created_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connector_id, key)
);
-- What one write has made, no other may take for its own.
CREATE UNIQUE INDEX outbox_remote ON outbox (connector_id, kind, remote_id) WHERE remote_id IS NOT NULL;
CREATE INDEX outbox_unsettled ON outbox (look_at NULLS FIRST) WHERE state IN ('sent', 'unknown');
CREATE INDEX outbox_age ON outbox (created_at);
