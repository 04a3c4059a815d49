package store

import (
	"reflect"
	"testing"

	"github.com/google/uuid"
	"github.com/jackc/pgx/v5"
	"github.com/jackc/pgx/v5/pgtype"
)

// An array of UUIDs of which some are null travels as bytes, too: how its elements are encoded is asked with a pointer to none.
func TestNullableUUIDsTravelAsBytes(t *testing.T) {
	m := pgtype.NewMap()
	sendUUIDsAsBytes(m)
	id := uuid.MustParse("8d0c2f8e-70f4-5b0e-9c57-6a1a5f0e4b11")
	ids := pgtype.FlatArray[*uuid.UUID]{nil, &id, nil}
	buf, err := m.Encode(pgtype.UUIDArrayOID, pgx.BinaryFormatCode, ids, nil)
	if err != nil {
		t.Fatal(err)
	}
	var got []*uuid.UUID
	if err := m.Scan(pgtype.UUIDArrayOID, pgx.BinaryFormatCode, buf, &got); err != nil {
		t.Fatal(err)
	}
	if len(got) != 3 || got[0] != nil || got[2] != nil || got[1] == nil || *got[1] != id {
		t.Errorf("sent %v, got %v", ids, got)
	}
	if plan := m.PlanEncode(pgtype.UUIDOID, pgx.BinaryFormatCode, &id); reflect.TypeOf(plan) != reflect.TypeFor[*encodeUUID]() {
		t.Errorf("a pointer to a UUID is encoded by %T", plan)
	}
}
