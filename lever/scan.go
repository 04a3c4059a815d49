package lever

import (
	"errors"
	"unicode/utf8"
)

// Why a record cannot be stored. None of them holds anything of it.
var (
	errSyntax         = errors.New("lever: record is not valid JSON")
	errRecordDepth    = errors.New("lever: record is nested too deeply")
	errRecordNumber   = errors.New("lever: record holds a number out of the range of Postgres")
	errRecordTooLarge = errors.New("lever: record is larger than 8 MiB")
)

const (
	maxDepth = 512
	// maxNumber bounds a number's digits and exponent together. Postgres' numeric takes 131072 digits
	// before and 16383 after the point.
	maxNumber = 16000
)

// scanner walks once over one JSON value, checks it by the letter of RFC 8259 and cleans it on the way.
// It copies nothing until it meets the first place to clean.
type scanner struct {
	src     []byte
	out     []byte // what is clean of src[:from]; nil while nothing had to be cleaned
	from    int
	cleaned int
	depth   int
	objects [maxDepth / 8]byte // a bit per level: 1 is an object, 0 an array
}

// clean replaces src[i:j] with s.
func (s *scanner) clean(i, j int, with string) {
	if s.out == nil {
		s.out = make([]byte, 0, i-s.from+1024)
	}
	s.out = append(s.out, s.src[s.from:i]...)
	s.out = append(s.out, with...)
	s.from = j
	s.cleaned++
}

// value scans the value that starts at or after i and returns where it ends.
func (s *scanner) value(i int) (int, error) {
	i = s.space(i)
	s.from = i
	var err error
	for {
		opened := s.depth
		if i, err = s.open(i); err != nil {
			return i, err
		}
		if s.depth > opened { // an object or array that is not empty
			continue
		}
		var more bool
		if i, more, err = s.close(i); err != nil || !more {
			return i, err
		}
	}
}

// open scans a scalar, an empty object or array, or the beginning of one up to its first value.
func (s *scanner) open(i int) (int, error) {
	i = s.space(i)
	if i >= len(s.src) {
		return i, errSyntax
	}
	switch c := s.src[i]; c {
	case '{', '[':
		j := s.space(i + 1)
		if j < len(s.src) && s.src[j] == c+2 { // '}' and ']' come two after
			return j + 1, nil
		}
		if s.depth == maxDepth {
			return i, errRecordDepth
		}
		if c == '[' {
			s.objects[s.depth/8] &^= 1 << (s.depth % 8)
			s.depth++
			return j, nil
		}
		s.objects[s.depth/8] |= 1 << (s.depth % 8)
		s.depth++
		return s.key(j)
	case '"':
		return s.text(i)
	case 't':
		return s.literal(i, "true")
	case 'f':
		return s.literal(i, "false")
	case 'n':
		return s.literal(i, "null")
	default:
		return s.number(i)
	}
}

// close scans what follows a value: the ends of what it is in, up to the next value, if there is more.
func (s *scanner) close(i int) (end int, more bool, err error) {
	for s.depth > 0 {
		i = s.space(i)
		if i >= len(s.src) {
			return i, false, errSyntax
		}
		top := s.depth - 1
		object := s.objects[top/8]&(1<<(top%8)) != 0
		switch c := s.src[i]; {
		case c == ',' && object:
			i, err = s.key(s.space(i + 1))
			return i, true, err
		case c == ',':
			return i + 1, true, nil
		case c == '}' && object, c == ']' && !object:
			s.depth--
			i++
		default:
			return i, false, errSyntax
		}
	}
	return i, false, nil
}

// key scans a name and its colon.
func (s *scanner) key(i int) (int, error) {
	if i >= len(s.src) || s.src[i] != '"' {
		return i, errSyntax
	}
	i, err := s.text(i)
	if err != nil {
		return i, err
	}
	if i = s.space(i); i >= len(s.src) || s.src[i] != ':' {
		return i, errSyntax
	}
	return i + 1, nil
}

// space skips white space, and cleans away NULs.
func (s *scanner) space(i int) int {
	for ; i < len(s.src); i++ {
		switch s.src[i] {
		case ' ', '\n', '\r', '\t':
		case 0:
			s.clean(i, i+1, "")
		default:
			return i
		}
	}
	return i
}

