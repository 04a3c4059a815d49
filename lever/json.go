package lever

import "encoding/json"

// decodeJSON is the one place that knows the JSON library: the standard one, until a faster one earns
// its keep. It is given single records, never whole pages.
func decodeJSON(b []byte, v any) error { return json.Unmarshal(b, v) }
