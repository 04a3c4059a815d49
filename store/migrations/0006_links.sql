-- +goose Up

-- Of whoever was sent the link, as the integrator named them.
ALTER TABLE connectors ADD COLUMN end_user_email text;

-- Magic links: whoever holds one may link the connector's account, once.
CREATE TABLE links (
    hash bytea PRIMARY KEY,                    -- SHA-256 of the token in the URL
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL,
    used_at timestamptz,
    tries integer NOT NULL DEFAULT 0           -- API keys given on its page
);
CREATE INDEX links_connector ON links (connector_id);
CREATE INDEX links_expiry ON links (expires_at);

-- The browser that used a link: it alone may go on, and watch the first sync.
CREATE TABLE link_sessions (
    id uuid PRIMARY KEY,
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    link_hash bytea NOT NULL UNIQUE REFERENCES links ON DELETE CASCADE,
    secret_hash bytea NOT NULL,                -- SHA-256 of what its cookie holds
    state_hash bytea,                          -- SHA-256 of the authorization's state; the newest alone counts
    state_expires_at timestamptz,
    state_used_at timestamptz,
    held bytea,                                -- a credential of too few permissions, sealed, until the person decides
    granted text NOT NULL DEFAULT '',          -- its permissions, space separated
    linked_at timestamptz,
    created_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL
);
CREATE INDEX link_sessions_connector ON link_sessions (connector_id);
CREATE INDEX link_sessions_expiry ON link_sessions (expires_at);

-- What the embedded flow exchanges, once, for the connector's token.
CREATE TABLE temporary_tokens (
    hash bytea PRIMARY KEY,                    -- SHA-256 of the token
    connector_id uuid NOT NULL UNIQUE REFERENCES connectors ON DELETE CASCADE,
    expires_at timestamptz NOT NULL
);