func (s *scanner) literal(i int, word string) (int, error) {
	if len(s.src)-i < len(word) || string(s.src[i:i+len(word)]) != word {
		return i, errSyntax
	}
	return i + len(word), nil
}

// plain are the bytes of a string that need no look: ASCII but for controls, quote and backslash.
var plain = func() (t [256]bool) {
	for c := ' '; c < utf8.RuneSelf; c++ {
		t[c] = c != '"' && c != '\\'
	}
	return t
}()

const hexDigits = "0123456789abcdef"

// text scans a string. It drops NULs, escapes bare controls, and puts U+FFFD for bytes that are no UTF-8.
func (s *scanner) text(i int) (int, error) {
	var err error
	for i++; i < len(s.src); {
		switch c := s.src[i]; {
		case plain[c]:
			i++
		case c == '"':
			return i + 1, nil
		case c == '\\':
			if i, err = s.escape(i); err != nil {
				return i, err
			}
		case c == 0:
			s.clean(i, i+1, "")
			i++
		case c < ' ':
			s.clean(i, i+1, `\u00`+string([]byte{hexDigits[c>>4], hexDigits[c&15]}))
			i++
		default:
			r, n := utf8.DecodeRune(s.src[i:])
			if r == utf8.RuneError && n == 1 {
				s.clean(i, i+1, "\uFFFD")
			}
			i += n
		}
	}
	return i, errSyntax
}

// escape scans the escape at i. It drops \u0000, and puts U+FFFD for half a surrogate pair.
func (s *scanner) escape(i int) (int, error) {
	if i+1 >= len(s.src) {
		return i, errSyntax
	}
	switch s.src[i+1] {
	case '"', '\\', '/', 'b', 'f', 'n', 'r', 't':
		return i + 2, nil
	case 'u':
	default:
		return i, errSyntax
	}
	u, ok := hex4(s.src, i)
	switch {
	case !ok:
		return i, errSyntax
	case u == 0:
		s.clean(i, i+6, "")
	case u >= 0xD800 && u < 0xDC00:
		if low, ok := hex4(s.src, i+6); ok && low >= 0xDC00 && low < 0xE000 {
			return i + 12, nil
		}
		s.clean(i, i+6, `\ufffd`)
	case u >= 0xDC00 && u < 0xE000:
		s.clean(i, i+6, `\ufffd`)
	}
	return i + 6, nil
}

// hex4 is the code of the escape \uXXXX at i, if there is one.
func hex4(b []byte, i int) (u uint32, ok bool) {
	if i+6 > len(b) || b[i] != '\\' || b[i+1] != 'u' {
		return 0, false
	}
	for _, c := range b[i+2 : i+6] {
		switch {
		case c >= '0' && c <= '9':
			u = u<<4 | uint32(c-'0')
		case c >= 'a' && c <= 'f':
			u = u<<4 | uint32(c-'a'+10)
		case c >= 'A' && c <= 'F':
			u = u<<4 | uint32(c-'A'+10)
		default:
			return 0, false
		}
	}
	return u, true
}

// number scans a number, and refuses one that Postgres' numeric cannot hold.
func (s *scanner) number(i int) (int, error) {
	if i < len(s.src) && s.src[i] == '-' {
		i++
	}
	start := i
	i = s.digits(i)
	if i == start || s.src[start] == '0' && i > start+1 {
		return start, errSyntax
	}
	size := i - start
	if i < len(s.src) && s.src[i] == '.' {
		j := s.digits(i + 1)
		if j == i+1 {
			return i, errSyntax
		}
		size += j - i - 1
		i = j
	}
	if i < len(s.src) && s.src[i]|0x20 == 'e' {
		if i++; i < len(s.src) && (s.src[i] == '+' || s.src[i] == '-') {
			i++
		}
		j := s.digits(i)
		if j == i {
			return i, errSyntax
		}
		exponent := 0
		for _, c := range s.src[i:j] {
			exponent = min(exponent*10+int(c-'0'), maxNumber+1)
		}
		size += exponent
		i = j
	}
	if size > maxNumber {
		return i, errRecordNumber
	}
	return i, nil
}

func (s *scanner) digits(i int) int {
	for i < len(s.src) && s.src[i] >= '0' && s.src[i] <= '9' {
		i++
	}
	return i
}
