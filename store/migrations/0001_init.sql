-- +goose Up

-- Who is linked.
CREATE TABLE connectors (
    id uuid PRIMARY KEY,
    org_name text NOT NULL,
    origin_id text NOT NULL,
    integration_slug text NOT NULL DEFAULT 'lever',
    category text NOT NULL DEFAULT 'ATS',
    status text NOT NULL DEFAULT 'INCOMPLETE' CHECK (status IN ('INCOMPLETE', 'COMPLETE', 'RELINK_NEEDED')),
    status_reason text NOT NULL DEFAULT '',
    paused boolean NOT NULL DEFAULT false,
    token_hash bytea NOT NULL UNIQUE,          -- SHA-256 of the connector token
    token_sealed bytea NOT NULL,               -- the token itself, sealed: the API's connector list shows it
    sync_interval_seconds integer,             -- NULL: the installation's default
    rate_limit double precision,               -- calls a second; NULL: the installation's default
    created_at timestamptz NOT NULL DEFAULT now(),
    completed_at timestamptz,
    relink_needed_at timestamptz
);
CREATE INDEX connectors_origin ON connectors (origin_id);

CREATE TABLE credentials (
    connector_id uuid PRIMARY KEY REFERENCES connectors ON DELETE CASCADE,
    kind text NOT NULL CHECK (kind IN ('api_key', 'oauth')),
    sealed bytea NOT NULL,
    expires_at timestamptz,
    refreshed_at timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE api_keys (
    id uuid PRIMARY KEY,
    name text NOT NULL,
    hash bytea NOT NULL UNIQUE,                -- SHA-256 of the whole key
    created_at timestamptz NOT NULL DEFAULT now(),
    last_used_at timestamptz,
    revoked_at timestamptz
);

-- What is wanted: one row per connector and scope.
CREATE TABLE connector_scopes (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    scope text NOT NULL,
    enabled boolean NOT NULL,
    state text NOT NULL DEFAULT 'pending' CHECK (state IN ('pending', 'syncing', 'ok', 'forbidden', 'failed')),
    reason text NOT NULL DEFAULT '',
    next_run_at timestamptz NOT NULL DEFAULT now(),
    requested_at timestamptz,                  -- the newest moment it fell due, or was asked for
    queued_at timestamptz,                     -- when a task for it was last put into the queue
    synced_at timestamptz,                     -- the watermark: start of the last traversal that served it
    first_synced_at timestamptz,
    last_run_id uuid,
    records bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (connector_id, scope)
);
CREATE INDEX connector_scopes_due ON connector_scopes (next_run_at) WHERE enabled;

-- How far we are: one row per connector and traversal of a Lever list.
CREATE TABLE streams (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    stream text NOT NULL,
    fence bigint NOT NULL DEFAULT 0,
    lease_owner text,
    lease_until timestamptz,
    run_id uuid,                               -- the run under way
    run_started_at timestamptz,
    cursor jsonb,                              -- of the run under way
    interrupted boolean NOT NULL DEFAULT false,-- a holder of the run under way died: its sweep proves nothing
    wake_at timestamptz,                       -- when the run under way wants to go on
    failures integer NOT NULL DEFAULT 0,       -- in a row
    generation bigint NOT NULL DEFAULT 0,      -- of full traversals
    last_started_at timestamptz,               -- start of the last complete traversal
    last_tried_at timestamptz,                 -- start of the last that ended, however it did
    last_full_at timestamptz,                  -- start of the last complete traversal of the whole list
    last_full_pages integer NOT NULL DEFAULT 0,
    deletions_until timestamptz,               -- how far the list of deletions was read
    full_requested boolean NOT NULL DEFAULT false,
    accept_deletions boolean NOT NULL DEFAULT false,
    swept_at timestamptz,                      -- when the rolling sweep last took a slice
    flags jsonb NOT NULL DEFAULT '{}',         -- what was learnt of the account: confidential records, forbidden children
    PRIMARY KEY (connector_id, stream)
);
CREATE INDEX streams_running ON streams (wake_at) WHERE run_id IS NOT NULL;

CREATE TABLE runs (
    id uuid NOT NULL,
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    stream text NOT NULL,
    scopes text[] NOT NULL,
    kind text NOT NULL CHECK (kind IN ('backfill', 'incremental', 'resync')),
    state text NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'failed', 'forbidden', 'canceled')),
    started_at timestamptz NOT NULL DEFAULT now(),
    ended_at timestamptz,
    calls bigint NOT NULL DEFAULT 0,           -- made
    bound bigint NOT NULL DEFAULT 0,           -- list pages + enabled children of changed parents + what is polled + the sweep's slice
    polled bigint NOT NULL DEFAULT 0,          -- of the bound: child lists read because nothing tells of their change
    swept bigint NOT NULL DEFAULT 0,           -- of the bound: the rolling sweep's slice
    throttled bigint NOT NULL DEFAULT 0,       -- answers 429
    wait_ms bigint NOT NULL DEFAULT 0,         -- for the budget
    read bigint NOT NULL DEFAULT 0,
    written bigint NOT NULL DEFAULT 0,
    deleted bigint NOT NULL DEFAULT 0,
    quarantined bigint NOT NULL DEFAULT 0,
    sanitized bigint NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT '',
    PRIMARY KEY (connector_id, id)
);
CREATE INDEX runs_started ON runs (connector_id, started_at DESC);

