package lever

// The walk over an envelope finds where records begin and end; it does not check what is inside them.

// white skips white space.
func white(b []byte, i int) int {
	for i < len(b) && (b[i] == ' ' || b[i] == '\n' || b[i] == '\r' || b[i] == '\t') {
		i++
	}
	return i
}

// object walks over the object at i and gives each name, raw, with the place of its value. value returns
// where the value ends.
func object(b []byte, i int, value func(key []byte, i int) (int, error)) (int, error) {
	if i = white(b, i+1); i < len(b) && b[i] == '}' {
		return i + 1, nil
	}
	for {
		if i >= len(b) || b[i] != '"' {
			return i, malformed(invalidJSON)
		}
		end, ok := quoted(b, i)
		if !ok {
			return i, malformed(invalidJSON)
		}
		key := b[i+1 : end-1]
		if i = white(b, end); i >= len(b) || b[i] != ':' {
			return i, malformed(invalidJSON)
		}
		if i = white(b, i+1); i >= len(b) {
			return i, malformed(invalidJSON)
		}
		var err error
		if i, err = value(key, i); err != nil {
			return i, err
		}
		i = white(b, i)
		switch {
		case i < len(b) && b[i] == ',':
			i = white(b, i+1)
		case i < len(b) && b[i] == '}':
			return i + 1, nil
		default:
			return i, malformed(invalidJSON)
		}
	}
}

// skip is the end of the value at i, found by counting brackets.
func skip(b []byte, i int) (int, error) {
	depth, start := 0, i
	for i < len(b) {
		switch b[i] {
		case '"':
			end, ok := quoted(b, i)
			if !ok {
				return i, malformed(invalidJSON)
			}
			i = end
		case '{', '[':
			depth++
			i++
		case '}', ']':
			if depth == 0 {
				return ended(i, start)
			}
			depth--
			i++
		case ',', ':', ' ', '\n', '\r', '\t':
			if depth == 0 {
				return ended(i, start)
			}
			i++
			continue
		default:
			i++
			continue
		}
		if depth == 0 {
			return i, nil
		}
	}
	return i, malformed(invalidJSON)
}

// ended is the end of a scalar, which must not be empty.
func ended(i, start int) (int, error) {
	if i == start {
		return i, malformed(invalidJSON)
	}
	return i, nil
}

// quoted is the end of the string at i.
func quoted(b []byte, i int) (int, bool) {
	for i++; i < len(b); i++ {
		switch b[i] {
		case '\\':
			i++
		case '"':
			return i + 1, true
		}
	}
	return i, false
}
