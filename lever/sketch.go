package lever

import "bytes"

// Sketch is a record of which no more than its id is read, which takes a fraction of the time: where most records of a list are
// known already, their bytes say so. DecodeItem reads all of one.
type Sketch struct {
	ID string `json:"id"`
}

// RecordID is the record's id.
func (s Sketch) RecordID() string { return s.ID }

// read takes the id that decodeJSON would. raw is valid JSON.
func (s *Sketch) read(raw []byte) error {
	at := white(raw, 0)
	id, plain := []byte(nil), raw[at] == '{'
	if plain {
		_, err := object(raw, at, func(key []byte, i int) (int, error) {
			end, err := skip(raw, i)
			if string(key) == "id" {
				id = raw[i:end] // of two, which nobody sends, the last one counts
			}
			plain = plain && !bytes.ContainsRune(key, '\\') // it may be spelt otherwise
			return end, err
		})
		plain = plain && err == nil
	}
	if !plain || len(id) == 0 || id[0] != '"' {
		type whole Sketch
		return decodeJSON(raw, (*whole)(s))
	}
	return decodeText(id, &s.ID)
}
