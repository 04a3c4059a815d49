package api

import (
	"context"
	"errors"
	"io"
	"reflect"
	"strconv"
	"sync"

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
	Body      made[List[*T]]
}

type recordOutput[T any] struct{ Body made[T] }

// made is the JSON of a T, made without one. It is written once, and then its room serves another.
type made[T any] []byte

// Schema is that of a T.
func (made[T]) Schema(r huma.Registry) *huma.Schema { return r.Schema(reflect.TypeFor[T](), true, "") }

func (m made[T]) text() []byte { return m }

// bodies are rooms that answers were made in. Without them the garbage of some thousand pages a second is what the
// slowest wait for.
var bodies sync.Pool

// room is an empty text that n bytes fit into.
func room(n int) []byte {
	if b, ok := bodies.Get().(*[]byte); ok && cap(*b) >= n {
		return (*b)[:0]
	}
	return make([]byte, 0, n)
}

// maxRoom is the largest that is kept for another answer.
const maxRoom = 1 << 20

// jsonFormat writes what is made already as it is, and all else as huma does.
var jsonFormat = huma.Format{
	Marshal: func(w io.Writer, v any) error {
		if m, ok := v.(interface{ text() []byte }); ok {
			b := m.text()
			_, err := w.Write(b)
			if cap(b) <= maxRoom {
				bodies.Put(&b)
			}
			return err
		}
		return huma.DefaultJSONFormat.Marshal(w, v)
	},
	Unmarshal: huma.DefaultJSONFormat.Unmarshal,
}

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
	found, err := s.cfg.Store.Page(ctx, q)
	if errors.Is(err, store.ErrNotFound) {
		return nil, errToken // it was deleted a moment ago
	}
	if err != nil {
		return nil, err
	}
	out := &listOutput[T]{State: stateOK}
	if m.scope != unified.Activities { // no sync brings those: all there are, are here
		out.State = scopeState(found.ConnectorStatus, found.Scope)
	}
	if at := found.Scope.SyncedAt; at != nil {
		out.Watermark = at.UTC().Format(unified.TimeLayout)
	}
	records, cursor := found.Records, ""
	if len(records) > p.PageSize {
		records = records[:p.PageSize]
		cursor = s.cfg.Store.Cursor(name, records[p.PageSize-1].Position())
	}
	expanded, err := s.expand(ctx, connector.ID, m, records, w)
	if err != nil {
		return nil, err
	}
	out.Body = s.makeList(m, records, cursor, w, expanded)
	return out, nil
}

// makeList is a List as JSON; cursor "" is null.
func (s *server) makeList(m *model, records []store.Record, cursor string, w want, expanded map[string]objects) []byte {
	size := 200
	for i := range records {
		size += records[i].Size() + 32*(len(m.fields)+8)
	}
	b := append(room(size), `{"cursor":`...)
	if cursor == "" {
		b = append(b, "null"...)
	} else {
		b = store.AppendText(b, cursor)
	}
	b = strconv.AppendInt(append(b, `,"page_size":`...), int64(len(records)), 10)
	b = append(b, `,"items":[`...)
	for i := range records {
		if i > 0 {
			b = append(b, ',')
		}
		b = s.appendRecord(b, m, &records[i], w, expanded)
	}
	return append(b, "]}\n"...)
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
			expanded, err := s.expand(ctx, connector, m, records, w)
			if err != nil {
				return nil, err
			}
			return &recordOutput[T]{Body: append(s.appendRecord(nil, m, &records[0], w, expanded), '\n')}, nil
		})
	}
}