-- The sync log: one row per HTTP call to Lever, dropped by age a day at a time.
CREATE TABLE calls (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    run_id uuid,
    stream text NOT NULL DEFAULT '',
    scope text NOT NULL DEFAULT '',
    method text NOT NULL,
    path text NOT NULL,                        -- a template: /opportunities/:id/offers
    query text NOT NULL DEFAULT '',            -- redacted
    status smallint NOT NULL,                  -- 0: no answer came
    attempt integer NOT NULL DEFAULT 1,
    started_at timestamptz NOT NULL,
    duration_ms double precision NOT NULL,
    wait_ms double precision NOT NULL DEFAULT 0,
    bytes bigint NOT NULL DEFAULT 0,
    records integer NOT NULL DEFAULT 0,
    error text NOT NULL DEFAULT '',
    PRIMARY KEY (connector_id, started_at, id)
) PARTITION BY RANGE (started_at);
CREATE TABLE calls_other PARTITION OF calls DEFAULT;

-- Records that could not be mapped or stored, with the bytes as they came.
CREATE TABLE quarantine (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    scope text NOT NULL,
    key text NOT NULL,                         -- the remote id, or a hash of the bytes where there is none
    parent text NOT NULL DEFAULT '',
    reason text NOT NULL,
    raw bytea NOT NULL,
    raw_hash bytea NOT NULL,
    run_id uuid,
    call_id uuid,
    first_seen_at timestamptz NOT NULL DEFAULT now(),
    last_seen_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (connector_id, scope, key)
);

-- Lever objects that others hang on: what an application's or a job's own row does not hold, and the
-- work that is left to do for it. One row an object; pending is a bit set of child lists to read.
-- The primary keys of the large tables put the selective column first: with connector_id first, and no
-- statistics yet, a probe by id reads the connector's whole table.
CREATE TABLE parents (
    remote_id text NOT NULL,
    connector_id uuid NOT NULL,
    scope text NOT NULL CHECK (scope IN ('applications', 'jobs')),
    person text NOT NULL DEFAULT '',           -- remote id of the candidate
    stage text NOT NULL DEFAULT '',
    reason text NOT NULL DEFAULT '',           -- remote id of the archive reason
    archived boolean NOT NULL DEFAULT false,
    active_at timestamptz,                     -- the newest of its clocks
    raw jsonb,
    raw_hash bytea,
    refs uuid[],                               -- of a job: the departments and offices that it names
    digest bytea,                              -- of the fields that tell that its children may have changed
    pending integer NOT NULL DEFAULT 0,
    pending_rev bigint NOT NULL DEFAULT 0,     -- moves when pending is set: a read begun before does not clear it
    lane smallint NOT NULL DEFAULT 0,
    attempts integer NOT NULL DEFAULT 0,
    not_before timestamptz,
    children_read_at timestamptz,
    deleted_at timestamptz,
    PRIMARY KEY (remote_id, connector_id, scope)
);
CREATE INDEX parents_pending ON parents (connector_id, scope, lane, archived, active_at DESC) WHERE pending <> 0;
CREATE INDEX parents_person ON parents (connector_id, person) WHERE scope = 'applications';
CREATE INDEX parents_stage ON parents (connector_id, scope, stage) WHERE deleted_at IS NULL;
CREATE INDEX parents_read ON parents (connector_id, scope, children_read_at) WHERE deleted_at IS NULL;

-- What a full traversal has met so far. Unlogged, because an unchanged sync must cost no WAL: after a
-- crash of Postgres it is empty, the page count in the cursor does not match, and the sweep proves nothing.
CREATE UNLOGGED TABLE sweep_pages (
    connector_id uuid NOT NULL,
    stream text NOT NULL,
    generation bigint NOT NULL,
    page integer NOT NULL,
    remote_ids text[] NOT NULL,
    PRIMARY KEY (connector_id, stream, generation, page)
);

-- The archive reasons that mean hired; the others are reject_reasons.
CREATE TABLE hired_reasons (
    connector_id uuid NOT NULL REFERENCES connectors ON DELETE CASCADE,
    remote_id text NOT NULL,
    PRIMARY KEY (connector_id, remote_id)
);

