-- +goose Up

-- The stable face for people who query: what is there now, relations only to what can be read.
-- Tables behind it may change between releases; these views' columns only gain.
CREATE SCHEMA IF NOT EXISTS ats;
COMMENT ON SCHEMA ats IS 'The unified ATS model of all linked Lever accounts: one view for each scope.';

CREATE VIEW ats.applications AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.candidates x WHERE x.id = t.candidate AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS candidate,
    (SELECT x.id FROM leversync.jobs x WHERE x.id = t.job AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS job,
    t.applied_at,
    t.rejected_at,
    t.source,
    (SELECT x.id FROM leversync.remote_users x WHERE x.id = t.credited_to AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS credited_to,
    (SELECT x.id FROM leversync.job_interview_stages x WHERE x.id = t.current_stage AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS current_stage,
    (SELECT x.id FROM leversync.reject_reasons x WHERE x.id = t.reject_reason AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS reject_reason,
    (SELECT p.raw FROM leversync.parents p WHERE p.remote_id = t.remote_id AND p.connector_id = t.connector_id AND p.scope = 'applications') AS raw,
    t.created_at,
    t.modified_at
FROM leversync.applications t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.applications IS 'One candidacy of a person: an opportunity of Lever.';
COMMENT ON COLUMN ats.applications.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.applications.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.applications.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.applications.candidate IS 'The person.';
COMMENT ON COLUMN ats.applications.job IS 'The vacancy; null for a lead.';
COMMENT ON COLUMN ats.applications.applied_at IS 'When they applied.';
COMMENT ON COLUMN ats.applications.rejected_at IS 'When it was rejected; null: not rejected.';
COMMENT ON COLUMN ats.applications.source IS 'Where it came from, first of the sources.';
COMMENT ON COLUMN ats.applications.credited_to IS 'The user credited with it.';
COMMENT ON COLUMN ats.applications.current_stage IS 'The stage it is in, or stopped in.';
COMMENT ON COLUMN ats.applications.reject_reason IS 'Why it was rejected.';
COMMENT ON COLUMN ats.applications.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.applications.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.applications.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.attachments AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.file_name,
    t.attachment_type,
    (SELECT x.id FROM leversync.candidates x WHERE x.id = t.candidate AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS candidate,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.attachments t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.attachments IS 'A file of a candidate.';
COMMENT ON COLUMN ats.attachments.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.attachments.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.attachments.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.attachments.file_name IS 'File name.';
COMMENT ON COLUMN ats.attachments.attachment_type IS 'RESUME, COVER_LETTER, OFFER_LETTER or OTHER.';
COMMENT ON COLUMN ats.attachments.candidate IS 'Whose file it is.';
COMMENT ON COLUMN ats.attachments.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.attachments.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.attachments.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.candidates AS
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
    ARRAY(SELECT x.id FROM leversync.parents p JOIN leversync.applications x ON x.connector_id = p.connector_id AND x.remote_id = p.remote_id AND x.candidate = t.id AND x.deleted_at IS NULL WHERE p.connector_id = t.connector_id AND p.scope = 'applications' AND p.person = t.remote_id ORDER BY x.id) AS applications,
    ARRAY(SELECT x.id FROM leversync.attachments x WHERE x.connector_id = t.connector_id AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id) AS attachments,
    t.remote_created_at,
    t.remote_updated_at,
    t.avatar,
    (SELECT jsonb_agg(p.raw ORDER BY p.remote_id) FROM leversync.parents p WHERE p.connector_id = t.connector_id AND p.scope = 'applications' AND p.person = t.remote_id AND p.deleted_at IS NULL) AS raw,
    t.created_at,
    t.modified_at
FROM leversync.candidates t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.candidates IS 'A person: all opportunities of one contact of Lever.';
COMMENT ON COLUMN ats.candidates.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.candidates.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.candidates.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.candidates.first_name IS 'Given name.';
COMMENT ON COLUMN ats.candidates.last_name IS 'Family name.';
COMMENT ON COLUMN ats.candidates.company IS 'Company on the newest application that gives one.';
COMMENT ON COLUMN ats.candidates.title IS 'Headline.';
COMMENT ON COLUMN ats.candidates.last_interaction_at IS 'Newest interaction.';
COMMENT ON COLUMN ats.candidates.is_private IS 'Whether any of their opportunities is confidential.';
COMMENT ON COLUMN ats.candidates.can_email IS 'Whether they consented to be contacted; null: Lever does not say.';
COMMENT ON COLUMN ats.candidates.locations IS 'Places.';
COMMENT ON COLUMN ats.candidates.phone_numbers IS 'Telephone numbers.';
COMMENT ON COLUMN ats.candidates.email_addresses IS 'E-mail addresses.';
COMMENT ON COLUMN ats.candidates.urls IS 'Links, as [{value, url_type}].';
COMMENT ON COLUMN ats.candidates.tags IS 'Names of tags.';
COMMENT ON COLUMN ats.candidates.applications IS 'Their applications.';
COMMENT ON COLUMN ats.candidates.attachments IS 'Their files.';
COMMENT ON COLUMN ats.candidates.remote_created_at IS 'When Lever first knew them.';
COMMENT ON COLUMN ats.candidates.remote_updated_at IS 'When Lever last changed them.';
COMMENT ON COLUMN ats.candidates.avatar IS 'Always null for Lever.';
COMMENT ON COLUMN ats.candidates.raw IS 'Lever''s own bodies: one for each opportunity.';
COMMENT ON COLUMN ats.candidates.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.candidates.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.departments AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.created_at,
    t.modified_at
FROM leversync.departments t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.departments IS 'A department (or team) that vacancies name.';
COMMENT ON COLUMN ats.departments.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.departments.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.departments.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.departments.name IS 'Its name.';
COMMENT ON COLUMN ats.departments.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.departments.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.eeocs AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.candidates x WHERE x.id = t.candidate AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS candidate,
    t.submitted_at,
    t.race,
    t.gender,
    t.veteran_status,
    t.disability_status,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.eeocs t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.eeocs IS 'An answered equal-opportunity survey.';
COMMENT ON COLUMN ats.eeocs.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.eeocs.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.eeocs.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.eeocs.candidate IS 'Who answered.';
COMMENT ON COLUMN ats.eeocs.submitted_at IS 'When.';
COMMENT ON COLUMN ats.eeocs.race IS 'Race.';
COMMENT ON COLUMN ats.eeocs.gender IS 'Gender.';
COMMENT ON COLUMN ats.eeocs.veteran_status IS 'Veteran status.';
COMMENT ON COLUMN ats.eeocs.disability_status IS 'Disability.';
COMMENT ON COLUMN ats.eeocs.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.eeocs.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.eeocs.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.jobs AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.description,
    t.code,
    t.status,
    t.job_posting_urls,
    t.remote_created_at,
    t.remote_updated_at,
    t.confidential,
    ARRAY(SELECT x.id FROM unnest(t.departments) WITH ORDINALITY u(id, n) JOIN leversync.departments x ON x.id = u.id AND x.connector_id = t.connector_id AND x.deleted_at IS NULL ORDER BY u.n) AS departments,
    ARRAY(SELECT x.id FROM unnest(t.offices) WITH ORDINALITY u(id, n) JOIN leversync.offices x ON x.id = u.id AND x.connector_id = t.connector_id AND x.deleted_at IS NULL ORDER BY u.n) AS offices,
    ARRAY(SELECT x.id FROM unnest(t.hiring_managers) WITH ORDINALITY u(id, n) JOIN leversync.remote_users x ON x.id = u.id AND x.connector_id = t.connector_id AND x.deleted_at IS NULL ORDER BY u.n) AS hiring_managers,
    ARRAY(SELECT x.id FROM unnest(t.recruiters) WITH ORDINALITY u(id, n) JOIN leversync.remote_users x ON x.id = u.id AND x.connector_id = t.connector_id AND x.deleted_at IS NULL ORDER BY u.n) AS recruiters,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.jobs t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.jobs IS 'A vacancy: a posting of Lever.';
COMMENT ON COLUMN ats.jobs.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.jobs.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.jobs.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.jobs.name IS 'Title.';
COMMENT ON COLUMN ats.jobs.description IS 'Text, HTML where there is any.';
COMMENT ON COLUMN ats.jobs.code IS 'Requisition code.';
COMMENT ON COLUMN ats.jobs.status IS 'OPEN, CLOSED, DRAFT, ARCHIVED or PENDING.';
COMMENT ON COLUMN ats.jobs.job_posting_urls IS 'Where it is advertised, as [{value, url_type}].';
COMMENT ON COLUMN ats.jobs.remote_created_at IS 'When Lever made it.';
COMMENT ON COLUMN ats.jobs.remote_updated_at IS 'When Lever last changed it.';
COMMENT ON COLUMN ats.jobs.confidential IS 'Whether it is confidential.';
COMMENT ON COLUMN ats.jobs.departments IS 'Its departments.';
COMMENT ON COLUMN ats.jobs.offices IS 'Its offices.';
COMMENT ON COLUMN ats.jobs.hiring_managers IS 'Its hiring managers.';
COMMENT ON COLUMN ats.jobs.recruiters IS 'Its recruiters.';
COMMENT ON COLUMN ats.jobs.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.jobs.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.jobs.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.job_interview_stages AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.job,
    t.stage_order,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.job_interview_stages t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.job_interview_stages IS 'A stage of the account''s pipeline.';
COMMENT ON COLUMN ats.job_interview_stages.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.job_interview_stages.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.job_interview_stages.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.job_interview_stages.name IS 'Its name.';
COMMENT ON COLUMN ats.job_interview_stages.job IS 'Always null: stages are the account''s.';
COMMENT ON COLUMN ats.job_interview_stages.stage_order IS 'Position in the pipeline, from 0.';
COMMENT ON COLUMN ats.job_interview_stages.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.job_interview_stages.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.job_interview_stages.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.offers AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.applications x WHERE x.id = t.application AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS application,
    (SELECT x.id FROM leversync.remote_users x WHERE x.id = t.creator AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS creator,
    t.remote_created_at,
    t.closed_at,
    t.sent_at,
    t.start_date,
    t.status,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.offers t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.offers IS 'An offer made on an application.';
COMMENT ON COLUMN ats.offers.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.offers.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.offers.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.offers.application IS 'The application.';
COMMENT ON COLUMN ats.offers.creator IS 'Who made it.';
COMMENT ON COLUMN ats.offers.remote_created_at IS 'When it was made.';
COMMENT ON COLUMN ats.offers.closed_at IS 'When it was signed or denied.';
COMMENT ON COLUMN ats.offers.sent_at IS 'When it was sent.';
COMMENT ON COLUMN ats.offers.start_date IS 'Proposed start.';
COMMENT ON COLUMN ats.offers.status IS 'Lever''s status in capitals.';
COMMENT ON COLUMN ats.offers.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.offers.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.offers.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.offices AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.location,
    t.created_at,
    t.modified_at
FROM leversync.offices t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.offices IS 'A place that vacancies name.';
COMMENT ON COLUMN ats.offices.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.offices.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.offices.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.offices.name IS 'Its name.';
COMMENT ON COLUMN ats.offices.location IS 'The same text.';
COMMENT ON COLUMN ats.offices.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.offices.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.reject_reasons AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.reject_reasons t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.reject_reasons IS 'Why an application can be rejected.';
COMMENT ON COLUMN ats.reject_reasons.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.reject_reasons.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.reject_reasons.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.reject_reasons.name IS 'The text.';
COMMENT ON COLUMN ats.reject_reasons.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.reject_reasons.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.reject_reasons.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.remote_users AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.first_name,
    t.last_name,
    t.email,
    t.disabled,
    t.remote_created_at,
    t.access_role,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.remote_users t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.remote_users IS 'A user of the customer''s Lever account.';
COMMENT ON COLUMN ats.remote_users.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.remote_users.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.remote_users.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.remote_users.first_name IS 'Given name.';
COMMENT ON COLUMN ats.remote_users.last_name IS 'Family name.';
COMMENT ON COLUMN ats.remote_users.email IS 'E-mail address.';
COMMENT ON COLUMN ats.remote_users.disabled IS 'Whether deactivated.';
COMMENT ON COLUMN ats.remote_users.remote_created_at IS 'When Lever made them.';
COMMENT ON COLUMN ats.remote_users.access_role IS 'ADMIN, SUPER_ADMIN, TEAM_MEMBER, LIMITED_TEAM_MEMBER, INTERVIEWER or a role of the account.';
COMMENT ON COLUMN ats.remote_users.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.remote_users.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.remote_users.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.scheduled_interviews AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.applications x WHERE x.id = t.application AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS application,
    (SELECT x.id FROM leversync.job_interview_stages x WHERE x.id = t.job_interview_stage AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS job_interview_stage,
    (SELECT x.id FROM leversync.remote_users x WHERE x.id = t.organizer AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS organizer,
    ARRAY(SELECT x.id FROM unnest(t.interviewers) WITH ORDINALITY u(id, n) JOIN leversync.remote_users x ON x.id = u.id AND x.connector_id = t.connector_id AND x.deleted_at IS NULL ORDER BY u.n) AS interviewers,
    t.location,
    t.start_at,
    t.end_at,
    t.remote_created_at,
    t.remote_updated_at,
    CASE
        WHEN cardinality(t.feedback_forms) > 0 AND NOT EXISTS (SELECT FROM unnest(t.feedback_forms) f(id) WHERE NOT EXISTS (SELECT FROM leversync.scorecards s WHERE s.id = f.id AND s.connector_id = t.connector_id AND s.deleted_at IS NULL AND s.submitted_at IS NOT NULL)) THEN 'COMPLETE'
        WHEN t.end_at > now() OR t.end_at IS NULL THEN 'SCHEDULED'
        WHEN t.feedback_expected THEN 'AWAITING_FEEDBACK'
        ELSE 'COMPLETE'
    END AS status,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.scheduled_interviews t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.scheduled_interviews IS 'An interview.';
COMMENT ON COLUMN ats.scheduled_interviews.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.scheduled_interviews.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.scheduled_interviews.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.scheduled_interviews.application IS 'The application.';
COMMENT ON COLUMN ats.scheduled_interviews.job_interview_stage IS 'The stage it belongs to.';
COMMENT ON COLUMN ats.scheduled_interviews.organizer IS 'Who scheduled it.';
COMMENT ON COLUMN ats.scheduled_interviews.interviewers IS 'Who interviews.';
COMMENT ON COLUMN ats.scheduled_interviews.location IS 'Place.';
COMMENT ON COLUMN ats.scheduled_interviews.start_at IS 'Start.';
COMMENT ON COLUMN ats.scheduled_interviews.end_at IS 'End.';
COMMENT ON COLUMN ats.scheduled_interviews.remote_created_at IS 'When it was scheduled.';
COMMENT ON COLUMN ats.scheduled_interviews.remote_updated_at IS 'Always null for Lever.';
COMMENT ON COLUMN ats.scheduled_interviews.status IS 'SCHEDULED, AWAITING_FEEDBACK or COMPLETE, as of now.';
COMMENT ON COLUMN ats.scheduled_interviews.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.scheduled_interviews.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.scheduled_interviews.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.scorecards AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.applications x WHERE x.id = t.application AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS application,
    (SELECT x.id FROM leversync.scheduled_interviews x WHERE x.id = t.interview AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS interview,
    (SELECT x.id FROM leversync.remote_users x WHERE x.id = t.interviewer AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS interviewer,
    t.remote_created_at,
    t.submitted_at,
    t.overall_recommendation,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.scorecards t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.scorecards IS 'A feedback form.';
COMMENT ON COLUMN ats.scorecards.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.scorecards.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.scorecards.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.scorecards.application IS 'The application.';
COMMENT ON COLUMN ats.scorecards.interview IS 'The interview; null for stand-alone feedback.';
COMMENT ON COLUMN ats.scorecards.interviewer IS 'Who gave it.';
COMMENT ON COLUMN ats.scorecards.remote_created_at IS 'When it was made.';
COMMENT ON COLUMN ats.scorecards.submitted_at IS 'When it was handed in.';
COMMENT ON COLUMN ats.scorecards.overall_recommendation IS 'DEFINITELY_NO, NO, NO_DECISION, YES or STRONG_YES.';
COMMENT ON COLUMN ats.scorecards.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.scorecards.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.scorecards.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.screening_questions AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    (SELECT x.id FROM leversync.jobs x WHERE x.id = t.job AND x.connector_id = t.connector_id AND x.deleted_at IS NULL) AS job,
    t.description,
    t.title,
    t.type,
    t.required,
    t.options,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.screening_questions t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.screening_questions IS 'A question that a vacancy asks its applicants.';
COMMENT ON COLUMN ats.screening_questions.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.screening_questions.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.screening_questions.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.screening_questions.job IS 'The vacancy.';
COMMENT ON COLUMN ats.screening_questions.description IS 'Long text.';
COMMENT ON COLUMN ats.screening_questions.title IS 'The question.';
COMMENT ON COLUMN ats.screening_questions.type IS 'DATE, FILE, SINGLE_SELECT, MULTI_SELECT, SINGLE_LINE_TEXT, MULTI_LINE_TEXT, NUMERIC or BOOLEAN.';
COMMENT ON COLUMN ats.screening_questions.required IS 'Whether it must be answered.';
COMMENT ON COLUMN ats.screening_questions.options IS 'Choices, as [{label}].';
COMMENT ON COLUMN ats.screening_questions.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.screening_questions.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.screening_questions.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.tags AS
SELECT
    t.connector_id,
    t.id,
    t.remote_id,
    t.name,
    t.raw,
    t.created_at,
    t.modified_at
FROM leversync.tags t
WHERE t.deleted_at IS NULL;
COMMENT ON VIEW ats.tags IS 'A tag of the account.';
COMMENT ON COLUMN ats.tags.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.tags.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.tags.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.tags.name IS 'Its text.';
COMMENT ON COLUMN ats.tags.raw IS 'Lever''s own body.';
COMMENT ON COLUMN ats.tags.created_at IS 'When we first wrote it.';
COMMENT ON COLUMN ats.tags.modified_at IS 'When its content last changed here.';

CREATE VIEW ats.deleted_records AS
SELECT connector_id, 'applications' AS scope, id, remote_id, deleted_at FROM leversync.applications WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'attachments' AS scope, id, remote_id, deleted_at FROM leversync.attachments WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'candidates' AS scope, id, remote_id, deleted_at FROM leversync.candidates WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'departments' AS scope, id, remote_id, deleted_at FROM leversync.departments WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'eeocs' AS scope, id, remote_id, deleted_at FROM leversync.eeocs WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'jobs' AS scope, id, remote_id, deleted_at FROM leversync.jobs WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'job-interview-stages' AS scope, id, remote_id, deleted_at FROM leversync.job_interview_stages WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'offers' AS scope, id, remote_id, deleted_at FROM leversync.offers WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'offices' AS scope, id, remote_id, deleted_at FROM leversync.offices WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'reject-reasons' AS scope, id, remote_id, deleted_at FROM leversync.reject_reasons WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'remote-users' AS scope, id, remote_id, deleted_at FROM leversync.remote_users WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'scheduled-interviews' AS scope, id, remote_id, deleted_at FROM leversync.scheduled_interviews WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'scorecards' AS scope, id, remote_id, deleted_at FROM leversync.scorecards WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'screening-questions' AS scope, id, remote_id, deleted_at FROM leversync.screening_questions WHERE deleted_at IS NOT NULL
UNION ALL
SELECT connector_id, 'tags' AS scope, id, remote_id, deleted_at FROM leversync.tags WHERE deleted_at IS NOT NULL;
COMMENT ON VIEW ats.deleted_records IS 'What is gone at the source, of every scope.';
COMMENT ON COLUMN ats.deleted_records.connector_id IS 'Which linked account it belongs to.';
COMMENT ON COLUMN ats.deleted_records.scope IS 'Which of the 15 scopes.';
COMMENT ON COLUMN ats.deleted_records.id IS 'Our id: stable across syncs and relinks.';
COMMENT ON COLUMN ats.deleted_records.remote_id IS 'Lever''s own id; for departments, offices and tags the exact text.';
COMMENT ON COLUMN ats.deleted_records.deleted_at IS 'When we learnt that it is gone.';

CREATE VIEW ats.connectors AS
SELECT id AS connector_id, org_name, origin_id, status, paused, created_at, completed_at FROM leversync.connectors;
COMMENT ON VIEW ats.connectors IS 'The linked Lever accounts.';
COMMENT ON COLUMN ats.connectors.connector_id IS 'The id that every other view calls connector_id.';
COMMENT ON COLUMN ats.connectors.org_name IS 'The company.';
COMMENT ON COLUMN ats.connectors.origin_id IS 'Your own id of the company.';
COMMENT ON COLUMN ats.connectors.status IS 'INCOMPLETE, COMPLETE or RELINK_NEEDED.';
COMMENT ON COLUMN ats.connectors.paused IS 'Whether its syncs are paused.';
COMMENT ON COLUMN ats.connectors.created_at IS 'When it was created.';
COMMENT ON COLUMN ats.connectors.completed_at IS 'When it was linked.';

CREATE VIEW ats.sync_status AS
SELECT connector_id, scope, enabled, state, reason, synced_at, next_run_at, records, quarantined FROM leversync.connector_scopes;
COMMENT ON VIEW ats.sync_status IS 'How fresh each scope of each account is.';
COMMENT ON COLUMN ats.sync_status.connector_id IS 'Which linked account.';
COMMENT ON COLUMN ats.sync_status.scope IS 'Which of the 15 scopes.';
COMMENT ON COLUMN ats.sync_status.enabled IS 'Whether it is read at all.';
COMMENT ON COLUMN ats.sync_status.state IS 'pending, syncing, ok, forbidden or failed.';
COMMENT ON COLUMN ats.sync_status.reason IS 'Why, in words, when it is not ok.';
COMMENT ON COLUMN ats.sync_status.synced_at IS 'The watermark: changes made in Lever before it are here.';
COMMENT ON COLUMN ats.sync_status.next_run_at IS 'When it falls due again.';
COMMENT ON COLUMN ats.sync_status.records IS 'How many records there are.';
COMMENT ON COLUMN ats.sync_status.quarantined IS 'How many could not be mapped or stored.';
