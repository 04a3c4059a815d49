package store

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"

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

// Page is one page of a list.
type Page struct {
	Records         []Record
	Scope           ScopeStatus // zero for activities, which are no scope
	ConnectorStatus string
}

// listOf names a list.
type listOf struct {
	connector uuid.UUID
	scope     unified.Scope
}

// standing is how a list stood.
type standing struct {
	ScopeStatus
	ConnectorStatus string
}

// Page returns records in the order of the list, and how the list's scope stands. It is asked right before the records, but in
// the midst of a list, where it may be how it stood up to RecognizedFor before: what a reader concludes at the end of a list,
// they conclude from the last page.
func (s *Store) Page(ctx context.Context, q ReadQuery) (Page, error) {
	q, err := s.beforeWall(ctx, q)
	var p Page
	if err == nil {
		p, err = s.page(ctx, q)
	}
	if err != nil {
		return Page{}, fmt.Errorf("store: read %s: %w", q.Scope, err)
	}
	return p, nil
}

func (s *Store) page(ctx context.Context, q ReadQuery) (Page, error) {
	of, began := listOf{q.Connector, q.Scope}, time.Now()
	if q.After != nil && q.Limit > 0 {
		if st, ok := s.standings.get(of, began); ok {
			p := Page{Scope: st.ScopeStatus, ConnectorStatus: st.ConnectorStatus}
			err := s.behind(ctx, q.Connector, func(b *pgx.Batch) { q.queue(b, &p.Records) })
			if err != nil || len(p.Records) == q.Limit {
				return p, err
			}
		}
	}
	var p Page
	var states []standing
	err := s.behind(ctx, q.Connector, func(b *pgx.Batch) {
		if q.Scope == unified.Activities {
			queue(b, &states, `SELECT status AS connector_status FROM connectors WHERE id = $1`, wireID(q.Connector))
		} else {
			queue(b, &states, `SELECT `+prefixed("s", scopeColumns)+`, c.status AS connector_status
FROM connector_scopes s JOIN connectors c ON c.id = s.connector_id WHERE s.connector_id = $1 AND s.scope = $2`, wireID(q.Connector), string(q.Scope))
		}
		q.queue(b, &p.Records)
	})
	if err != nil {
		return p, err
	}
	if len(states) == 0 {
		return p, ErrNotFound // the connector went away
	}
	p.Scope, p.ConnectorStatus = states[0].ScopeStatus, states[0].ConnectorStatus
	s.standings.put(of, states[0], began)
	return p, nil
}

// Read returns records in the order of the list.
func (s *Store) Read(ctx context.Context, q ReadQuery) ([]Record, error) {
	all, err := s.ReadAll(ctx, q.Connector, []ReadQuery{q})
	if err != nil {
		return nil, err
	}
	return all[0], nil
}

// ReadAll answers several questions about one connector in one round trip.
func (s *Store) ReadAll(ctx context.Context, connector uuid.UUID, qs []ReadQuery) ([][]Record, error) {
	out := make([][]Record, len(qs))
	if len(qs) == 0 {
		return out, nil
	}
	err := s.behind(ctx, connector, func(b *pgx.Batch) {
		for i, q := range qs {
			q.queue(b, &out[i])
		}
	})
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", qs[0].Scope, err)
	}
	return out, nil
}

// readIn is Read in a transaction of ours, this side of the wall.
func readIn(ctx context.Context, tx pgx.Tx, q ReadQuery) ([]Record, error) {
	sql, args := q.SQL()
	rows, err := tx.Query(ctx, sql, args...)
	if err != nil {
		return nil, fmt.Errorf("store: read %s: %w", q.Scope, err)
	}
	return collect(rows, readers[q.Scope])
}

func (q ReadQuery) queue(b *pgx.Batch, into *[]Record) {
	sql, args := q.SQL()
	b.Queue(sql, args...).Query(func(rows pgx.Rows) (err error) {
		*into, err = collect(rows, readers[q.Scope])
		return err
	})
}

// byText are the conditions whose index can't be used behind the wall: comparing without case may leak. How they
// find the ids of one connector's records.
var byText = map[unified.Scope]map[string]string{
	unified.Candidates:  {"email_addresses": "SELECT id FROM candidates WHERE connector_id = $1 AND lower_all(email_addresses) && lower_all($2)"},
	unified.RemoteUsers: {"email": "SELECT id FROM remote_users WHERE connector_id = $1 AND lower(email) = ANY(lower_all($2))"},
}

// beforeWall puts ids in the place of such conditions. What they lead to is read behind the wall as all else.
func (s *Store) beforeWall(ctx context.Context, q ReadQuery) (ReadQuery, error) {
	for _, c := range q.Where {
		sql, ok := byText[q.Scope][c.Field]
		if !ok {
			continue
		}
		rows, err := s.pool.Query(ctx, sql, q.Connector, c.Values)
		if err != nil {
			return q, err
		}
		found, err := pgx.CollectRows(rows, pgx.RowTo[uuid.UUID])
		if err != nil {
			return q, err
		}
		if q.IDs != nil {
			found = slices.DeleteFunc(found, func(id uuid.UUID) bool { return !slices.Contains(q.IDs, id) })
		}
		q.IDs = append([]uuid.UUID{}, found...)
	}
	return q, nil
}

// query gathers a statement and its arguments.
type query struct {
	sql  strings.Builder
	args []any
}

// arg adds an argument and returns its placeholder.
func (q *query) arg(v any) string {
	if id, ok := v.(uuid.UUID); ok {
		v = wireID(id)
	}
	q.args = append(q.args, v)
	return fmt.Sprintf("$%d", len(q.args))
}

// wireID is an id as pgx takes it fastest: a uuid.UUID goes by way of a text.
func wireID(id uuid.UUID) pgtype.UUID { return pgtype.UUID{Bytes: id, Valid: true} }

// SQL is the statement, and its arguments. The page is cut before any relation is looked at.
func (q ReadQuery) SQL() (string, []any) {
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
		// No argument: with one the planner expects a tenth of the list, takes the plan that fits all values for dear,
		// and plans every page anew, which costs as much as the page.
		fmt.Fprintf(&s.sql, " LIMIT %d", q.Limit)
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
