package worker

import "math/bits"

// trail finds out that the page tokens of a list go in a circle, however long that is and however many slices it takes, for the
// price of one token in the cursor (Brent's way): the one behind each page whose number is a power of two is kept, and none that
// comes before the next such page may be the same. A circle is found within three times as many pages as it has, and lead to it.
type trail struct {
	Steps int    `json:"steps,omitempty"` // pages of the list so far
	Mark  string `json:"mark,omitempty"`  // the token that was kept
}

// after is the trail behind one more page, whose next token is next. circle is how many pages it goes round; 0: in none that
// is known.
func (t trail) after(next string) (_ trail, circle int) {
	if next == "" { // the list's end: another may have the same tokens
		return trail{}, 0
	}
	if next == t.Mark {
		return t, t.Steps + 1 - 1<<(bits.Len(uint(max(t.Steps, 1)))-1)
	}
	if t.Steps++; t.Steps&(t.Steps-1) == 0 {
		t.Mark = next
	}
	return t, 0
}
