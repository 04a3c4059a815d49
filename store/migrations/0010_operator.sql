-- +goose Up

-- Who runs the installation: one password, for the dashboard.
CREATE TABLE operators (
    one boolean PRIMARY KEY DEFAULT true CHECK (one),
    password_hash text NOT NULL,               -- argon2id, as a PHC string
    changed_at timestamptz NOT NULL DEFAULT now()
);

-- The browsers that are signed in.
CREATE TABLE operator_sessions (
    id uuid PRIMARY KEY,
    secret_hash bytea NOT NULL UNIQUE,         -- SHA-256 of what its cookie holds
    agent text NOT NULL DEFAULT '',            -- what the browser calls itself
    created_at timestamptz NOT NULL DEFAULT now(),
    seen_at timestamptz NOT NULL DEFAULT now(),
    expires_at timestamptz NOT NULL            -- however much it is used
);
