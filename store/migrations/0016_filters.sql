-- +goose Up

-- Filters whose values are rare by their nature, or asked for every day: who is in a stage, in the list's order, and the
-- scorecards of an interview. What the others cost is in deploy/docs/reading.md.
CREATE INDEX applications_stage ON applications (connector_id, current_stage, modified_at, id);
CREATE INDEX scorecards_interview ON scorecards (connector_id, interview) WHERE interview IS NOT NULL;
