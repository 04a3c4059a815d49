package store

import (
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/leversync/leversync/store/unified"
)

// table is one scope's table: its body columns, and the statement that writes a page of records.
type table struct {
	scope   unified.Scope
	name    string
	columns []column
	insert  string // what is not there yet, and returns its ids
	upsert  string
}

// column is a field of a unified struct.
type column struct {
	name   string
	index  int
	kind   kind
	typ    reflect.Type
	public bool // in the API
}

// kind is how a field travels: as which array type, cast to which column type.
type kind struct{ wire, cast string }

var kinds = map[reflect.Type]kind{
	reflect.TypeFor[string]():           {"text[]", ""},
	reflect.TypeFor[*string]():          {"text[]", ""},
	reflect.TypeFor[*bool]():            {"boolean[]", ""},
	reflect.TypeFor[*int]():             {"integer[]", ""},
	reflect.TypeFor[*unified.Time]():    {"timestamptz[]", ""},
	reflect.TypeFor[*uuid.UUID]():       {"uuid[]", ""},
	reflect.TypeFor[[]string]():         {"text[]", "text[]"}, // unnest would flatten an array of arrays
	reflect.TypeFor[[]uuid.UUID]():      {"text[]", "uuid[]"},
	reflect.TypeFor[[]unified.URL]():    {"jsonb[]", ""},
	reflect.TypeFor[[]unified.Option](): {"jsonb[]", ""},
}

var tables = func() map[unified.Scope]*table {
	m := map[unified.Scope]*table{}
	for _, r := range []unified.Record{
		&unified.Application{}, &unified.Attachment{}, &unified.Candidate{}, &unified.Department{}, &unified.EEOC{},
		&unified.Job{}, &unified.JobInterviewStage{}, &unified.Offer{}, &unified.Office{}, &unified.RejectReason{},
		&unified.RemoteUser{}, &unified.ScheduledInterview{}, &unified.Scorecard{}, &unified.ScreeningQuestion{}, &unified.Tag{},
	} {
		m[r.Scope()] = newTable(r)
	}
	return m
}()

func newTable(r unified.Record) *table {
	t := &table{scope: r.Scope(), name: r.Scope().Table()}
	t.columns = columnsOf(t.name, reflect.TypeOf(r).Elem())
	t.insert, t.upsert = t.writeSQL()
	return t
}

// columnsOf are the columns of a unified struct's fields.
func columnsOf(table string, rt reflect.Type) []column {
	var out []column
	for i := range rt.NumField() {
		f := rt.Field(i)
		if f.Anonymous {
			continue
		}
		name := f.Tag.Get("db")
		if name == "" {
			name = f.Tag.Get("json")
		}
		k, ok := kinds[f.Type]
		if !ok {
			panic(fmt.Sprintf("store: %s.%s: no column type for %s", table, f.Name, f.Type))
		}
		out = append(out, column{name: name, index: i, kind: k, typ: f.Type, public: f.Tag.Get("json") != "-"})
	}
	return out
}

// writeSQL is how new, and how new and changed records of one page are written in one statement. modified_at moves only
// with the body; a record whose raw payload alone changed keeps it.
func (t *table) writeSQL() (insert, upsert string) {
	names := []string{"id", "remote_id", "parent", "raw", "raw_hash", "body_hash"}
	wires := []string{"uuid[]", "text[]", "text[]", "jsonb[]", "bytea[]", "bytea[]"}
	casts := make([]string, len(names))
	for _, c := range t.columns {
		names, wires, casts = append(names, c.name), append(wires, c.kind.wire), append(casts, c.kind.cast)
	}
	var sel, unnest, set []string
	for i, n := range names {
		unnest = append(unnest, fmt.Sprintf("$%d::%s", i+2, wires[i]))
		col := "u." + n
		if casts[i] != "" {
			col += "::" + casts[i]
		}
		sel = append(sel, col)
		if n != "id" {
			set = append(set, fmt.Sprintf("%s = excluded.%s", n, n))
		}
	}
	rows := fmt.Sprintf(`INSERT INTO %[1]s AS t (connector_id, %[2]s)
SELECT $1, %[3]s FROM unnest(%[4]s) AS u(%[2]s)
ON CONFLICT (id, connector_id) DO `,
		t.name, strings.Join(names, ", "), strings.Join(sel, ", "), strings.Join(unnest, ", "))
	return rows + "NOTHING RETURNING id", rows + "UPDATE SET " + strings.Join(set, ", ") + `,
    modified_at = CASE WHEN t.body_hash = excluded.body_hash AND t.deleted_at IS NULL THEN t.modified_at ELSE excluded.modified_at END,
    deleted_at = NULL`
}

// row is a record made ready: its hashes, and its fields as they travel.
type row struct {
	rec      unified.Record
	env      *unified.Envelope
	rawHash  []byte
	bodyHash []byte
	values   []any
}

