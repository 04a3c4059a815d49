-- +goose Up

-- What is purged once it has been gone for long enough is found without a look at what is there.
-- +goose StatementBegin
DO $$
DECLARE t text;
BEGIN
    FOREACH t IN ARRAY ARRAY['applications', 'attachments', 'candidates', 'departments', 'eeocs', 'jobs', 'job_interview_stages', 'offers',
        'offices', 'reject_reasons', 'remote_users', 'scheduled_interviews', 'scorecards', 'screening_questions', 'tags'] LOOP
        EXECUTE format('CREATE INDEX %I ON %I (connector_id, deleted_at) WHERE deleted_at IS NOT NULL', t || '_deleted', t);
    END LOOP;
END $$;
-- +goose StatementEnd

-- What is left of an opportunity's payload where payloads are not kept for ever: what its person is made of, together
-- with that of their other opportunities. NULL where raw is kept.
ALTER TABLE parents ADD COLUMN rest jsonb;
