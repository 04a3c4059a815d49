package api

import (
	"errors"
	"reflect"
	"strings"
	"time"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// TokenHeader is the header that names the connector. The guard has read it before any handler runs.
type TokenHeader struct {
	Token string `header:"x-connector-token" required:"true" doc:"The connector's token, as GET /api/ats/v1/connectors shows it."`
}

// RecordParams are what a list and a single record have in common.
type RecordParams struct {
	TokenHeader
	Raw            bool `query:"include_raw_data" doc:"Add what Lever sent, as raw_data."`
	CustomFields   bool `query:"include_custom_fields" doc:"Fill custom_fields."`
	IncludeDeleted bool `query:"include_deleted" doc:"What is gone at the source too, with remote_deleted_at."`
}

func (p *RecordParams) record() *RecordParams { return p }

func (p *RecordParams) want() want {
	return want{raw: p.Raw, customFields: p.CustomFields, deleted: p.IncludeDeleted}
}

// ListParams are the parameters of every list.
type ListParams struct {
	RecordParams
	PageParams
	IDs            []string `query:"ids" doc:"Ids, separated by commas."`
	RemoteID       string   `query:"remote_id" doc:"Lever's own id."`
	ModifiedAfter  Moment   `query:"modified_after" doc:"Those whose modified_at is later: ISO 8601, UTC where no offset is given."`
	ModifiedBefore Moment   `query:"modified_before" doc:"Those whose modified_at is earlier."`
}

func (p *ListParams) list() *ListParams { return p }

// PageParams cut a list into pages.
type PageParams struct {
	Cursor   string `query:"cursor" maxLength:"200" doc:"As the page before gave it. Repeat every other parameter."`
	PageSize int    `query:"page_size" minimum:"1" maximum:"200" default:"50" doc:"Records in a page."`
}

// ExpandParam is there where a model has relations.
type ExpandParam struct {
	Expand string `query:"expand" maxLength:"1000" doc:"Relations to give as objects instead of ids: rel,rel2[f1,f2]. One level." example:"candidate,job[id,name]"`
}

func (p *ExpandParam) expansion() string { return p.Expand }

// IDParam names one record.
type IDParam struct {
	ID string `path:"id" format:"uuid" doc:"Its id."`
}

// Moment is a time in a query: ISO 8601 with an offset, or without one in UTC, or a date.
type Moment struct{ time.Time }

var errMoment = errors.New("not a date: want ISO 8601 such as 2026-01-31T09:30:00Z")

// UnmarshalText reads it. A plus sign that arrives as a space is still a plus sign.
func (m *Moment) UnmarshalText(b []byte) error {
	s := string(b)
	if i := strings.LastIndexByte(s, ' '); i > len("2006-01-02") {
		s = s[:i] + "+" + s[i+1:]
	}
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "2006-01-02T15:04", "2006-01-02 15:04:05.999999999", time.DateOnly} {
		if t, err := time.Parse(layout, s); err == nil && t.Year() > 0 && t.Year() < 10000 {
			m.Time = t.UTC()
			return nil
		}
	}
	return errMoment
}

// Schema says that it is a date and time, and does not demand an offset.
func (Moment) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeString, Examples: []any{"2026-01-31T09:30:00Z"}}
}

