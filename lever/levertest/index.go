package levertest

import (
	"cmp"
	"slices"
	"sort"
	"strconv"
)

// row is an opportunity's place in Lever's order: stage ascending, last advanced descending, id ascending.
type row struct {
	advanced int64
	n        uint32
	stage    uint16
	changed  bool // it lies in the overlay
}

// index holds the rows of all live opportunities in order.
type index struct {
	ids
	rows []row
}

func (x *index) compare(a, b row) int {
	if c := cmp.Compare(a.stage, b.stage); c != 0 {
		return c
	}
	if c := cmp.Compare(b.advanced, a.advanced); c != 0 {
		return c
	}
	if a.n == b.n {
		return 0
	}
	ahi, alo := x.halves(kindOpportunity, int(a.n), 0)
	bhi, blo := x.halves(kindOpportunity, int(b.n), 0)
	return cmp.Or(cmp.Compare(ahi, bhi), cmp.Compare(alo, blo))
}

// build fills the index with the generated opportunities.
func (x *index) build(g *generator) {
	x.rows = make([]row, g.count)
	for n := range g.count {
		c := g.core(n)
		x.rows[n] = row{advanced: c.advanced, n: uint32(n), stage: uint16(c.stage)}
	}
	slices.SortFunc(x.rows, x.compare)
}

// find is the position of the first row at or behind r.
func (x *index) find(r row) int {
	return sort.Search(len(x.rows), func(i int) bool { return x.compare(x.rows[i], r) >= 0 })
}

func (x *index) insert(r row) { x.rows = slices.Insert(x.rows, x.find(r), r) }

// remove takes opportunity c out; it must be given as it was when it went in.
func (x *index) remove(c core) {
	i := x.find(rowOf(c))
	if i < len(x.rows) && x.rows[i].n == uint32(c.n) {
		x.rows = slices.Delete(x.rows, i, i+1)
	}
}

func rowOf(c core) row {
	return row{advanced: c.advanced, n: uint32(c.n), stage: uint16(c.stage)}
}

// token is the page token that names r as the first record of a page, percent-encoded as Lever gives it out.
func (x *index) token(r row) string {
	b := append(make([]byte, 0, 80), "%5B"...)
	b = strconv.AppendUint(b, uint64(r.stage), 10)
	b = append(b, "%2C"...)
	b = strconv.AppendInt(b, r.advanced, 10)
	b = append(b, "%2C%22"...)
	b = x.append(b, kindOpportunity, int(r.n), 0)
	return string(append(b, "%22%5D"...))
}

// position reads a page token: the position of the record that it names, or of the one that has followed it.
func (x *index) position(token string) (int, bool) {
	var (
		rank     uint16
		advanced int64
		id       string
	)
	if !parseToken(token, &rank, &advanced, &id) {
		return 0, false
	}
	n, ok := x.number(kindOpportunity, id)
	if !ok {
		return 0, false
	}
	return x.find(row{stage: rank, advanced: advanced, n: uint32(n)}), true
}