func (t *table) row(r unified.Record) (row, error) {
	out := row{rec: r, env: r.Base(), values: make([]any, len(t.columns))}
	v := reflect.ValueOf(r).Elem()
	h := make([]byte, 0, 1024)
	for i, c := range t.columns {
		val, err := wireValue(v.Field(c.index))
		if err != nil {
			return row{}, err
		}
		out.values[i] = val
		if val == nil {
			continue // null is not hashed: a column that a later release adds changes no hash until it is filled
		}
		h = appendHashed(h, c.name)
		switch x := val.(type) {
		case string:
			h = appendHashed(h, x)
		case uuid.UUID:
			h = appendHashed(h, x.String())
		case bool:
			h = appendHashed(h, strconv.FormatBool(x))
		case time.Time:
			h = appendHashed(h, x.AppendFormat(make([]byte, 0, 32), unified.TimeLayout))
		case json.RawMessage:
			h = appendHashed(h, x)
		default:
			h = appendHashed(h, fmt.Sprint(x))
		}
	}
	h = appendHashed(h, out.env.Parent)
	out.bodyHash = HashRaw(h)
	if out.env.Raw != nil {
		out.rawHash = HashRaw(out.env.Raw)
	}
	return out, nil
}

// appendHashed appends a text to what is hashed, with its length: no two rows are the same bytes.
func appendHashed[T string | []byte | json.RawMessage](h []byte, s T) []byte {
	return append(binary.BigEndian.AppendUint64(h, uint64(len(s))), s...)
}

// HashRaw is the hash by which an unchanged payload is known: 16 bytes of SHA-256.
func HashRaw(raw []byte) []byte {
	sum := sha256.Sum256(raw)
	return sum[:16]
}

// wireValue is a field as pgx sends it within an array: nil, string, bool, int32, time, UUID or JSON.
func wireValue(f reflect.Value) (any, error) {
	switch x := f.Interface().(type) {
	case string:
		return x, nil
	case *string:
		return deref(x), nil
	case *bool:
		return deref(x), nil
	case *int:
		if x == nil {
			return nil, nil
		}
		return int32(*x), nil
	case *uuid.UUID:
		return deref(x), nil
	case *unified.Time:
		if x == nil || x.IsZero() {
			return nil, nil
		}
		return x.UTC().Truncate(time.Millisecond), nil
	case []string:
		if x == nil {
			return nil, nil
		}
		return arrayLiteral(x), nil
	case []uuid.UUID:
		if x == nil {
			return nil, nil
		}
		return uuidArray(x), nil
	case []unified.URL, []unified.Option:
		if f.IsNil() {
			return nil, nil
		}
		b, err := json.Marshal(x)
		return json.RawMessage(b), err
	}
	return nil, fmt.Errorf("store: no wire form for %s", f.Type())
}

func deref[T any](p *T) any {
	if p == nil {
		return nil
	}
	return *p
}

var arrayEscaper = strings.NewReplacer(`\`, `\\`, `"`, `\"`)

// arrayLiteral is Postgres' text form of a one-dimensional array: {"a","b"}.
func arrayLiteral(ss []string) string {
	var b strings.Builder
	b.WriteByte('{')
	for i, s := range ss {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteByte('"')
		_, _ = arrayEscaper.WriteString(&b, s)
		b.WriteByte('"')
	}
	b.WriteByte('}')
	return b.String()
}

func uuidArray(ids []uuid.UUID) string {
	ss := make([]string, len(ids))
	for i, id := range ids {
		ss[i] = id.String()
	}
	return arrayLiteral(ss)
}

// wireArray gathers one column's values into a typed array: pgx needs to know the element.
func wireArray(k kind, vals []any) any {
	switch k.wire {
	case "text[]":
		return typed[string](vals)
	case "boolean[]":
		return typed[bool](vals)
	case "integer[]":
		return typed[int32](vals)
	case "timestamptz[]":
		return typed[time.Time](vals)
	case "uuid[]":
		return typed[uuid.UUID](vals)
	case "jsonb[]":
		return typed[json.RawMessage](vals)
	}
	panic("store: no array of " + k.wire)
}

// typed has a pointer for each value, of which nil ones are null: to one array, and not to as many.
func typed[T any](vals []any) pgtype.FlatArray[*T] {
	out, kept := make(pgtype.FlatArray[*T], len(vals)), make([]T, len(vals))
	for i, v := range vals {
		if v != nil {
			kept[i] = v.(T)
			out[i] = &kept[i]
		}
	}
	return out
}

// args are the upsert's arguments for some rows, sorted by id so that two writers lock in one order.
func (t *table) args(connector uuid.UUID, rows []row) []any {
	slices.SortFunc(rows, func(a, b row) int { return bytes.Compare(a.env.ID[:], b.env.ID[:]) })
	// Flat arrays: pgx finds its way through plain slices by reflection, element by element.
	ids, remotes, parents := make(pgtype.FlatArray[uuid.UUID], len(rows)), make(texts, len(rows)), make(texts, len(rows))
	// Not pointers: pgx would marshal those, and fail where Postgres is to judge.
	raws, rawHashes, bodyHashes := make(pgtype.FlatArray[json.RawMessage], len(rows)), make(pgtype.FlatArray[[]byte], len(rows)), make(pgtype.FlatArray[[]byte], len(rows))
	for i, r := range rows {
		ids[i], remotes[i], parents[i] = r.env.ID, r.env.RemoteID, r.env.Parent
		raws[i], rawHashes[i], bodyHashes[i] = r.env.Raw, r.rawHash, r.bodyHash
	}
	args := []any{connector, ids, remotes, parents, raws, rawHashes, bodyHashes}
	vals := make([]any, len(rows))
	for i, c := range t.columns {
		for j, r := range rows {
			vals[j] = r.values[i]
		}
		args = append(args, wireArray(c.kind, vals))
	}
	return args
}
