package api

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// model is how records of a scope become what the API gives.
type model struct {
	scope  unified.Scope
	typ    reflect.Type
	fields []modelField
}

// modelField is a field of the model besides the envelope.
type modelField struct {
	name   string
	key    string       // as JSON begins it: ,"name":
	at     int          // where the store's records have it; -1: it is made here
	target reflect.Type // of a relation; nil: it is none
	list   bool         // of relations
}

// models are all, by scope; modelsByType by their Go type.
var (
	models       = map[unified.Scope]*model{}
	modelsByType = map[reflect.Type]*model{}
)

func init() {
	for sc, t := range map[unified.Scope]reflect.Type{
		unified.Applications:        reflect.TypeFor[Application](),
		unified.Attachments:         reflect.TypeFor[Attachment](),
		unified.Candidates:          reflect.TypeFor[Candidate](),
		unified.Departments:         reflect.TypeFor[Department](),
		unified.EEOCs:               reflect.TypeFor[EEOC](),
		unified.Jobs:                reflect.TypeFor[Job](),
		unified.JobInterviewStages:  reflect.TypeFor[JobInterviewStage](),
		unified.Offers:              reflect.TypeFor[Offer](),
		unified.Offices:             reflect.TypeFor[Office](),
		unified.RejectReasons:       reflect.TypeFor[RejectReason](),
		unified.RemoteUsers:         reflect.TypeFor[RemoteUser](),
		unified.ScheduledInterviews: reflect.TypeFor[ScheduledInterview](),
		unified.Scorecards:          reflect.TypeFor[Scorecard](),
		unified.ScreeningQuestions:  reflect.TypeFor[ScreeningQuestion](),
		unified.Tags:                reflect.TypeFor[Tag](),
		unified.Activities:          reflect.TypeFor[Activity](),
	} {
		m := &model{scope: sc, typ: t}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			field := modelField{name: name, key: `,"` + name + `":`, at: store.Field(sc, name)}
			if r, ok := reflect.Zero(f.Type).Interface().(related); ok {
				field.target, field.list = r.target(), f.Type.Kind() == reflect.Slice
			}
			m.fields = append(m.fields, field)
		}
		models[sc], modelsByType[t] = m, m
	}
}

// field finds a field by its name in the API.
func (m *model) field(name string) (modelField, bool) {
	for _, f := range m.fields {
		if f.name == name {
			return f, true
		}
	}
	return modelField{}, false
}

// want is what a request asks of each record.
type want struct {
	raw, customFields, deleted bool
	expand                     []expansion
}

// appendRecord appends a record to a JSON text. expanded are the objects to put in the place of relations, by field
// and id.
func (s *server) appendRecord(b []byte, m *model, r *store.Record, w want, expanded map[string]objects) []byte {
	b = store.AppendID(append(b, `{"id":`...), r.ID)
	b = store.AppendText(append(b, `,"remote_id":`...), r.RemoteID)
	b = store.AppendTime(append(b, `,"modified_at":`...), r.ModifiedAt)
	if w.deleted && r.DeletedAt != nil {
		b = store.AppendTime(append(b, `,"remote_deleted_at":`...), *r.DeletedAt)
	}
	if w.raw {
		b = appendRaw(append(b, `,"raw_data":`...), r.Raw)
	}
	b = appendCustomFields(append(b, `,"custom_fields":`...), w)
	for i := range m.fields {
		f := &m.fields[i]
		b = append(b, f.key...)
		if found, ok := expanded[f.name]; ok {
			b = appendObjects(b, f, r, found)
			continue
		}
		b = s.appendField(b, f, r)
	}
	return append(b, '}')
}

func (s *server) appendField(b []byte, f *modelField, r *store.Record) []byte {
	if f.at < 0 {
		return s.appendFileURL(b, r)
	}
	return r.AppendField(b, f.at)
}

// appendFileURL makes the one field that the store has not: where an attachment's file is had.
func (s *server) appendFileURL(b []byte, r *store.Record) []byte {
	return store.AppendText(b, s.cfg.PublicURL+ats+"attachments/"+r.ID.String()+"/download")
}

func appendRaw(b []byte, raw json.RawMessage) []byte {
	if raw == nil {
		return append(b, "null"...)
	}
	return append(b, raw...)
}

func appendCustomFields(b []byte, w want) []byte {
	if w.customFields {
		return append(b, "{}"...)
	}
	return append(b, "null"...)
}

// appendPicked appends some fields of a record as an object.
func (s *server) appendPicked(b []byte, m *model, r *store.Record, w want, names []string) []byte {
	b = append(b, '{')
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			continue
		}
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, '"'), name...), `":`...)
		switch name {
		case "id":
			b = store.AppendID(b, r.ID)
		case "remote_id":
			b = store.AppendText(b, r.RemoteID)
		case "modified_at":
			b = store.AppendTime(b, r.ModifiedAt)
		case "custom_fields":
			b = appendCustomFields(b, w)
		default:
			f, _ := m.field(name)
			b = s.appendField(b, &f, r)
		}
	}
	return append(b, '}')
}

// has reports whether a record of the model has a field of this name.
func (m *model) has(name string) bool {
	switch name {
	case "id", "remote_id", "modified_at", "custom_fields":
		return true
	}
	_, ok := m.field(name)
	return ok
}
