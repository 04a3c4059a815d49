package unified

import (
	"fmt"
	"slices"
	"strings"

	"github.com/google/uuid"
)

// Scope is one of the 15 kinds of record, by the name of its collection in the API.
// It is the one name everywhere: command line, task payload, tables, metrics labels.
type Scope string

// The 15 scopes.
const (
	Applications        Scope = "applications"
	Attachments         Scope = "attachments"
	Candidates          Scope = "candidates"
	Departments         Scope = "departments"
	EEOCs               Scope = "eeocs"
	Jobs                Scope = "jobs"
	JobInterviewStages  Scope = "job-interview-stages"
	Offers              Scope = "offers"
	Offices             Scope = "offices"
	RejectReasons       Scope = "reject-reasons"
	RemoteUsers         Scope = "remote-users"
	ScheduledInterviews Scope = "scheduled-interviews"
	Scorecards          Scope = "scorecards"
	ScreeningQuestions  Scope = "screening-questions"
	Tags                Scope = "tags"
)

// Scopes lists all 15 in alphabetical order.
var Scopes = []Scope{
	Applications, Attachments, Candidates, Departments, EEOCs, Jobs, JobInterviewStages, Offers,
	Offices, RejectReasons, RemoteUsers, ScheduledInterviews, Scorecards, ScreeningQuestions, Tags,
}

// DefaultScopes are on unless a connector says otherwise: all but EEOCs, the most sensitive data there is.
func DefaultScopes() []Scope {
	return slices.DeleteFunc(slices.Clone(Scopes), func(s Scope) bool { return s == EEOCs })
}

// ParseScope returns the scope named s. Its error lists the names there are.
func ParseScope(s string) (Scope, error) {
	if slices.Contains(Scopes, Scope(s)) {
		return Scope(s), nil
	}
	names := make([]string, len(Scopes))
	for i, sc := range Scopes {
		names[i] = string(sc)
	}
	return "", fmt.Errorf("unknown scope %q: the scopes are %s", s, strings.Join(names, ", "))
}

// Table is the scope's name as SQL spells it: job-interview-stages → job_interview_stages.
func (s Scope) Table() string { return strings.ReplaceAll(string(s), "-", "_") }

// namespace separates our UUIDs from everybody else's.
var namespace = uuid.MustParse("6b0ce2a4-52c4-4d0f-9d3c-6f1d4c2f6b11")

// ID is the id of the record of a scope that Lever calls remoteID, in one connector: a UUIDv5 of the
// three. The same record has the same id for ever, a relation can be written before its target was
// fetched, and two workers agree without asking.
func ID(connector uuid.UUID, s Scope, remoteID string) uuid.UUID {
	b := make([]byte, 0, 16+len(s)+1+len(remoteID))
	b = append(b, connector[:]...)
	b = append(b, s...)
	b = append(b, 0)
	b = append(b, remoteID...)
	return uuid.NewSHA1(namespace, b)
}