-- The 15 scopes. raw is NULL where the record is made of others' payloads: an application's and a
-- candidate's raw is in parents, a department's and an office's in jobs.
CREATE TABLE applications (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    candidate uuid,
    job uuid,
    applied_at timestamptz,
    rejected_at timestamptz,
    source text,
    credited_to uuid,
    current_stage uuid,
    reject_reason uuid,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX applications_modified ON applications (connector_id, modified_at, id);

CREATE TABLE attachments (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    file_name text,
    attachment_type text,
    candidate uuid,
    source text not null,
    download_path text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX attachments_modified ON attachments (connector_id, modified_at, id);
CREATE INDEX attachments_parent ON attachments (connector_id, parent);
CREATE INDEX attachments_candidate ON attachments (connector_id, candidate);

CREATE TABLE candidates (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    first_name text,
    last_name text,
    company text,
    title text,
    last_interaction_at timestamptz,
    is_private boolean,
    can_email boolean,
    locations text[],
    phone_numbers text[],
    email_addresses text[],
    urls jsonb,
    tags text[],
    remote_created_at timestamptz,
    remote_updated_at timestamptz,
    avatar text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX candidates_modified ON candidates (connector_id, modified_at, id);

CREATE TABLE departments (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX departments_modified ON departments (connector_id, modified_at, id);

CREATE TABLE eeocs (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    candidate uuid,
    submitted_at timestamptz,
    race text,
    gender text,
    veteran_status text,
    disability_status text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX eeocs_modified ON eeocs (connector_id, modified_at, id);
CREATE INDEX eeocs_parent ON eeocs (connector_id, parent);

CREATE TABLE jobs (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    description text,
    code text,
    status text,
    job_posting_urls jsonb,
    remote_created_at timestamptz,
    remote_updated_at timestamptz,
    confidential boolean,
    departments uuid[],
    offices uuid[],
    hiring_managers uuid[],
    recruiters uuid[],
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX jobs_modified ON jobs (connector_id, modified_at, id);

CREATE TABLE job_interview_stages (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    job uuid,
    stage_order integer,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX job_interview_stages_modified ON job_interview_stages (connector_id, modified_at, id);

CREATE TABLE offers (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    application uuid,
    creator uuid,
    remote_created_at timestamptz,
    closed_at timestamptz,
    sent_at timestamptz,
    start_date text,
    status text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX offers_modified ON offers (connector_id, modified_at, id);
CREATE INDEX offers_parent ON offers (connector_id, parent);

CREATE TABLE offices (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    location text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX offices_modified ON offices (connector_id, modified_at, id);

CREATE TABLE reject_reasons (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX reject_reasons_modified ON reject_reasons (connector_id, modified_at, id);

CREATE TABLE remote_users (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    first_name text,
    last_name text,
    email text,
    disabled boolean,
    remote_created_at timestamptz,
    access_role text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX remote_users_modified ON remote_users (connector_id, modified_at, id);

CREATE TABLE scheduled_interviews (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    application uuid,
    job_interview_stage uuid,
    organizer uuid,
    interviewers uuid[],
    location text,
    start_at timestamptz,
    end_at timestamptz,
    remote_created_at timestamptz,
    remote_updated_at timestamptz,
    feedback_forms uuid[],
    feedback_expected boolean,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX scheduled_interviews_modified ON scheduled_interviews (connector_id, modified_at, id);
CREATE INDEX scheduled_interviews_parent ON scheduled_interviews (connector_id, parent);

CREATE TABLE scorecards (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    application uuid,
    interview uuid,
    interviewer uuid,
    remote_created_at timestamptz,
    submitted_at timestamptz,
    overall_recommendation text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX scorecards_modified ON scorecards (connector_id, modified_at, id);
CREATE INDEX scorecards_parent ON scorecards (connector_id, parent);

CREATE TABLE screening_questions (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    job uuid,
    description text,
    title text,
    type text,
    required boolean,
    options jsonb,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX screening_questions_modified ON screening_questions (connector_id, modified_at, id);
CREATE INDEX screening_questions_parent ON screening_questions (connector_id, parent);

CREATE TABLE tags (
    id uuid NOT NULL,
    connector_id uuid NOT NULL,
    remote_id text NOT NULL,
    parent text NOT NULL DEFAULT '',
    name text,
    raw jsonb,
    raw_hash bytea,
    body_hash bytea NOT NULL,
    created_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    modified_at timestamptz NOT NULL DEFAULT date_trunc('milliseconds', now()),
    deleted_at timestamptz,
    PRIMARY KEY (id, connector_id)
);
CREATE INDEX tags_modified ON tags (connector_id, modified_at, id);
-- lz4 costs a third of pglz; a server built without it keeps the default.
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOR t IN SELECT c.relname FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid
             WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' AND a.attname = 'raw'
               AND format_type(a.atttypid, a.atttypmod) = 'jsonb' LOOP
        EXECUTE format('ALTER TABLE %I ALTER COLUMN raw SET COMPRESSION lz4', t);
    END LOOP;
EXCEPTION WHEN feature_not_supported THEN
    RAISE NOTICE 'this server has no lz4: raw payloads use pglz';
END $$;
-- +goose StatementEnd