// The filters of each list. The tag filter says how one compares: equal, folded, anyfold, related.
type (
	activitiesInput struct {
		ListParams
		ExpandParam
		User      []string `query:"user" filter:"related" doc:"Ids of remote users."`
		Candidate []string `query:"candidate" filter:"related" doc:"Ids of candidates."`
	}
	applicationsInput struct {
		ListParams
		ExpandParam
		CurrentStage []string `query:"current_stage" filter:"related" doc:"Ids of job interview stages."`
		CreditedTo   []string `query:"credited_to" filter:"related" doc:"Ids of remote users."`
		Source       string   `query:"source" filter:"equal" doc:"Where it came from, as it is returned."`
		Job          []string `query:"job" filter:"related" doc:"Ids of jobs."`
		Candidate    []string `query:"candidate" filter:"related" doc:"Ids of candidates."`
		RejectReason []string `query:"reject_reason" filter:"related" doc:"Ids of reject reasons."`
	}
	attachmentsInput struct {
		ListParams
		ExpandParam
		Candidate []string `query:"candidate" filter:"related" doc:"Ids of candidates."`
	}
	candidatesInput struct {
		ListParams
		ExpandParam
		Company        string   `query:"company" filter:"folded" doc:"Company, in any case."`
		FirstName      string   `query:"first_name" filter:"folded" doc:"Given name, in any case."`
		LastName       string   `query:"last_name" filter:"folded" doc:"Family name, in any case."`
		Tag            string   `query:"tag" filter:"anyfold:tags" doc:"Name of a tag, in any case."`
		EmailAddresses []string `query:"email_addresses,explode" filter:"anyfold" doc:"E-mail addresses, in any case; repeat it for more."`
	}
	eeocsInput struct {
		ListParams
		ExpandParam
		Candidate []string `query:"candidate" filter:"related" doc:"Ids of candidates."`
	}
	jobsInput struct {
		ListParams
		ExpandParam
		Code    string   `query:"code" filter:"equal" doc:"Requisition code."`
		Status  string   `query:"status" filter:"equal" doc:"Status, as it is returned."`
		Offices []string `query:"offices" filter:"related" doc:"Ids of offices."`
	}
	jobChildInput struct {
		ListParams
		ExpandParam
		Job []string `query:"job" filter:"related" doc:"Ids of jobs."`
	}
	offersInput struct {
		ListParams
		ExpandParam
		Application []string `query:"application" filter:"related" doc:"Ids of applications."`
		Creator     []string `query:"creator" filter:"related" doc:"Ids of remote users."`
	}
	remoteUsersInput struct {
		ListParams
		Email string `query:"email" filter:"folded" doc:"E-mail address, in any case."`
	}
	scheduledInterviewsInput struct {
		ListParams
		ExpandParam
		Application       []string `query:"application" filter:"related" doc:"Ids of applications."`
		Organizer         []string `query:"organizer" filter:"related" doc:"Ids of remote users."`
		JobInterviewStage []string `query:"job_interview_stage" filter:"related" doc:"Ids of job interview stages."`
	}
	scorecardsInput struct {
		ListParams
		ExpandParam
		Application []string `query:"application" filter:"related" doc:"Ids of applications."`
		Interview   []string `query:"interview" filter:"related" doc:"Ids of scheduled interviews."`
		Interviewer []string `query:"interviewer" filter:"related" doc:"Ids of remote users."`
	}
	plainInput struct{ ListParams }

	getInput struct {
		RecordParams
		IDParam
	}
	getExpandInput struct {
		RecordParams
		IDParam
		ExpandParam
	}
)

// matches are the words of the tag filter.
var matches = map[string]store.Match{"equal": store.Equal, "folded": store.Folded, "anyfold": store.AnyFold, "related": store.Related}

// conditions are the filters that a request sets.
func conditions(input any) ([]store.Condition, error) {
	var out []store.Condition
	v := reflect.ValueOf(input).Elem()
	for i := range v.NumField() {
		tag, ok := v.Type().Field(i).Tag.Lookup("filter")
		if !ok || v.Field(i).IsZero() {
			continue
		}
		param, _, _ := strings.Cut(v.Type().Field(i).Tag.Get("query"), ",")
		word, field, named := strings.Cut(tag, ":")
		if !named {
			field = param
		}
		c := store.Condition{Field: field, Match: matches[word]}
		values, list := v.Field(i).Interface().([]string)
		if !list {
			values = []string{v.Field(i).String()}
		}
		c.Values = values
		if c.Match == store.Related {
			ids, err := uuids(param, values)
			if err != nil {
				return nil, err
			}
			c.Values = ids
		}
		out = append(out, c)
	}
	return out, nil
}

// maxIDs bounds a comma list.
const maxIDs = 1000

func uuids(param string, values []string) ([]uuid.UUID, error) {
	if len(values) > maxIDs {
		return nil, invalid("query", param, "too_long", "expected at most 1000 ids", nil)
	}
	ids := make([]uuid.UUID, len(values))
	for i, s := range values {
		id, err := uuid.Parse(s)
		if err != nil || len(s) != 36 {
			return nil, invalid("query", param, "uuid_parsing", "expected ids (UUIDs), separated by commas without spaces", s)
		}
		ids[i] = id
	}
	return ids, nil
}
