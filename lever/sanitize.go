package lever

// maxRecord is the largest record kept, in bytes.
const maxRecord = 8 << 20

// Sanitize makes one JSON value storable in a Postgres jsonb column. It drops U+0000, escaped or not,
// puts U+FFFD for what is no UTF-8 and for half surrogate pairs, and escapes bare control characters;
// cleaned says in how many places. What is clean is returned as it is, without a copy.
//
// It errs, and clean is nil, for what cannot be helped: invalid JSON, a number out of numeric's range,
// more than 512 levels, more than 8 MiB.
func Sanitize(raw []byte) (clean []byte, cleaned int, err error) {
	if len(raw) > maxRecord {
		return nil, 0, errRecordTooLarge
	}
	s := scanner{src: raw}
	end, err := s.value(0)
	if err != nil {
		return nil, 0, err
	}
	if s.space(end) != len(raw) {
		return nil, 0, errSyntax
	}
	if s.out == nil {
		return raw, 0, nil
	}
	return append(s.out, raw[s.from:]...), s.cleaned, nil
}

// sanitizeAt is Sanitize of the value that starts at or after i within src, and where it ends. clean has
// no room behind it: an append to it does not write into src.
func sanitizeAt(src []byte, i int) (clean []byte, cleaned, end int, err error) {
	s := scanner{src: src, from: i}
	start := s.space(i)
	end, err = s.value(start)
	switch {
	case err != nil:
		return nil, 0, end, err
	case end-start > maxRecord:
		return nil, 0, end, errRecordTooLarge
	case s.out == nil:
		return src[start:end:end], 0, end, nil
	}
	return append(s.out, src[s.from:end]...), s.cleaned, end, nil
}
