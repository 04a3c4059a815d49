package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// Relation is another record: null, its id, or where it was expanded the record itself. As all fields of the models,
// it says what the API gives; what that is made of is store.Record.
type Relation[T any] struct{}

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
	target() reflect.Type // the model that they lead to
}

func (Relation[T]) target() reflect.Type { return reflect.TypeFor[T]() }

func (Relations[T]) target() reflect.Type { return reflect.TypeFor[T]() }

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

// Schema is a list or null.
func (ListOf[T]) Schema(r huma.Registry) *huma.Schema {
	return &huma.Schema{Type: huma.TypeArray, Nullable: true, Items: r.Schema(reflect.TypeFor[T](), true, "")}
}
