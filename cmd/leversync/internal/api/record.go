package api

import (
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

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
	name    string
	index   int
	related bool
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
	} {
		m := &model{scope: sc, typ: t}
		for i := range t.NumField() {
			f := t.Field(i)
			if f.Anonymous {
				continue
			}
			name, _, _ := strings.Cut(f.Tag.Get("json"), ",")
			_, rel := reflect.New(f.Type).Interface().(related)
			m.fields = append(m.fields, modelField{name: name, index: i, related: rel})
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

// build makes the API's record: a pointer to the model's struct.
func (m *model) build(r store.Record, w want, publicURL string) (any, error) {
	v := reflect.New(m.typ)
	e := v.Interface().(interface{ envelope() *Envelope }).envelope()
	remote := r.RemoteID
	e.ID, e.RemoteID, e.ModifiedAt = r.ID, &remote, unified.NewTime(r.ModifiedAt)
	if w.deleted {
		e.DeletedAt = moment(r.DeletedAt)
	}
	if w.raw {
		e.RawData = Object("null")
		if r.Raw != nil {
			e.RawData = Object(r.Raw)
		}
	}
	if w.customFields {
		e.CustomFields = Object("{}")
	}
	for _, f := range m.fields {
		if err := load(v.Elem().Field(f.index).Addr().Interface(), r.Fields[f.name]); err != nil {
			return nil, fmt.Errorf("api: %s.%s: %w", m.scope, f.name, err)
		}
	}
	if a, ok := v.Interface().(*Attachment); ok {
		url := publicURL + "/api/ats/v1/attachments/" + a.ID.String() + "/download"
		a.FileURL = &url
	}
	return v.Interface(), nil
}

// load puts a value of the store into a field of a model.
func load(field, value any) error {
	if rel, ok := field.(related); ok {
		rel.load(value)
		return nil
	}
	if value == nil {
		return nil
	}
	switch f := field.(type) {
	case **string:
		*f = value.(*string)
	case **bool:
		*f = value.(*bool)
	case **int:
		*f = value.(*int)
	case **unified.Time:
		*f = moment(value.(*time.Time))
	case *[]string:
		*f = value.([]string)
	case interface{ loadRaw(json.RawMessage) }:
		f.loadRaw(value.(json.RawMessage))
	default:
		return fmt.Errorf("no way from %T to %T", value, field)
	}
	return nil
}

// pick is some fields of a built record, by name.
func (m *model) pick(record any, names []string) map[string]any {
	out := map[string]any{}
	v := reflect.ValueOf(record).Elem()
	e := record.(interface{ envelope() *Envelope }).envelope()
	for _, name := range names {
		switch name {
		case "id":
			out[name] = e.ID
		case "remote_id":
			out[name] = e.RemoteID
		case "modified_at":
			out[name] = e.ModifiedAt
		case "custom_fields":
			out[name] = e.CustomFields
		default:
			f, _ := m.field(name)
			out[name] = v.Field(f.index).Interface()
		}
	}
	return out
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
