package mapping

import (
	"crypto/sha256"
	"encoding/binary"

	"github.com/leversync/leversync/lever"
)

// digestSize is the length of a digest in bytes: enough that two states of an opportunity never share one.
const digestSize = 16

// Digest sums up what moves when an opportunity does: its clocks, archived, stage, contact, application
// and anonymisation. When it differs from the stored one, the opportunity's children are read again.
// It is 16 bytes, the same for the same state in every version: changing it reads every child again.
func Digest(o lever.Opportunity) []byte {
	h := sha256.New()
	num := func(n int64) {
		var b [8]byte
		binary.BigEndian.PutUint64(b[:], uint64(n))
		h.Write(b[:])
	}
	str := func(s string) { // the length first: "a", "bc" is not "ab", "c"
		num(int64(len(s)))
		h.Write([]byte(s))
	}
	flag := func(f bool) {
		if f {
			num(1)
		} else {
			num(0)
		}
	}
	num(o.UpdatedAt.Millis())
	num(o.LastInteractionAt.Millis())
	num(o.LastAdvancedAt.Millis())
	flag(o.Archived != nil)
	if o.Archived != nil {
		str(string(o.Archived.Reason))
		num(o.Archived.ArchivedAt.Millis())
	}
	str(string(o.Stage))
	str(string(o.Contact))
	var application string
	if len(o.Applications) > 0 {
		application = o.Applications[0].ID
	}
	str(application)
	flag(o.IsAnonymized)
	return h.Sum(nil)[:digestSize]
}
