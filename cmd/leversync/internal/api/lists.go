package api

import (
	"context"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// List is a page. It is the last one when cursor is null.
type List[T any] struct {
	Cursor   *string `json:"cursor" doc:"For the next page; null: this is the last."`
	PageSize int     `json:"page_size" minimum:"0" maximum:"200" doc:"How many items this page has."`
	Items    []T     `json:"items" maxItems:"200" nullable:"false"`
}

// listOutput is a page and how fresh it is.
type listOutput[T any] struct {
	Watermark string `header:"X-Sync-Watermark" doc:"Changes made in Lever before this moment are here. Absent before the first sync is through."`
	State     string `header:"X-Sync-State" enum:"ok,syncing-first-time,forbidden,scope-off,relink-needed,failed" doc:"Why there may be less than expected."`
	Body      List[*T]
}

type recordOutput[T any] struct{ Body *T }

// listInput is a pointer to the input of a list.
type listInput[I any] interface {
	*I
	list() *ListParams
}

// recordInput is a pointer to the input of a single record.
type recordInput[I any] interface {
	*I
	record() *RecordParams
	id() string
}

func (p *IDParam) id() string { return p.ID }

// list registers a scope's list.
func list[T, I any, P listInput[I]](sc unified.Scope) func(*server, huma.Operation) {
	return func(s *server, op huma.Operation) {
		register(s, op, func(ctx context.Context, in *I) (*listOutput[T], error) {
			return page[T](ctx, s, models[sc], P(in).list(), in)
		})
	}
}

func page[T any](ctx context.Context, s *server, m *model, p *ListParams, input any) (*listOutput[T], error) {
	connector := connectorOf(ctx)
	name := connector.ID.String() + " " + string(m.scope)
	q, err := s.query(connector.ID, m.scope, name, p, input)
	if err != nil {
		return nil, err
	}
	w, err := wanted(m, p.want(), input)
	if err != nil {
		return nil, err
	}
	records, err := s.cfg.Store.Read(ctx, q)
	if err != nil {
		return nil, err
	}
	out := &listOutput[T]{}
	if out.Watermark, out.State, err = s.freshness(ctx, *connector, m.scope); err != nil {
		return nil, err
	}
	if len(records) > p.PageSize {
		records = records[:p.PageSize]
		cursor := s.cfg.Store.Cursor(name, records[p.PageSize-1].Position())
		out.Body.Cursor = &cursor
	}
	built, err := s.build(ctx, connector.ID, m, records, w)
	if err != nil {
		return nil, err
	}
	out.Body.PageSize, out.Body.Items = len(built), make([]*T, len(built))
	for i, b := range built {
		out.Body.Items[i] = b.(*T)
	}
	return out, nil
}

// query turns a request's parameters into the store's: one record more than the page holds tells whether there
// is another page.
func (s *server) query(connector uuid.UUID, sc unified.Scope, name string, p *ListParams, input any) (store.ReadQuery, error) {
	q := store.ReadQuery{
		Connector: connector, Scope: sc, Limit: p.PageSize + 1, Raw: p.Raw, Deleted: p.IncludeDeleted,
		ModifiedAfter: p.ModifiedAfter.Time, ModifiedBefore: p.ModifiedBefore.Time,
	}
	var err error
	if q.After, err = s.position(name, p.Cursor); err != nil {
		return q, err
	}
	if len(p.IDs) > 0 {
		if q.IDs, err = uuids("ids", p.IDs); err != nil {
			return q, err
		}
	}
	if p.RemoteID != "" {
		q.RemoteIDs = []string{p.RemoteID}
	}
	q.Where, err = conditions(input)
	return q, err
}

// position reads a cursor of the list that name names; nil: the start.
func (s *server) position(name, cursor string) (*store.Position, error) {
	if cursor == "" {
		return nil, nil
	}
	p, err := s.cfg.Store.Position(name, cursor)
	if err != nil {
		return nil, badCursor("cursor")
	}
	return &p, nil
}

func badCursor(param string) error {
	return invalid("query", param, "value_error", "not a cursor of this list: start again without one", nil)
}

func wanted(m *model, w want, input any) (want, error) {
	var err error
	if e, ok := input.(interface{ expansion() string }); ok {
		w.expand, err = m.parseExpand(e.expansion())
	}
	return w, err
}

// build makes the API's records, relations expanded.
func (s *server) build(ctx context.Context, connector uuid.UUID, m *model, records []store.Record, w want) ([]any, error) {
	built := make([]any, len(records))
	for i, r := range records {
		var err error
		if built[i], err = m.build(r, w, s.cfg.PublicURL); err != nil {
			return nil, err
		}
	}
	return built, s.expand(ctx, connector, m, built, w)
}

// get registers a scope's single record.
func get[T, I any, P recordInput[I]](sc unified.Scope) func(*server, huma.Operation) {
	return func(s *server, op huma.Operation) {
		m := models[sc]
		register(s, op, func(ctx context.Context, in *I) (*recordOutput[T], error) {
			p := P(in).record()
			w, err := wanted(m, p.want(), in)
			if err != nil {
				return nil, err
			}
			id, err := uuid.Parse(P(in).id())
			if err != nil {
				return nil, invalid("path", "id", "uuid_parsing", "expected an id (UUID)", nil)
			}
			connector := connectorOf(ctx).ID
			records, err := s.cfg.Store.Read(ctx, store.ReadQuery{Connector: connector, Scope: sc, IDs: []uuid.UUID{id}, Raw: p.Raw, Deleted: p.IncludeDeleted})
			if err != nil {
				return nil, err
			}
			if len(records) == 0 {
				return nil, errNotFound
			}
			built, err := s.build(ctx, connector, m, records, w)
			if err != nil {
				return nil, err
			}
			return &recordOutput[T]{Body: built[0].(*T)}, nil
		})
	}
}
