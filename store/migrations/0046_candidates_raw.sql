-- +goose Up

-- Bodies that retention has let go of are left out, and are no nulls in the list; where none is left there is no list.
CREATE OR REPLACE VIEW ats.candidates AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.first_name,
    t.last_name,
    t.company,
    t.title,
    t.last_interaction_at,
    t.is_private,
    t.can_email,
    t.locations,
    t.phone_numbers,
    t.email_addresses,
    t.urls,
    t.tags,
    ARRAY(SELECT x.id FROM leversync.applications x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS applications,
    ARRAY(SELECT x.id FROM leversync.attachments x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS attachments,
    t.remote_created_at,
    t.remote_updated_at,
    t.avatar,
    (SELECT jsonb_agg(p.raw ORDER BY p.remote_id) FILTER (WHERE p.raw IS NOT NULL) FROM leversync.parents p WHERE p.connector_id = t.connector_id AND p.scope = 'applications' AND p.person = t.remote_id AND p.deleted_at IS NULL) AS raw,
    t.created_at,
    t.modified_at
FROM leversync.candidates t
WHERE t.deleted_at IS NULL;
COMMENT ON COLUMN ats.candidates.raw IS 'Lever''s own bodies: one for each opportunity whose body is kept.';

-- +goose Down

CREATE OR REPLACE VIEW ats.candidates AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.first_name,
    t.last_name,
    t.company,
    t.title,
    t.last_interaction_at,
    t.is_private,
    t.can_email,
    t.locations,
    t.phone_numbers,
    t.email_addresses,
    t.urls,
    t.tags,
    ARRAY(SELECT x.id FROM leversync.applications x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS applications,
    ARRAY(SELECT x.id FROM leversync.attachments x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS attachments,
    t.remote_created_at,
    t.remote_updated_at,
    t.avatar,
    (SELECT jsonb_agg(p.raw ORDER BY p.remote_id) FROM leversync.parents p WHERE p.connector_id = t.connector_id AND p.scope = 'applications' AND p.person = t.remote_id AND p.deleted_at IS NULL) AS raw,
    t.created_at,
    t.modified_at
FROM leversync.candidates t
WHERE t.deleted_at IS NULL;
COMMENT ON COLUMN ats.candidates.raw IS 'Lever''s own bodies: one for each opportunity.';
