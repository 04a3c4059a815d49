package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
	"github.com/google/uuid"
)

// Relation is another record: null, its id, or where it was expanded the record itself.
type Relation[T any] struct {
	ID     *uuid.UUID
	Object any // *T, or some of its fields
}

// MarshalJSON is null, the id, or the object.
func (r Relation[T]) MarshalJSON() ([]byte, error) {
	if r.Object != nil {
		return json.Marshal(r.Object)
	}
	return json.Marshal(r.ID)
}

// Schema is anything that a relation may be.
func (Relation[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{AnyOf: append(relationTo[T](r), &huma.Schema{Type: "null"})}
}

func relationTo[T any](r huma.Registry) []*huma.Schema {
	return []*huma.Schema{
		{Type: huma.TypeString, Format: "uuid"},
		r.Schema(reflect.TypeFor[T](), true, ""),
	}
}

// Relations is a list of other records.
type Relations[T any] []Relation[T]

// Schema is a list of ids, or of objects where it was expanded.
func (Relations[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Items: &huma.Schema{AnyOf: relationTo[T](r)}}
}

// related is a field that holds relations.
type related interface {
	load(value any)                  // of a store.Record: *uuid.UUID or []uuid.UUID
	ids() []uuid.UUID                // what it leads to
	expand(find func(uuid.UUID) any) // puts objects in the place of ids; what is not found goes
	model() reflect.Type             // of the target
}

func (r *Relation[T]) load(value any) {
	if id, ok := value.(*uuid.UUID); ok {
		r.ID = id
	}
}

func (r *Relation[T]) ids() []uuid.UUID {
	if r.ID == nil {
		return nil
	}
	return []uuid.UUID{*r.ID}
}

func (r *Relation[T]) expand(find func(uuid.UUID) any) {
	if r.ID == nil {
		return
	}
	if r.Object = find(*r.ID); r.Object == nil {
		r.ID = nil
	}
}

func (*Relation[T]) model() reflect.Type { return reflect.TypeFor[T]() }

func (r *Relations[T]) load(value any) {
	list, _ := value.([]uuid.UUID)
	*r = make(Relations[T], len(list))
	for i := range list {
		(*r)[i].ID = &list[i]
	}
}

func (r *Relations[T]) ids() []uuid.UUID {
	ids := make([]uuid.UUID, len(*r))
	for i, x := range *r {
		ids[i] = *x.ID
	}
	return ids
}

func (r *Relations[T]) expand(find func(uuid.UUID) any) {
	out := make(Relations[T], 0, len(*r))
	for _, x := range *r {
		if x.Object = find(*x.ID); x.Object != nil {
			out = append(out, x)
		}
	}
	*r = out
}

func (*Relations[T]) model() reflect.Type { return reflect.TypeFor[T]() }

// Object is any JSON object, as it came; nil is null.
type Object json.RawMessage

// MarshalJSON is the object itself.
func (o Object) MarshalJSON() ([]byte, error) {
	if o == nil {
		return []byte("null"), nil
	}
	return o, nil
}

// Schema is an object or null.
func (Object) Schema(huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeObject, Nullable: true, AdditionalProperties: true}
}

// ListOf is a list of small objects as the store has it, in JSON; nil is null.
type ListOf[T any] json.RawMessage

// MarshalJSON is the list itself.
func (l ListOf[T]) MarshalJSON() ([]byte, error) { return Object(l).MarshalJSON() }

// Schema is a list or null.
func (ListOf[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Nullable: true, Items: r.Schema(reflect.TypeFor[T](), true, "")}
}

func (l *ListOf[T]) loadRaw(b json.RawMessage) { *l = ListOf[T](b) }
