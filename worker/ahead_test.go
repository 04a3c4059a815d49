package worker

import (
	"context"
	"iter"
	"slices"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store"
)

// pagesTo yields n pages that need a call each, and says on fetched which one was fetched.
func pagesTo(s *slice, n int, fetched chan<- int) iter.Seq2[lever.Page[lever.Tag], error] {
	return func(yield func(lever.Page[lever.Tag], error) bool) {
		for i := 1; i <= n; i++ {
			s.rec.put([]store.Call{{Attempt: i}})
			fetched <- i
			if !yield(lever.Page[lever.Tag]{Call: lever.Call{Records: i}}, nil) {
				return
			}
		}
	}
}

func sliceForPages() *slice {
	return &slice{w: &Worker{drain: make(chan struct{})}, until: time.Now().Add(time.Hour), rec: &recorder{}}
}

// TestAPageIsFetchedWhileOneIsBegun: one page is being written, the next one is being begun, and the one after it is fetched.
func TestAPageIsFetchedWhileOneIsBegun(t *testing.T) {
	t.Parallel()
	s, asked, begun := sliceForPages(), make(chan int, 3), make(chan struct{})
	ch := meanwhile(t.Context(), s, read(t.Context(), s, pagesTo(s, 3, asked)), func(f *fetched[lever.Tag]) {
		if f.page.Call.Records != 2 {
			return
		}
		for n := range asked { // up to the third
			if n == 3 {
				close(begun)
				return
			}
		}
	})
	got := []int{(<-ch).page.Call.Records} // the first, which is being written from now on
	select {
	case <-begun:
	case <-time.After(10 * time.Second):
		t.Fatal("the third page was not asked for while the second was being begun")
	}
	for f := range ch {
		if len(f.calls) != 1 || f.calls[0].Attempt != f.page.Call.Records {
			t.Errorf("page %d came with the calls %v", f.page.Call.Records, f.calls)
		}
		got = append(got, f.page.Call.Records)
	}
	if !slices.Equal(got, []int{1, 2, 3}) {
		t.Errorf("pages %v; want 1, 2, 3", got)
	}
}

// TestCallsOfPagesThatNobodyTakesStay: the calls of pages that are still on their way when a traversal ends are logged with what
// comes next.
func TestCallsOfPagesThatNobodyTakesStay(t *testing.T) {
	t.Parallel()
	s, asked := sliceForPages(), make(chan int, 9)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ch := meanwhile(ctx, s, read(ctx, s, pagesTo(s, 9, asked)), func(*fetched[lever.Tag]) {})
	first := <-ch
	for n := range asked { // two are on their way: one here, one there
		if n == 3 {
			break
		}
	}
	end()
	for f := range ch { // as traverse does
		f.drop(ctx, s)
	}
	var got, want []int
	for _, c := range append(s.rec.take(), first.calls...) {
		got = append(got, c.Attempt)
	}
	slices.Sort(got)
	for n := range 3 + len(asked) {
		want = append(want, n+1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("of the calls %v these are known: %v", want, got)
	}
}
