package store

// Example is a question that the views in ats answer. Its $1 is a connector.
type Example struct {
	Name     string
	Question string
	SQL      string
}

// Examples are the questions that the demo asks and the README shows.
var Examples = []Example{
	{
		Name:     "pipeline",
		Question: "Where do candidacies stand that were not rejected, and how many have gone quiet?",
		SQL: `SELECT s.name AS stage, count(*) AS candidacies,
       count(*) FILTER (WHERE c.last_interaction_at < now() - interval '30 days') AS quiet_for_30_days
FROM ats.applications a
JOIN ats.job_interview_stages s ON s.id = a.current_stage AND s.connector_id = a.connector_id
JOIN ats.candidates c ON c.id = a.candidate AND c.connector_id = a.connector_id
WHERE a.connector_id = $1 AND a.rejected_at IS NULL
GROUP BY s.name, s.stage_order
ORDER BY s.stage_order
LIMIT 8`,
	},
	{
		Name:     "sources",
		Question: "Which sources bring people who get an interview and an offer?",
		SQL: `SELECT coalesce(a.source, '(none)') AS source, count(*) AS candidacies,
       round(100.0 * count(*) FILTER (WHERE i.application IS NOT NULL) / count(*)) AS interviewed_percent,
       round(100.0 * count(*) FILTER (WHERE o.application IS NOT NULL) / count(*), 1) AS offered_percent
FROM ats.applications a
LEFT JOIN (SELECT DISTINCT connector_id, application FROM ats.scheduled_interviews) i
       ON i.application = a.id AND i.connector_id = a.connector_id
LEFT JOIN (SELECT DISTINCT connector_id, application FROM ats.offers) o
       ON o.application = a.id AND o.connector_id = a.connector_id
WHERE a.connector_id = $1
GROUP BY 1
ORDER BY candidacies DESC
LIMIT 6`,
	},
	{
		Name:     "interviewers",
		Question: "Who interviews most, and how do they judge?",
		SQL: `SELECT concat_ws(' ', u.first_name, u.last_name) AS interviewer, count(DISTINCT i.id) AS interviews,
       count(DISTINCT f.id) AS feedback_forms,
       round(100.0 * count(DISTINCT f.id) FILTER (WHERE f.overall_recommendation IN ('YES', 'STRONG_YES'))
             / nullif(count(DISTINCT f.id), 0)) AS yes_percent
FROM ats.scheduled_interviews i
CROSS JOIN unnest(i.interviewers) AS who
JOIN ats.remote_users u ON u.id = who AND u.connector_id = i.connector_id
LEFT JOIN ats.scorecards f ON f.interview = i.id AND f.interviewer = u.id AND f.connector_id = i.connector_id
WHERE i.connector_id = $1 AND i.end_at < now()
GROUP BY u.id, u.first_name, u.last_name
ORDER BY interviews DESC, interviewer
LIMIT 5`,
	},
}
