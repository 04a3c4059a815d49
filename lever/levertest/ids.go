package levertest

import "encoding/hex"

// kind is what an id names.
type kind uint8

// The kinds. Their order is part of every id: add at the end.
const (
	kindOpportunity kind = iota + 1
	kindContact
	kindApplication
	kindInterview
	kindPanel
	kindFeedback
	kindOffer
	kindResume
	kindFile
	kindNote
	kindReferral
	kindForm
	kindUser
	kindPosting
	kindStage
	kindReason
	kindTemplate
	kindField
	kindRequisition
	kindWebhook
	kindToken
	kindFault
	kindEEO
	kindPerson
	kindText
)

// ids makes and reads the ids of one account. An id is a version 4 UUID by its looks; its 122 free bits hold
// kind (8 bits), number (32) and sub-number (20), scrambled with the seed, and a check of 62 bits.
type ids struct{ seed uint64 }

const (
	mask60 = 1<<60 - 1
	mask62 = 1<<62 - 1
)

// halves are the two big-endian halves of an id.
func (g ids) halves(k kind, n, sub int) (hi, lo uint64) {
	p := uint64(k)<<52 | uint64(uint32(n))<<20 | uint64(sub)&0xfffff
	b := g.check(p)
	a := p ^ g.scramble(b)
	return a>>12<<16 | 0x4000 | a&0xfff, 1<<63 | b
}

func (g ids) check(p uint64) uint64    { return mix(p^mix(g.seed)) & mask62 }
func (g ids) scramble(b uint64) uint64 { return mix(b^mix(^g.seed)) & mask60 }

// id is the UUID of the sub-th part of item n of a kind.
func (g ids) id(k kind, n, sub int) string {
	var b [36]byte
	return string(g.append(b[:0], k, n, sub))
}

// append appends an id's 36 characters to b.
func (g ids) append(b []byte, k kind, n, sub int) []byte {
	hi, lo := g.halves(k, n, sub)
	var raw [16]byte
	for i := range 8 {
		raw[i] = byte(hi >> (56 - 8*i))
		raw[8+i] = byte(lo >> (56 - 8*i))
	}
	b = hex.AppendEncode(b, raw[:4])
	for _, part := range [][]byte{raw[4:6], raw[6:8], raw[8:10], raw[10:]} {
		b = append(b, '-')
		b = hex.AppendEncode(b, part)
	}
	return b
}

// parse tells what an id names; false where it is no id of this account.
func (g ids) parse(id string) (k kind, n, sub int, ok bool) {
	if len(id) != 36 || id[8] != '-' || id[13] != '-' || id[18] != '-' || id[23] != '-' {
		return 0, 0, 0, false
	}
	raw, err := hex.DecodeString(id[:8] + id[9:13] + id[14:18] + id[19:23] + id[24:])
	if err != nil {
		return 0, 0, 0, false
	}
	var hi, lo uint64
	for i := range 8 {
		hi = hi<<8 | uint64(raw[i])
		lo = lo<<8 | uint64(raw[8+i])
	}
	b := lo & mask62
	p := (hi>>16<<12 | hi&0xfff) ^ g.scramble(b)
	if hi>>12&0xf != 4 || lo>>62 != 2 || g.check(p) != b {
		return 0, 0, 0, false
	}
	return kind(p >> 52), int(uint32(p >> 20)), int(p & 0xfffff), true
}

// number is the number of the item of kind k that id names.
func (g ids) number(k kind, id string) (int, bool) {
	got, n, _, ok := g.parse(id)
	return n, ok && got == k
}
