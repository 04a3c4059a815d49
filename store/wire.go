package store

import (
	"context"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// prepare makes a new connection ready.
func prepare(ctx context.Context, conn *pgx.Conn) error {
	sendUUIDsAsBytes(conn.TypeMap())
	return goOn(ctx, conn)
}

func sendUUIDsAsBytes(m *pgtype.Map) {
	m.TryWrapEncodePlanFuncs = append([]pgtype.TryWrapEncodePlanFunc{wrapUUID}, m.TryWrapEncodePlanFuncs...)
}

// wireUUID is a UUID that is sent as the 16 bytes that it is. As a driver.Valuer, which pgx would take it for, it is
// written as text first, and parsed again: a tenth of what a page of records takes.
type wireUUID uuid.UUID

// UUIDValue implements pgtype.UUIDValuer.
func (u wireUUID) UUIDValue() (pgtype.UUID, error) { return pgtype.UUID{Bytes: u, Valid: true}, nil }

type encodeUUID struct{ next pgtype.EncodePlan }

func (p *encodeUUID) SetNext(next pgtype.EncodePlan) { p.next = next }

func (p *encodeUUID) Encode(value any, buf []byte) ([]byte, error) {
	u, _ := wired(value)
	return p.next.Encode(u, buf)
}

func wrapUUID(value any) (pgtype.WrappedEncodePlanNextSetter, any, bool) {
	u, ok := wired(value)
	return &encodeUUID{}, u, ok
}

// wired is a UUID, or what a pointer points to, as it is sent; false: it is neither. A pointer to none counts as one: pgx asks
// with that how the elements of an array are encoded, and keeps the answer. It encodes none of those itself.
func wired(value any) (wireUUID, bool) {
	switch v := value.(type) {
	case uuid.UUID:
		return wireUUID(v), true
	case *uuid.UUID:
		if v == nil {
			return wireUUID{}, true
		}
		return wireUUID(*v), true
	}
	return wireUUID{}, false
}
