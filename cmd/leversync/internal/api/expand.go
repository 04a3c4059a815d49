package api

import (
	"context"
	"strings"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// expansion is one relation that a request wants as an object: whole, or some of its fields.
type expansion struct {
	relation string
	fields   []string // nil: all
}

// parseExpand reads rel,rel2[f1,f2]. Names that the model has not are a 422: a typo must not read as null.
func (m *model) parseExpand(s string) ([]expansion, error) {
	var out []expansion
	for s != "" {
		var e expansion
		end := strings.IndexAny(s, ",[")
		if end < 0 {
			end = len(s)
		}
		e.relation, s = s[:end], s[end:]
		if strings.HasPrefix(s, "[") {
			list, rest, closed := strings.Cut(s[1:], "]")
			if !closed || rest != "" && !strings.HasPrefix(rest, ",") {
				return nil, badExpand("the brackets of " + e.relation + " are not closed, or something other than a comma follows them")
			}
			e.fields, s = strings.Split(list, ","), rest
		}
		if err := m.checkExpansion(e); err != nil {
			return nil, err
		}
		out = append(out, e)
		if s == "," {
			return nil, badExpand("a relation is missing after the last comma")
		}
		s = strings.TrimPrefix(s, ",")
	}
	return out, nil
}

func (m *model) checkExpansion(e expansion) error {
	f, ok := m.field(e.relation)
	if !ok || f.target == nil {
		var names []string
		for _, f := range m.fields {
			if f.target != nil {
				names = append(names, f.name)
			}
		}
		return badExpand("unknown relation \"" + e.relation + "\": those there are: " + strings.Join(names, ", "))
	}
	target := modelsByType[f.target]
	for _, name := range e.fields {
		if !target.has(name) {
			return badExpand(e.relation + " has no field \"" + name + "\"")
		}
	}
	return nil
}

func badExpand(message string) error {
	return invalid("query", "expand", "value_error", message, nil)
}

// objects are records as JSON, by id.
type objects map[uuid.UUID][]byte

// expand reads what relations lead to, all of them in one round trip. One level: the relations of what is found
// stay ids.
func (s *server) expand(ctx context.Context, connector uuid.UUID, m *model, records []store.Record, w want) (map[string]objects, error) {
	out := map[string]objects{}
	var qs []store.ReadQuery
	for _, e := range w.expand {
		f, _ := m.field(e.relation)
		seen := map[uuid.UUID]bool{}
		ids := []uuid.UUID{}
		for _, r := range records {
			for _, id := range r.Related(f.at) {
				if !seen[id] {
					seen[id] = true
					ids = append(ids, id)
				}
			}
		}
		qs = append(qs, store.ReadQuery{Connector: connector, Scope: modelsByType[f.target].scope, IDs: ids})
	}
	found, err := s.cfg.Store.ReadAll(ctx, connector, qs)
	if err != nil {
		return nil, err
	}
	inner := want{customFields: w.customFields}
	for i, e := range w.expand {
		target, all := models[qs[i].Scope], make(objects, len(found[i]))
		for j := range found[i] {
			r := &found[i][j]
			if e.fields != nil {
				all[r.ID] = s.appendPicked(nil, target, r, inner, e.fields)
				continue
			}
			all[r.ID] = s.appendRecord(nil, target, r, inner, nil)
		}
		out[e.relation] = all
	}
	return out, nil
}

// appendObjects appends what a record's relation leads to: an object or null, or a list of objects.
func appendObjects(b []byte, f *modelField, r *store.Record, found objects) []byte {
	ids := r.Related(f.at)
	if !f.list {
		if len(ids) == 1 && found[ids[0]] != nil {
			return append(b, found[ids[0]]...)
		}
		return append(b, "null"...)
	}
	b = append(b, '[')
	first := len(b)
	for _, id := range ids {
		if found[id] == nil {
			continue
		}
		if len(b) > first {
			b = append(b, ',')
		}
		b = append(b, found[id]...)
	}
	return append(b, ']')
}
