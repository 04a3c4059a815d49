-- +goose Up

-- Who takes Lever's webhooks, and where. A webhook is a hint that something has changed, and no more: without this table
-- everything is found all the same, an interval later.
CREATE TABLE webhooks (
    connector_id uuid PRIMARY KEY REFERENCES connectors ON DELETE CASCADE,
    path_hash bytea NOT NULL UNIQUE,           -- SHA-256 of the secret that ends the path
    path_sealed bytea NOT NULL,                -- the secret itself, sealed: whoever registers by hand must see the URL
    enabled_at timestamptz NOT NULL DEFAULT now(),
    received_at timestamptz,                   -- when the last one came that was genuine
    queued_at timestamptz,                     -- when a task for the hints was last put into the queue
    wake_at timestamptz                        -- before this the hints are left alone: Lever is away, or a sync sees to them
);

-- What they are signed with: a token for each webhook that Lever has registered, and those that were given by hand.
CREATE TABLE webhook_tokens (
    id uuid NOT NULL,
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    event text NOT NULL DEFAULT '',            -- '': given by hand, for whatever it signs
    remote_id text NOT NULL DEFAULT '',        -- Lever's id of the webhook; '': given by hand
    sealed bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz,                    -- of one that was replaced: what is on its way was signed with it
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX webhook_tokens_connector ON webhook_tokens (connector_id);

-- Deliveries taken of late, so that none is taken twice.
CREATE TABLE webhook_deliveries (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    hash bytea NOT NULL,                       -- SHA-256 of its token
    received_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connector_id, hash)
);
CREATE INDEX webhook_deliveries_age ON webhook_deliveries (received_at);

-- What they have told of, until it was looked at: once, however many told.
CREATE TABLE hints (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('opportunity', 'contact')),
    remote_id text NOT NULL,
    scopes text[] NOT NULL,                    -- whose lists of it are to be read too
    received_at timestamptz NOT NULL DEFAULT clock_timestamp(), -- the newest
    attempts integer NOT NULL DEFAULT 0,
    looked_at timestamptz,                     -- it was read, and these of its lists are put down to be
    lists integer NOT NULL DEFAULT 0,
    PRIMARY KEY (connector_id, kind, remote_id)
);

-- A look at what hints name is a run beside the stream's own.
ALTER TABLE runs DROP CONSTRAINT runs_kind_check;
ALTER TABLE runs ADD CONSTRAINT runs_kind_check CHECK (kind IN ('backfill', 'incremental', 'resync', 'hints')) NOT VALID;
CREATE INDEX runs_hints ON runs (connector_id, stream) WHERE kind = 'hints' AND state = 'running';
