package store

import (
	"encoding/binary"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strconv"
	"time"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgtype"

	"github.com/leversync/leversync/store/unified"
)

// Record is a record as it reads now: relations to what is not there are null, or left out of their list. Its
// fields are kept as Postgres sent them, and become JSON without a detour.
type Record struct {
	ID         uuid.UUID
	RemoteID   string
	ModifiedAt time.Time
	DeletedAt  *time.Time
	Raw        json.RawMessage // nil: not asked for, or none

	fields []readField
	kept   []byte  // the columns, in Postgres's binary form, one behind the other
	ends   []int32 // where each ends in it; one that is null has its end below zero, less one
}

// Size is about how many bytes the record's content has.
func (r *Record) Size() int { return len(r.kept) }

// column is what a column holds; nil is null.
func (r *Record) column(i int) []byte {
	end, start := r.ends[i], int32(0)
	if end < 0 {
		return nil
	}
	if i > 0 {
		start = max(r.ends[i-1], -r.ends[i-1]-1)
	}
	return r.kept[start:end:end]
}

// value is what a field holds; nil is null.
func (r *Record) value(field int) []byte { return r.column(envelopeColumns + field) }

// Position is the record's place in its list.
func (r *Record) Position() Position { return Position{At: r.ModifiedAt, ID: r.ID} }

// Field is where a scope's records have a field, by its name in the API; -1: they have none.
func Field(sc unified.Scope, name string) int {
	for i, f := range readers[sc].fields {
		if f.name == name {
			return i
		}
	}
	return -1
}

// AppendField appends a field to a JSON text: null, a string, a number, a boolean, a time as unified.TimeLayout, an
// id, or a list of texts, ids or objects.
func (r *Record) AppendField(b []byte, field int) []byte {
	v := r.value(field)
	if v == nil {
		return append(b, "null"...)
	}
	return r.fields[field].append(b, v)
}

// Body is the record as a JSON object: its fields by their names in the API, and of the envelope all but the raw body.
func (r *Record) Body() json.RawMessage {
	b := AppendID([]byte(`{"id":`), r.ID)
	b = AppendText(append(b, `,"remote_id":`...), r.RemoteID)
	b = AppendTime(append(b, `,"modified_at":`...), r.ModifiedAt)
	if r.DeletedAt != nil {
		b = AppendTime(append(b, `,"deleted_at":`...), *r.DeletedAt)
	}
	for i, f := range r.fields {
		b = append(AppendText(append(b, ','), f.name), ':')
		b = r.AppendField(b, i)
	}
	return append(b, '}')
}

// Related are the ids that a field holds: of one relation, or of a list.
func (r *Record) Related(field int) []uuid.UUID {
	v := r.value(field)
	switch {
	case v == nil:
		return nil
	case len(v) == 16: // a list has a header of 12 bytes, and 20 for each of its ids after 8 more
		return []uuid.UUID{uuid.UUID(v)}
	}
	var ids []uuid.UUID
	elements(v, func(e []byte) { ids = append(ids, uuid.UUID(e)) })
	return ids
}

// envelopeColumns come before the fields.
const envelopeColumns = 5

// collect reads rows of an envelope and fields.
func collect(rows pgx.Rows, r *reader) ([]Record, error) {
	defer rows.Close()
	var out []Record
	for rows.Next() {
		from, about := rows.RawValues(), rows.FieldDescriptions()
		size := 0
		for _, v := range from {
			size += len(v)
		}
		// A slice for each column would be most of what a page takes, and all of it is looked through by each collection.
		rec := Record{fields: r.fields, kept: make([]byte, 0, size), ends: make([]int32, len(from))}
		for i, v := range from {
			if v == nil {
				rec.ends[i] = -int32(len(rec.kept)) - 1
				continue
			}
			v, err := toBinary(rows, about[i], v)
			if err != nil {
				return nil, err
			}
			rec.kept = append(rec.kept, v...)
			rec.ends[i] = int32(len(rec.kept))
		}
		rec.ID, rec.RemoteID, rec.ModifiedAt, rec.Raw = uuid.UUID(rec.column(0)), string(rec.column(1)), moment(rec.column(2)), rec.column(4)
		if v := rec.column(3); v != nil {
			at := moment(v)
			rec.DeletedAt = &at
		}
		out = append(out, rec)
	}
	return out, rows.Err()
}

