package dashboard

import (
	"fmt"
	"strings"
)

// spark is a small picture of 24 hours, drawn by the template as SVG: one path needs no style, and scales with the text.
type spark struct {
	Path  string // a bar an hour: 24 hours are 96 wide and 24 high
	Label string
}

const (
	sparkHeight = 24
	sparkStep   = 4
)

func newSpark(calls []int64) spark {
	var sum, most int64
	for _, n := range calls {
		sum += n
		most = max(most, n)
	}
	var path strings.Builder
	for i, n := range calls {
		if n > 0 {
			fmt.Fprintf(&path, "M%d %dv-%.1[3]fh3v%.1[3]fz", i*sparkStep, sparkHeight, max(1.5, sparkHeight*float64(n)/float64(most)))
		}
	}
	s := spark{Path: path.String()}
	var b strings.Builder
	fmt.Fprintf(&b, "%s in the last 24 hours", plural(sum, "call"))
	if most > 0 {
		fmt.Fprintf(&b, ", at most %s an hour", number(most))
	}
	s.Label = b.String()
	return s
}
