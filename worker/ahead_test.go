package worker

import (
	"context"
	"iter"
	"slices"
	"sync"
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

// TestAPageIsFetchedWhileOneIsLookedAt: one page is being written, the next one is being looked at, and the one after it is fetched.
func TestAPageIsFetchedWhileOneIsLookedAt(t *testing.T) {
	t.Parallel()
	s, asked, looked := sliceForPages(), make(chan int, 3), make(chan struct{})
	ch := meanwhile(t.Context(), s, read(t.Context(), s, pagesTo(s, 3, asked)), func(_ context.Context, page lever.Page[lever.Tag]) {
		if page.Call.Records == 2 {
			upTo(asked, 3)
			close(looked)
		}
	})
	first := <-ch // which is being written from now on
	wantSoon(t, looked, "the third page was not asked for while the second was being looked at")
	wantPages(t, first, ch, 3)
}

// TestPagesAreBegunAtOnce: one page has its turn, the two after it are being begun, and the one after those is fetched.
func TestPagesAreBegunAtOnce(t *testing.T) {
	t.Parallel()
	s, asked, all := sliceForPages(), make(chan int, 5), make(chan struct{})
	var under sync.WaitGroup
	under.Add(2)
	ch := aheadOf(t.Context(), s, read(t.Context(), s, pagesTo(s, 5, asked)), noKeys, func(f fetched[lever.Tag], _ busy) *begun {
		switch f.page.Call.Records {
		case 2:
			under.Done()
			under.Wait() // for the third
			upTo(asked, 4)
			close(all)
		case 3:
			under.Done()
			<-all
		}
		return nil
	})
	first := <-ch
	wantSoon(t, all, "the second and the third page were not begun at once, or the fourth was not asked for meanwhile")
	wantPages(t, first, ch, 5)
}

// TestWhatPagesUnderWayHaveIsBusy: of each page, what those have that may be under way with it, and nothing else.
func TestWhatPagesUnderWayHaveIsBusy(t *testing.T) {
	t.Parallel()
	s, asked := sliceForPages(), make(chan int, 6)
	name := func(page int) string { return string(rune('a' + page)) }
	found := make([]string, 7)
	ch := aheadOf(t.Context(), s, read(t.Context(), s, pagesTo(s, 6, asked)), func(page lever.Page[lever.Tag]) map[string]bool {
		return map[string]bool{name(page.Call.Records): true}
	}, func(f fetched[lever.Tag], is busy) *begun {
		for page := range 8 {
			if is(name(page)) {
				found[f.page.Call.Records] += name(page)
			}
		}
		return nil
	})
	wantPages(t, <-ch, ch, 6)
	want := []string{"", "", "b", "bc", "cd", "de", "ef"}
	if !slices.Equal(found, want) {
		t.Errorf("busy were, page by page, %q; want %q", found, want)
	}
}

func noKeys(lever.Page[lever.Tag]) map[string]bool { return nil }

// upTo takes pages from a channel up to page n.
func upTo(asked <-chan int, n int) {
	for page := range asked {
		if page == n {
			return
		}
	}
}

func wantSoon(t *testing.T, ch <-chan struct{}, otherwise string) {
	t.Helper()
	select {
	case <-ch:
	case <-time.After(10 * time.Second):
		t.Fatal(otherwise)
	}
}

// wantPages takes what is left, and wants n pages in all, in their order, each with its calls.
func wantPages(t *testing.T, first fetched[lever.Tag], ch <-chan fetched[lever.Tag], n int) {
	t.Helper()
	var got, want []int
	check := func(f fetched[lever.Tag]) {
		f.await()
		if len(f.calls) != 1 || f.calls[0].Attempt != f.page.Call.Records {
			t.Errorf("page %d came with the calls %v", f.page.Call.Records, f.calls)
		}
		got = append(got, f.page.Call.Records)
	}
	check(first)
	for f := range ch {
		check(f)
	}
	for i := range n {
		want = append(want, i+1)
	}
	if !slices.Equal(got, want) {
		t.Errorf("pages %v; want %v", got, want)
	}
}

// TestCallsOfPagesThatNobodyTakesStay: the calls of pages that are still on their way when a traversal ends are logged with what
// comes next.
func TestCallsOfPagesThatNobodyTakesStay(t *testing.T) {
	t.Parallel()
	s, asked := sliceForPages(), make(chan int, 9)
	ctx, end := context.WithCancel(t.Context())
	defer end()
	ch := aheadOf(ctx, s, read(ctx, s, pagesTo(s, 9, asked)), noKeys, func(fetched[lever.Tag], busy) *begun { return nil })
	first := <-ch
	upTo(asked, 3) // two are on their way at least
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