// toBinary brings a value into the binary form, JSON into a text. Most come so; by the simple protocol, which some
// poolers of connections ask for, all are texts.
func toBinary(rows pgx.Rows, f pgconn.FieldDescription, v []byte) ([]byte, error) {
	switch {
	case f.DataTypeOID == pgtype.JSONBOID && f.Format == pgtype.BinaryFormatCode:
		return v[1:], nil
	case f.DataTypeOID == pgtype.JSONBOID, f.DataTypeOID == pgtype.TextOID, f.Format == pgtype.BinaryFormatCode:
		return v, nil
	}
	m := rows.Conn().TypeMap()
	t, ok := m.TypeForOID(f.DataTypeOID)
	if !ok {
		return nil, fmt.Errorf("column %s: unknown type %d", f.Name, f.DataTypeOID)
	}
	x, err := t.Codec.DecodeValue(m, f.DataTypeOID, f.Format, v)
	if err != nil {
		return nil, err
	}
	return m.Encode(f.DataTypeOID, pgtype.BinaryFormatCode, x, make([]byte, 0, len(v)))
}

// epoch is where Postgres's times begin, in microseconds.
var epoch = time.Date(2000, 1, 1, 0, 0, 0, 0, time.UTC).UnixMicro()

func moment(v []byte) time.Time {
	return time.UnixMicro(epoch + int64(binary.BigEndian.Uint64(v))).UTC()
}

// elements calls fn with each element of a list that holds no null.
func elements(v []byte, fn func([]byte)) {
	if binary.BigEndian.Uint32(v) == 0 { // no dimension: an empty list
		return
	}
	n := binary.BigEndian.Uint32(v[12:])
	v = v[20:]
	for range n {
		size := binary.BigEndian.Uint32(v)
		fn(v[4 : 4+size])
		v = v[4+size:]
	}
}

// appendList makes a JSON list of an array.
func appendList(b, v []byte, element func(b, v []byte) []byte) []byte {
	b = append(b, '[')
	first := len(b)
	elements(v, func(e []byte) {
		if len(b) > first {
			b = append(b, ',')
		}
		b = element(b, e)
	})
	return append(b, ']')
}

func appendTexts(b, v []byte) []byte { return appendList(b, v, AppendText) }

func appendIDs(b, v []byte) []byte { return appendList(b, v, appendID) }

func appendID(b, v []byte) []byte { return AppendID(b, uuid.UUID(v)) }

func appendJSON(b, v []byte) []byte { return append(b, v...) }

func appendBool(b, v []byte) []byte { return strconv.AppendBool(b, v[0] != 0) }

func appendInt(b, v []byte) []byte {
	return strconv.AppendInt(b, int64(int32(binary.BigEndian.Uint32(v))), 10)
}

func appendTime(b, v []byte) []byte { return AppendTime(b, moment(v)) }

// AppendTime appends a time to a JSON text, as the API gives it.
func AppendTime(b []byte, t time.Time) []byte {
	b = append(b, '"')
	b = t.UTC().AppendFormat(b, unified.TimeLayout)
	return append(b, '"')
}

// AppendID appends an id to a JSON text.
func AppendID(b []byte, id uuid.UUID) []byte {
	b = append(b, '"')
	for i, part := range [][]byte{id[:4], id[4:6], id[6:8], id[8:10], id[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return append(b, '"')
}

// AppendText appends a text, which is UTF-8 as all of Postgres's is, to a JSON text.
func AppendText[T []byte | string](b []byte, s T) []byte {
	b = append(b, '"')
	from := 0
	for i := range len(s) {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		default:
			b = fmt.Appendf(b, `\u%04x`, c)
		}
	}
	return append(append(b, s[from:]...), '"')
}
