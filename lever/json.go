package lever

import (
	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// decodeJSON is the one place that knows the JSON library. It is given single records, never whole pages, which the
// sanitiser has looked through: a name may come twice in an object, and then the last one counts.
func decodeJSON(b []byte, v any) error { return json.Unmarshal(b, v, leniently) }

var leniently = json.JoinOptions(jsontext.AllowDuplicateNames(true), jsontext.AllowInvalidUTF8(true))

// decodeText decodes a string. Most hold nothing that is escaped.
func decodeText(b []byte, to *string) error {
	for i, c := range b {
		if c == '\\' || c < ' ' || c == '"' && i > 0 && i < len(b)-1 {
			return decodeJSON(b, to)
		}
	}
	if len(b) < 2 || b[0] != '"' || b[len(b)-1] != '"' {
		return decodeJSON(b, to)
	}
	*to = string(b[1 : len(b)-1])
	return nil
}
