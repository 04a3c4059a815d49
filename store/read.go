package store

import (
	"context"
	"encoding/json"
	"fmt"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"

	"github.com/leversync/leversync/store/unified"
)

// ReadQuery asks for records of one scope of one connector, as the API gives them. Zero fields do not narrow.
//
// The order is (modified_at, id). A record that changes moves towards the end, so a reader that pages meets
// every record that stays as it is exactly once, and one that changes at least once.
type ReadQuery struct {
	Connector      uuid.UUID
	Scope          unified.Scope
	After          *Position // nil: from the start
	Limit          int       // 0: no limit; only with IDs
	IDs            []uuid.UUID
	RemoteIDs      []string
	ModifiedAfter  time.Time // later than this
	ModifiedBefore time.Time // earlier than this
	Deleted        bool      // those gone at the source too
	Raw            bool      // with Lever's own body
	Where          []Condition
}

// Condition narrows by one field. Its values are alternatives.
type Condition struct {
	Field  string
	Match  Match
	Values any // []uuid.UUID for Related, else []string
}

// Match is how a Condition compares.
type Match int

// The ways to compare.
const (
	Equal   Match = iota // the very text
	Folded               // the text, whatever its case
	AnyFold              // one of a list of texts, whatever its case
	Related              // the relation, or one of its list
)

// Record is a record as it reads now: relations to what is not there are null, or left out of their list.
type Record struct {
	ID         uuid.UUID
	RemoteID   string
	ModifiedAt time.Time
	DeletedAt  *time.Time
	Raw        json.RawMessage // nil: not asked for, or none
	// Fields are the model's, by their names in the API: nil, *string, *bool, *int, *time.Time, []string,
	// json.RawMessage, *uuid.UUID, []uuid.UUID.
	Fields map[string]any
}

// Position is the record's place in its list.
func (r Record) Position() Position { return Position{At: r.ModifiedAt, ID: r.ID} }

// Read returns records in the order of the list.
func (s *Store) Read(ctx context.Context, q ReadQuery) ([]Record, error) {
	return s.read(ctx, s.pool, q)
}

func (s *Store) read(ctx context.Context, db querier, q ReadQuery) ([]Record, error) {
	sql, args := q.sql()
	rows, err := db.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", q.Scope, err)
	}
	fields := readers[q.Scope].fields
	out, err := pgx.CollectRows(rows, func(row pgx.CollectableRow) (Record, error) {
		r := Record{Fields: make(map[string]any, len(fields))}
		into := []any{&r.ID, &r.RemoteID, &r.ModifiedAt, &r.DeletedAt, &r.Raw}
		values := make([]reflect.Value, len(fields))
		for i, f := range fields {
			values[i] = reflect.New(f.kind)
			into = append(into, values[i].Interface())
		}
		if err := row.Scan(into...); err != nil {
			return r, err
		}
		for i, f := range fields {
			r.Fields[f.name] = nil
			if v := values[i].Elem(); !v.IsNil() {
				r.Fields[f.name] = v.Interface()
			}
		}
		return r, nil
	})
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", q.Scope, err)
	}
	return out, nil
}

// query gathers a statement and its arguments.
type query struct {
	sql  strings.Builder
	args []any
}

// arg adds an argument and returns its placeholder.
func (q *query) arg(v any) string {
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// sql is the statement. The page is cut before any relation is looked at.
func (q ReadQuery) sql() (string, []any) {
	r := readers[q.Scope]
	s := &query{}
	connector := s.arg(q.Connector)
	fmt.Fprintf(&s.sql, "WITH t AS MATERIALIZED (SELECT * FROM %s t WHERE t.connector_id = %s", r.table, connector)
	if !q.Deleted {
		s.sql.WriteString(" AND t.deleted_at IS NULL")
	}
	if q.After != nil {
		fmt.Fprintf(&s.sql, " AND (t.modified_at, t.id) > (%s, %s)", s.arg(q.After.At), s.arg(q.After.ID))
	}
	if q.IDs != nil {
		fmt.Fprintf(&s.sql, " AND t.id = ANY(%s)", s.arg(q.IDs))
	}
	if q.RemoteIDs != nil {
		fmt.Fprintf(&s.sql, " AND t.id = ANY(%s)", s.arg(idsOf(q.Connector, q.Scope, q.RemoteIDs)))
	}
	if !q.ModifiedAfter.IsZero() {
		fmt.Fprintf(&s.sql, " AND t.modified_at > %s", s.arg(q.ModifiedAfter))
	}
	if !q.ModifiedBefore.IsZero() {
		fmt.Fprintf(&s.sql, " AND t.modified_at < %s", s.arg(q.ModifiedBefore))
	}
	for _, c := range q.Where {
		s.sql.WriteString(" AND ")
		s.sql.WriteString(r.condition(s, connector, c))
	}
	s.sql.WriteString(" ORDER BY t.modified_at, t.id")
	if q.Limit > 0 {
		fmt.Fprintf(&s.sql, " LIMIT %s", s.arg(q.Limit))
	}
	s.sql.WriteString(")\nSELECT t.id, t.remote_id, t.modified_at, t.deleted_at, ")
	raw := "NULL::jsonb"
	if q.Raw {
		raw = r.raw
	}
	s.sql.WriteString(raw)
	for _, f := range r.fields {
		s.sql.WriteString(",\n    ")
		s.sql.WriteString(f.sql)
	}
	s.sql.WriteString("\nFROM t ORDER BY t.modified_at, t.id")
	return s.sql.String(), s.args
}

// idsOf are the ids of records by their remote ids: no index on those is needed.
func idsOf(connector uuid.UUID, sc unified.Scope, remote []string) []uuid.UUID {
	ids := make([]uuid.UUID, len(remote))
	for i, r := range remote {
		ids[i] = unified.ID(connector, sc, r)
	}
	return ids
}
