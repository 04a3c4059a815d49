package store

import (
	"fmt"
	"reflect"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// reader is how a scope's records are read.
type reader struct {
	table  string
	raw    string // Lever's own body, or what it is made of: an object or null
	fields []readField
}

// readField is a field of the API: how it is read of the row t of the connector $1, and how what is read becomes JSON. Said by the
// argument, Postgres knows before it begins in which partition the connector is, where there are some.
type readField struct {
	name   string
	sql    string
	list   bool
	append func(b, value []byte) []byte
	target unified.Scope // "": no relation
}

// relations are the targets of all fields that hold ids, by scope and field.
var relations = map[unified.Scope]map[string]unified.Scope{
	unified.Applications: {"candidate": unified.Candidates, "job": unified.Jobs, "credited_to": unified.RemoteUsers,
		"current_stage": unified.JobInterviewStages, "reject_reason": unified.RejectReasons},
	unified.Attachments:        {"candidate": unified.Candidates},
	unified.Candidates:         {"applications": unified.Applications, "attachments": unified.Attachments},
	unified.EEOCs:              {"candidate": unified.Candidates},
	unified.Jobs:               {"departments": unified.Departments, "offices": unified.Offices, "hiring_managers": unified.RemoteUsers, "recruiters": unified.RemoteUsers},
	unified.JobInterviewStages: {"job": unified.Jobs},
	unified.Offers:             {"application": unified.Applications, "creator": unified.RemoteUsers},
	unified.ScheduledInterviews: {"application": unified.Applications, "job_interview_stage": unified.JobInterviewStages,
		"organizer": unified.RemoteUsers, "interviewers": unified.RemoteUsers},
	unified.Scorecards:         {"application": unified.Applications, "interview": unified.ScheduledInterviews, "interviewer": unified.RemoteUsers},
	unified.ScreeningQuestions: {"job": unified.Jobs},
	unified.Activities:         {"user": unified.RemoteUsers, "candidate": unified.Candidates},
}

// children are relations that are not stored with their record: the other end names it.
var children = map[unified.Scope][]string{unified.Candidates: {"applications", "attachments"}}

// raws are Lever's bodies that are kept elsewhere than in the record's own row.
var raws = map[unified.Scope]string{
	unified.Applications: `(SELECT p.raw FROM parents p WHERE p.remote_id = t.remote_id AND p.connector_id = $1 AND p.scope = 'applications')`,
	unified.Candidates: `(SELECT jsonb_build_object('opportunities', coalesce(jsonb_agg(p.raw ORDER BY p.remote_id) FILTER (WHERE p.raw IS NOT NULL), '[]'))
        FROM parents p WHERE p.connector_id = $1 AND p.scope = 'applications' AND p.person = t.remote_id AND p.deleted_at IS NULL)`,
}

// interviewStatus depends on the hour and on the scorecards that are in.
const interviewStatus = `CASE
        WHEN cardinality(t.feedback_forms) > 0 AND NOT EXISTS (SELECT FROM unnest(t.feedback_forms) f(id) WHERE NOT EXISTS (
            SELECT FROM scorecards s WHERE s.id = f.id AND s.connector_id = $1 AND s.deleted_at IS NULL AND s.submitted_at IS NOT NULL)) THEN 'COMPLETE'
        WHEN t.end_at > now() OR t.end_at IS NULL THEN 'SCHEDULED'
        WHEN t.feedback_expected THEN 'AWAITING_FEEDBACK'
        ELSE 'COMPLETE'
    END`

// readers are made of the model: a field that it gains is read.
var readers = func() map[unified.Scope]*reader {
	m := map[unified.Scope]*reader{}
	for sc, t := range tables {
		r := &reader{table: t.name, raw: "t.raw"}
		if sql, ok := raws[sc]; ok {
			r.raw = sql
		}
		for _, c := range t.columns {
			if c.public {
				r.fields = append(r.fields, newReadField(sc, c))
			}
		}
		for _, name := range children[sc] {
			target := relations[sc][name]
			r.fields = append(r.fields, readField{name: name, target: target, list: true, append: appendIDs,
				sql: fmt.Sprintf(`ARRAY(SELECT x.id FROM %s x WHERE x.connector_id = $1 AND x.candidate = t.id AND x.deleted_at IS NULL ORDER BY x.id)`, target.Table())})
		}
		if sc == unified.ScheduledInterviews {
			r.fields = append(r.fields, readField{name: "status", sql: interviewStatus, append: AppendText[[]byte]})
		}
		m[sc] = r
	}
	notes := &reader{table: unified.Activities.Table(), raw: "NULL::jsonb"}
	for _, c := range columnsOf(notes.table, reflect.TypeFor[unified.Activity]()) {
		notes.fields = append(notes.fields, newReadField(unified.Activities, c))
	}
	m[unified.Activities] = notes
	return m
}()

// appenders make JSON of the model's types.
var appenders = map[reflect.Type]func(b, value []byte) []byte{
	reflect.TypeFor[string]():           AppendText[[]byte],
	reflect.TypeFor[*string]():          AppendText[[]byte],
	reflect.TypeFor[*bool]():            appendBool,
	reflect.TypeFor[*int]():             appendInt,
	reflect.TypeFor[*unified.Time]():    appendTime,
	reflect.TypeFor[*uuid.UUID]():       appendID,
	reflect.TypeFor[[]string]():         appendTexts,
	reflect.TypeFor[[]uuid.UUID]():      appendIDs,
	reflect.TypeFor[[]unified.URL]():    appendJSON,
	reflect.TypeFor[[]unified.Option](): appendJSON,
}

func newReadField(sc unified.Scope, c column) readField {
	f := readField{name: c.name, sql: "t." + c.name, append: appenders[c.typ], target: relations[sc][c.name]}
	switch c.typ {
	case reflect.TypeFor[*uuid.UUID]():
		f.sql = fmt.Sprintf(`(SELECT x.id FROM %s x WHERE x.id = t.%s AND x.connector_id = $1 AND x.deleted_at IS NULL)`, f.target.Table(), c.name)
	case reflect.TypeFor[[]uuid.UUID]():
		f.list = true
		f.sql = fmt.Sprintf(`ARRAY(SELECT x.id FROM unnest(t.%s) WITH ORDINALITY u(id, n) JOIN %s x ON x.id = u.id AND x.connector_id = $1 AND x.deleted_at IS NULL ORDER BY u.n)`,
			c.name, f.target.Table())
	}
	return f
}

// condition is a Condition in SQL. It panics for a field that the scope has not: those are ours to name.
func (r *reader) condition(s *query, connector string, c Condition) string {
	var f *readField
	for i := range r.fields {
		if r.fields[i].name == c.Field {
			f = &r.fields[i]
		}
	}
	if f == nil {
		panic("store: " + r.table + " has no field " + c.Field)
	}
	v := s.arg(c.Values)
	switch {
	case c.Match == Folded:
		return fmt.Sprintf("lower(t.%s) = ANY(lower_all(%s))", f.name, v)
	case c.Match == AnyFold:
		return fmt.Sprintf("lower_all(t.%s) && lower_all(%s)", f.name, v)
	case c.Match == Related && f.list:
		return fmt.Sprintf("t.%s && %s::uuid[]", f.name, v)
	case c.Match == Related && f.target == unified.Applications:
		// What hangs on an application has its remote id as parent, and an index on that.
		return fmt.Sprintf("t.%[1]s = ANY(%[2]s) AND t.parent IN (SELECT a.remote_id FROM applications a WHERE a.id = ANY(%[2]s) AND a.connector_id = %[3]s)", f.name, v, connector)
	}
	return fmt.Sprintf("t.%s = ANY(%s)", f.name, v)
}
