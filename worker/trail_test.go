package worker

import (
	"strconv"
	"testing"
)

// TestTrail: circles of every length, behind as many pages as may lead there, are found in time, and their length is told; a
// list that goes straight on has none.
func TestTrail(t *testing.T) {
	t.Parallel()
	for _, lead := range []int{1, 2, 7, 8, 9, 100, 1000} {
		for _, length := range []int{1, 2, 3, 4, 7, 8, 9, 500, 1025} {
			var found, pages int
			for tr := (trail{}); found == 0 && pages < 10_000; {
				pages++
				at := pages
				if at >= lead {
					at = lead + (at-lead)%length
				}
				tr, found = tr.after(strconv.Itoa(at))
			}
			if found != length || pages > 3*(lead+length) {
				t.Errorf("a circle of %d behind %d pages: got %d after %d pages, want it after %d at most", length, lead, found, pages, 3*(lead+length))
			}
		}
	}
	var tr trail
	for n := range 10_000 {
		var circle int
		if tr, circle = tr.after(strconv.Itoa(n)); circle != 0 {
			t.Fatalf("page %d of a list that goes straight on: got a circle of %d", n, circle)
		}
	}
	if tr, circle := tr.after(""); tr != (trail{}) || circle != 0 {
		t.Errorf("at the list's end: got %+v and a circle of %d, want neither", tr, circle)
	}
}
