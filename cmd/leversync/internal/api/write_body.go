package api

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// fields reads a JSON object field by field, and gathers all that is wrong with it. A null field is one that
// is not there, as is an empty text.
type fields struct {
	loc      []any
	values   map[string]json.RawMessage
	read     map[string]bool
	problems *[]ValidationErrorItem
	ignored  *[]string
}

// readFields reads a body, which must be an object. What is wrong with its fields is said by err at the end.
func readFields(body []byte) (*fields, error) {
	f := &fields{loc: []any{"body"}, read: map[string]bool{}, problems: &[]ValidationErrorItem{}, ignored: &[]string{}}
	if json.Unmarshal(body, &f.values) != nil || f.values == nil {
		f.wrong(nil, "model_attributes_type", "Input should be a JSON object")
	}
	return f, f.err()
}

// err is a 422 of all that was wrong; nil: nothing was.
func (f *fields) err() error {
	if len(*f.problems) == 0 {
		return nil
	}
	return &refusal{status: http.StatusUnprocessableEntity, items: *f.problems}
}

// wrong notes that something is wrong at a place below the object.
func (f *fields) wrong(at []any, kind, message string) {
	*f.problems = append(*f.problems, ValidationErrorItem{Loc: slices.Concat(f.loc, at), Msg: message, Type: kind})
}

// has reports whether a field is there and not null.
func (f *fields) has(name string) bool {
	v, ok := f.values[name]
	return ok && string(bytes.TrimSpace(v)) != "null"
}

// get decodes a field, and reports whether it is there and right.
func (f *fields) get(name string, v any, kind, message string) bool {
	f.read[name] = true
	if !f.has(name) {
		return false
	}
	if json.Unmarshal(f.values[name], v) != nil {
		f.wrong([]any{name}, kind, message)
		return false
	}
	if _, object := v.(*map[string]json.RawMessage); !object && !storable(f.values[name]) { // an object's fields are looked at one by one
		f.wrong([]any{name}, "value_error", "Input holds U+0000, half a surrogate pair, or a number that cannot be stored")
		return false
	}
	return true
}

// storable reports whether Postgres keeps a value as it is. A file's, which is larger than other bodies, is not kept.
func storable(v json.RawMessage) bool {
	if len(v) > maxBody {
		return true
	}
	_, cleaned, err := lever.Sanitize(v)
	return err == nil && cleaned == 0
}

func (f *fields) text(name string) string {
	var s string
	f.get(name, &s, "string_type", "Input should be a valid string")
	return strings.TrimSpace(s)
}

func (f *fields) flag(name string) bool {
	var b bool
	f.get(name, &b, "bool_type", "Input should be a valid boolean")
	return b
}

// texts is a list of texts, without the empty ones.
func (f *fields) texts(name string) []string {
	var list []*string
	f.get(name, &list, "list_type", "Input should be a list of strings")
	var out []string
	for _, s := range list {
		if s != nil && strings.TrimSpace(*s) != "" {
			out = append(out, strings.TrimSpace(*s))
		}
	}
	return out
}

// urls are the values of a list of links.
func (f *fields) urls(name string) []string {
	var list []*struct {
		Value *string `json:"value"`
	}
	f.get(name, &list, "list_type", "Input should be a list of {value, url_type}")
	var out []string
	for _, u := range list {
		if u != nil && u.Value != nil && strings.TrimSpace(*u.Value) != "" {
			out = append(out, strings.TrimSpace(*u.Value))
		}
	}
	return out
}

// object is a field that is an object itself; one that is not there is empty.
func (f *fields) object(name string) *fields {
	o := &fields{loc: slices.Concat(f.loc, []any{name}), read: map[string]bool{}, problems: f.problems, ignored: f.ignored}
	f.get(name, &o.values, "dict_type", "Input should be a JSON object")
	return o
}

// id is the first of the fields named that is there, as an id, and which; nil: none is.
func (f *fields) id(names ...string) (id *uuid.UUID, name string) {
	for _, n := range names {
		f.read[n] = true
	}
	for _, n := range names {
		if s := f.text(n); s != "" {
			v, err := uuid.Parse(s)
			if err != nil {
				f.wrong([]any{n}, "uuid_parsing", "Input should be a valid UUID")
				return nil, n
			}
			return &v, n
		}
	}
	return nil, ""
}

// rest notes the fields that nobody has read, and that hold something, as ignored.
func (f *fields) rest() {
	for name, v := range f.values {
		if !f.read[name] && !slices.Contains([]string{"null", `""`, "{}", "[]"}, string(bytes.TrimSpace(v))) {
			*f.ignored = append(*f.ignored, strings.Map(headerSafe, dotted(f.loc[1:], name)))
		}
	}
	slices.Sort(*f.ignored)
}

// dotted is a field's place in the body: data.title.
func dotted(loc []any, name string) string {
	var parts []string
	for _, l := range loc {
		if s, ok := l.(string); ok {
			parts = append(parts, s)
		}
	}
	return strings.Join(append(parts, name), ".")
}

// headerSafe keeps the characters that may stand in a header's list.
func headerSafe(r rune) rune {
	if r <= ' ' || r > '~' || r == ',' {
		return '_'
	}
	return r
}

// remote translates our id of a record of the connector into Lever's. An id that is unknown, or another
// connector's, is noted as wrong.
func (s *server) remote(ctx context.Context, f *fields, sc unified.Scope, what string, names ...string) (string, error) {
	id, name := f.id(names...)
	if id == nil {
		return "", nil
	}
	remote, err := s.cfg.Store.RemoteID(ctx, connectorOf(ctx).ID, sc, *id)
	if errors.Is(err, store.ErrNotFound) {
		f.wrong([]any{name}, "value_error", "There is no "+what+" with this id")
		return "", nil
	}
	return remote, err
}
