package lever

import (
	"bytes"
	"errors"
	"reflect"
	"strings"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// envelope is what a list's answer says beside its records.
type envelope struct {
	hasNext bool
	next    string
}

// Why a body is malformed.
const (
	notJSON       = "not JSON"
	invalidJSON   = "invalid or truncated JSON"
	noData        = "no data in the envelope"
	wrongData     = "data is not what the endpoint answers with"
	wrongNext     = "next is not a token"
	missingNext   = "hasNext without next"
	trailingBytes = "something follows the JSON"
)

type malformed string

func (m malformed) Error() string { return string(m) }

// decodePage reads a list's answer: {"data":[…],"hasNext":…,"next":…}, a bare array, or data with the
// rows one level deeper, as the documentation has it of the EEO responses. It walks once over body.
func decodePage[T any](body []byte) (items []Item[T], env envelope, err error) {
	err = envelopeKeys(body, func(i int) (int, error) {
		items = nil // of two data, which nobody sends, the last one counts
		switch {
		case body[i] == '[':
			return decodeItems(body, i, &items)
		case body[i] == '{':
			found := false
			end, err := object(body, i, func(key []byte, i int) (int, error) {
				if string(key) == "eeoResponses" && i < len(body) && body[i] == '[' {
					found = true
					return decodeItems(body, i, &items)
				}
				return skip(body, i)
			})
			if err == nil && !found { // as an empty list it would say so as well
				err = malformed(wrongData)
			}
			return end, err
		}
		return i, malformed(wrongData) // null, too: no list of Lever's answers so, and it would say that all records are gone
	}, &env)
	return items, env, err
}

// decodeOne reads the answer of a single object: {"data":{…}}.
func decodeOne[T any](body []byte) (item Item[T], err error) {
	err = envelopeKeys(body, func(i int) (int, error) {
		if body[i] != '{' {
			return i, malformed(wrongData)
		}
		var end int
		item, end, err = decodeItem[T](body, i)
		return end, err
	}, nil)
	return item, err
}

// envelopeKeys walks over an envelope and gives data the place of what it holds. A bare array, where a
// list is expected, is its own data. env is nil for a single object.
func envelopeKeys(body []byte, data func(int) (int, error), env *envelope) error {
	i := white(body, len(body)-len(bytes.TrimPrefix(body, []byte("\xEF\xBB\xBF"))))
	if i >= len(body) {
		return malformed("empty")
	}
	var err error
	switch {
	case body[i] == '[' && env != nil:
		i, err = data(i)
	case body[i] == '{':
		i, err = envelopeObject(body, i, data, env)
	case body[i] == '[':
		return malformed(wrongData)
	default:
		return malformed(notJSON)
	}
	if err == nil && white(body, i) != len(body) {
		err = malformed(trailingBytes)
	}
	return err
}

func envelopeObject(body []byte, i int, data func(int) (int, error), env *envelope) (int, error) {
	found := false
	end, err := object(body, i, func(key []byte, i int) (int, error) {
		if i >= len(body) {
			return i, malformed(invalidJSON)
		}
		switch string(key) {
		case "data":
			found = true
			return data(i)
		case "hasNext":
			if env != nil {
				return field(body, i, &env.hasNext)
			}
		case "next":
			if env != nil {
				return field(body, i, &env.next)
			}
		}
		return skip(body, i)
	})
	switch {
	case err != nil:
		return end, err
	case !found:
		return end, malformed(noData)
	case env != nil && env.hasNext && env.next == "":
		return end, malformed(missingNext) // to stop here would look like the list's end
	}
	return end, nil
}

// field decodes a small value of the envelope.
func field(body []byte, i int, v any) (int, error) {
	end, err := skip(body, i)
	if err != nil {
		return end, err
	}
	if decodeJSON(body[i:end], v) != nil {
		return end, malformed(wrongNext)
	}
	return end, nil
}

// decodeItems reads the array at i, each record on its own.
func decodeItems[T any](body []byte, i int, items *[]Item[T]) (int, error) {
	*items = make([]Item[T], 0, maxPageSize)
	if i = white(body, i+1); i < len(body) && body[i] == ']' {
		return i + 1, nil
	}
	for {
		item, end, err := decodeItem[T](body, i)
		if err != nil {
			return end, err
		}
		*items = append(*items, item)
		i = white(body, end)
		switch {
		case i < len(body) && body[i] == ',':
			i = white(body, i+1)
		case i < len(body) && body[i] == ']':
			return i + 1, nil
		default:
			return i, malformed(invalidJSON)
		}
	}
}

// DecodeItem decodes one record as those of a page are: sanitised, and with an id.
func DecodeItem[T any](raw []byte) Item[T] {
	item, end, err := decodeItem[T](raw, white(raw, 0))
	switch {
	case item.Err != nil:
	case err != nil:
		item.Err = err
	case white(raw, end) != len(raw):
		item.Err = malformed(trailingBytes)
	}
	return item
}

// decodeItem reads the record at i. err is of the page: the record has no end.
func decodeItem[T any](body []byte, i int) (item Item[T], end int, err error) {
	item.Raw, item.Sanitized, end, item.Err = sanitizeAt(body, i)
	if item.Err != nil {
		if end, err = skip(body, i); err != nil {
			return item, end, err
		}
		item.Raw = body[i:end:end] // the evidence, as it came
		return item, end, nil
	}
	if err := decodeRecord(item.Raw, &item.Value); err != nil {
		item.Err = recordError(err)
	} else if r, ok := any(&item.Value).(interface{ RecordID() string }); ok && r.RecordID() == "" {
		item.Err = ErrNoID
	}
	if item.Err != nil {
		var none T
		item.Value = none
	}
	return item, end, nil
}

// decodeRecord decodes a sanitised record, or as much of it as its type wants.
func decodeRecord(raw []byte, v any) error {
	if s, ok := v.(*Sketch); ok {
		return s.read(raw)
	}
	return decodeJSON(raw, v)
}

// recordError is err, of the JSON library or of a type of this package, without values of the record.
func recordError(err error) error {
	if t, ok := errors.AsType[*json.SemanticError](err); ok {
		own := t.Err != nil && strings.HasPrefix(t.Err.Error(), "lever: ")
		if !own {
			return errors.New("lever: record: " + fieldPath(t.JSONPointer) + ": " + kindName(t.JSONKind) + " where " + jsonKind(t.GoType) + " belongs")
		}
		err = t.Err
	}
	text := strings.TrimPrefix(scrub(err.Error(), maxMessage), "lever: ")
	return errors.New("lever: record: " + digitsPattern.ReplaceAllString(text, "#"))
}

// fieldPath names a field by those that it is within: archived.reason, without the places in lists.
func fieldPath(p jsontext.Pointer) string {
	var names []string
	for name := range p.Tokens() {
		if strings.Trim(name, "0123456789") != "" {
			names = append(names, name)
		}
	}
	return scrub(strings.Join(names, "."), maxMessage)
}

// kindName is what a JSON value is.
func kindName(k jsontext.Kind) string {
	switch k {
	case jsontext.KindTrue, jsontext.KindFalse:
		return "bool"
	case jsontext.KindBeginObject:
		return "object"
	case jsontext.KindBeginArray:
		return "array"
	default:
		return k.String()
	}
}

// jsonKind is the JSON type that a Go type is read from.
func jsonKind(t reflect.Type) string {
	if t == nil {
		return "something else"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "bool"
	case reflect.Slice, reflect.Array:
		return "array"
	case reflect.Struct, reflect.Map, reflect.Pointer:
		return "object"
	default:
		return "number in range"
	}
}
