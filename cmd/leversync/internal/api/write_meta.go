package api

import (
	"context"
	"net/http"

	"github.com/danielgtaylor/huma/v2"
)

// Meta says which fields a write takes.
type Meta struct {
	Success bool           `json:"success"`
	Data    map[string]any `json:"data" doc:"The fields, nested as the body is."`
	Error   Object         `json:"error" doc:"Always null."`
}

// FieldMeta is one field of a body.
type FieldMeta struct {
	Type        string `json:"type"`
	Description string `json:"description"`
	Required    bool   `json:"required"`
}

// candidateFields are the fields of data that Lever takes.
var candidateFields = []attribute{
	{"first_name", "string", "The candidate's first name."},
	{"last_name", "string", "The candidate's last name."},
	{"company", "string", "The candidate's company; goes into Lever's headline, behind the title."},
	{"title", "string", "The candidate's title: Lever's headline."},
	{"locations", "list", "Where the candidate lives; Lever keeps the first."},
	{"phone_numbers", "list", "The candidate's phone numbers."},
	{"email_addresses", "list", "The candidate's e-mail addresses. A person whom Lever knows by one of them keeps what Lever has of them."},
	{"urls", "list", "Links, as {value, url_type}."},
	{"tags", "list", "Names of tags; unknown ones are made."},
	{"job_interview_stage_id", "uuid", "The stage it begins in; default: Lever's first. From /api/ats/v1/job-interview-stages."},
	{"job_id", "uuid", "The job it is for; without one it is a lead. From /api/ats/v1/jobs."},
}

const remoteUserAbout = "The user in whose name it is written. From /api/ats/v1/remote-users. remote_user_id is taken in its place."

func registerCandidateMeta(s *server, op huma.Operation) {
	register(s, op, func(context.Context, *TokenHeader) (*bodyOutput[Meta], error) {
		data := describe(candidateFields)
		return &bodyOutput[Meta]{Body: Meta{Success: true, Data: map[string]any{
			"data":                  data,
			"remote_user":           FieldMeta{"uuid", remoteUserAbout, true},
			"additional_attributes": describe(attributes),
			"custom_fields":         map[string]any{},
		}}}, nil
	})
}

func describe(list []attribute) map[string]any {
	out := map[string]any{}
	for _, a := range list {
		out[a.name] = FieldMeta{Type: a.kind, Description: a.about}
	}
	return out
}

// candidateSchema is either body of a new candidate.
func (s *server) candidateSchema() *huma.Schema {
	data := propertiesOf(candidateFields)
	candidate := objectOf("PostCandidate", candidateFields)
	lever := objectOf("LeverAttributes", attributes)
	lever.Description = "Lever's own fields."
	extra := map[string]*huma.Schema{
		"remote_user":           {Type: "string", Format: "uuid", Description: remoteUserAbout},
		"remote_user_id":        {Type: "string", Format: "uuid", Description: "As remote_user."},
		"additional_attributes": s.named(lever),
		"custom_fields":         {Type: "object", Description: "Ignored: Lever has none."},
	}
	nested := map[string]*huma.Schema{"data": s.named(candidate), "job_requisition_id": {Type: "string", Description: "Ignored."}}
	flat := map[string]*huma.Schema{"job": {Type: "string", Format: "uuid", Description: "As job_id."}}
	for name, p := range extra {
		nested[name], flat[name] = p, p
	}
	for name, p := range data {
		flat[name] = p
	}
	return s.named(&huma.Schema{Title: "NewCandidate", AnyOf: []*huma.Schema{
		s.named(&huma.Schema{Title: "CreateCandidate", Type: "object", Required: []string{"data"}, Properties: nested,
			Description: "The candidate in data, and beside it who writes it."}),
		s.named(&huma.Schema{Title: "CandidateWrite", Type: "object", Properties: flat, Description: "The same, flat."}),
	}})
}

// propertiesOf are fields as a schema has them.
func propertiesOf(list []attribute) map[string]*huma.Schema {
	out := map[string]*huma.Schema{}
	for _, a := range list {
		p := &huma.Schema{Type: a.kind, Description: a.about}
		switch a.kind {
		case "uuid":
			p.Type, p.Format = "string", "uuid"
		case "datetime":
			p.Type, p.Format = "string", "date-time"
		case "list":
			p.Type, p.Items = "array", &huma.Schema{Type: "string"}
			if a.name == "urls" {
				p.Items = &huma.Schema{Type: "object", Properties: map[string]*huma.Schema{"value": {Type: "string"}, "url_type": {Type: "string"}}}
			}
		}
		out[a.name] = p
	}
	return out
}

// objectOf is the schema of a body of these fields.
func objectOf(title string, list []attribute, required ...string) *huma.Schema {
	return &huma.Schema{Title: title, Type: "object", Required: required, Properties: propertiesOf(list)}
}

// registerUnsupported answers 501 with a sentence for what Lever can't take, or we don't write.
func registerUnsupported(sentence string) func(*server, huma.Operation) {
	return func(s *server, op huma.Operation) {
		op.DefaultStatus = http.StatusNotImplemented
		register(s, op, func(context.Context, *TokenHeader) (*struct{}, error) {
			return nil, refuse(http.StatusNotImplemented, sentence)
		})
	}
}
