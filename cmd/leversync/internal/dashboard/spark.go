package dashboard

import (
	"fmt"
	"strings"
)

// spark is a small picture of 24 hours, drawn by the template as SVG: bars need no style, and scale with the text.
type spark struct {
	Bars  []bar
	Label string
	Max   int64
	Sum   int64
}

// bar is one hour, in the picture's own units: 24 hours are 96 wide and 24 high.
type bar struct {
	X, Y, Height float64
}

const (
	sparkHeight = 24
	sparkStep   = 4
)

func newSpark(calls []int64) spark {
	s := spark{}
	for _, n := range calls {
		s.Sum += n
		s.Max = max(s.Max, n)
	}
	for i, n := range calls {
		if n <= 0 {
			continue
		}
		height := max(1.5, sparkHeight*float64(n)/float64(s.Max))
		s.Bars = append(s.Bars, bar{X: float64(i * sparkStep), Y: sparkHeight - height, Height: height})
	}
	var b strings.Builder
	fmt.Fprintf(&b, "%s in the last 24 hours", plural(s.Sum, "call"))
	if s.Max > 0 {
		fmt.Fprintf(&b, ", at most %s an hour", number(s.Max))
	}
	s.Label = b.String()
	return s
}
