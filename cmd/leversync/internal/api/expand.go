package api

import (
	"context"
	"reflect"
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
	if !ok || !f.related {
		var names []string
		for _, f := range m.fields {
			if f.related {
				names = append(names, f.name)
			}
		}
		return badExpand("unknown relation \"" + e.relation + "\": those there are: " + strings.Join(names, ", "))
	}
	target := m.target(f)
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

// target is the model that a relation leads to.
func (m *model) target(f modelField) *model {
	rel := reflect.New(m.typ.Field(f.index).Type).Interface().(related)
	return modelsByType[rel.model()]
}

// expand puts records in the place of ids, in one query for each relation. One level: the relations of what is
// put there stay ids.
func (s *server) expand(ctx context.Context, connector uuid.UUID, m *model, records []any, w want) error {
	for _, e := range w.expand {
		f, _ := m.field(e.relation)
		target := m.target(f)
		seen := map[uuid.UUID]any{}
		var ids []uuid.UUID
		for _, r := range records {
			for _, id := range relation(r, f).ids() {
				if _, ok := seen[id]; !ok {
					seen[id] = nil
					ids = append(ids, id)
				}
			}
		}
		if len(ids) == 0 {
			continue
		}
		found, err := s.cfg.Store.Read(ctx, store.ReadQuery{Connector: connector, Scope: target.scope, IDs: ids})
		if err != nil {
			return err
		}
		for _, r := range found {
			built, err := target.build(r, want{customFields: w.customFields}, s.cfg.PublicURL)
			if err != nil {
				return err
			}
			if e.fields != nil {
				built = target.pick(built, e.fields)
			}
			seen[r.ID] = built
		}
		for _, r := range records {
			relation(r, f).expand(func(id uuid.UUID) any { return seen[id] })
		}
	}
	return nil
}

func relation(record any, f modelField) related {
	return reflect.ValueOf(record).Elem().Field(f.index).Addr().Interface().(related)
}
