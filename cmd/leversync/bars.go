package main

import (
	"fmt"
	"io"
	"sync"

	"github.com/vbauerster/mpb/v8"
	"github.com/vbauerster/mpb/v8/decor"

	"github.com/leversync/leversync/store/unified"
)

// bars shows progress on a terminal: a bar for each scope, and a line for all of it.
type bars struct {
	container *mpb.Progress
	style     style
	total     *mpb.Bar

	mu    sync.Mutex
	last  progress
	notes string
	scope map[unified.Scope]*scopeBar
}

type scopeBar struct {
	*mpb.Bar
	row row
}

func newBars(w io.Writer, s style) *bars {
	return &bars{container: mpb.New(mpb.WithOutput(w), mpb.WithWidth(24)), style: s, scope: map[unified.Scope]*scopeBar{}}
}

func (b *bars) show(p progress) {
	if b.total == nil {
		for _, r := range p.rows {
			b.add(r)
		}
		b.total = b.container.New(0, mpb.NopStyle(), mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.line() })))
	}
	b.mu.Lock()
	b.last = p
	for _, r := range p.rows {
		b.scope[r.scope].row = r
	}
	b.mu.Unlock()
	for _, r := range p.rows {
		b.scope[r.scope].move(r)
	}
}

func (b *bars) add(r row) {
	s := &scopeBar{row: r}
	fill := mpb.BarStyle().Lbound("").Rbound("").Filler("━").Tip("━").Padding("┄")
	b.scope[r.scope] = s
	s.Bar = b.container.New(0, fill,
		mpb.PrependDecorators(decor.Any(func(decor.Statistics) string { return b.before(s) })),
		mpb.AppendDecorators(decor.Any(func(decor.Statistics) string { return b.after(s) })),
	)
}

// move sets the bar. What has no known end stays empty until it is there.
func (s *scopeBar) move(r row) {
	switch {
	case r.settled:
		s.SetTotal(1, false)
		s.SetCurrent(1)
		s.SetTotal(1, true)
	case r.total > 0: // one more: a bar that is full is taken for finished
		s.SetTotal(r.total+1, false)
		s.SetCurrent(r.done)
	}
}

func (b *bars) before(s *scopeBar) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return fmt.Sprintf("%-20s %s ", s.row.scope, b.style.state(fmt.Sprintf("%-9s", s.row.state)))
}

func (b *bars) after(s *scopeBar) string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return scopeTail(s.row)
}

// scopeTail is what stands behind a scope's bar.
func scopeTail(r row) string {
	text := fmt.Sprintf(" %9s", number(r.records))
	if !r.settled && r.total > 0 {
		text += fmt.Sprintf("  %3.0f %%", 100*float64(r.done)/float64(r.total))
	}
	if r.reason != "" {
		text += "  " + clip(r.reason, 60)
	}
	return text
}

func (b *bars) line() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	text := fmt.Sprintf("%-20s %s", clock(b.last.elapsed), summary(b.last))
	if b.notes != "" {
		text += " · " + b.notes
	}
	return text
}

func (b *bars) note(text string) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.notes = text
}

// close draws all of it a last time, and waits for that.
func (b *bars) close() {
	for _, s := range b.scope {
		s.Abort(false) // finished ones stay as they are
	}
	if b.total != nil {
		b.total.Abort(false)
	}
	b.container.Wait()
}
