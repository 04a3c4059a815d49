package dashboard

import (
	"net/http"
	"strconv"
	"strings"

	"github.com/leversync/leversync/store"
)

// pageSize is how many connectors a page shows: 50 rows are some 40 KB.
const pageSize = 50

// connectorsView is the list of connectors.
type connectorsView struct {
	Rows   []store.Board
	Search string
	Sync   string
	States []choice
	Found  int64
	First  int // of the page, from 1
	Last   int
	Older  string // URLs of the pages before and after; "": there is none
	Newer  string
	busy   bool
}

// choice is one of a form's.
type choice struct {
	Value, Text string
	Chosen      bool
}

func (v connectorsView) every() int {
	if v.busy {
		return 3
	}
	return 15
}

// Narrowed says whether the list is not all there is.
func (v connectorsView) Narrowed() bool { return v.Search != "" || v.Sync != "" }

func (h *Handler) connectorsPage(w http.ResponseWriter, r *http.Request) error {
	q := r.URL.Query()
	v := connectorsView{Search: clip(strings.TrimSpace(q.Get("q")), 200), Sync: q.Get("status")}
	if _, known := syncWords[v.Sync]; !known {
		v.Sync = ""
	}
	number, err := strconv.Atoi(q.Get("page"))
	if err != nil || number < 1 || number > 1e6 {
		number = 1
	}
	v.Rows, err = h.store.Boards(r.Context(), store.BoardQuery{Search: v.Search, Sync: v.Sync, Limit: pageSize, Offset: (number - 1) * pageSize})
	if err != nil {
		return err
	}
	v.States = append(v.States, choice{"", "Any status", v.Sync == ""})
	for _, s := range store.SyncStates {
		v.States = append(v.States, choice{s, syncWords[s].Text, v.Sync == s})
	}
	for _, b := range v.Rows {
		v.busy = v.busy || b.Sync == store.SyncSyncing
		v.Found = b.Found
	}
	v.First, v.Last = (number-1)*pageSize+1, (number-1)*pageSize+len(v.Rows)
	if number > 1 {
		v.Newer = withQuery(r.URL, "page", strconv.Itoa(number-1))
	}
	if int64(v.Last) < v.Found {
		v.Older = withQuery(r.URL, "page", strconv.Itoa(number+1))
	}
	return h.render(w, r, http.StatusOK, "connectors", "Connectors", v)
}

// clip is at most n bytes of a text that came by a URL, cut at a character, without what no text of ours holds.
func clip(s string, n int) string {
	return strings.ReplaceAll(strings.ToValidUTF8(s[:min(len(s), n)], ""), "\x00", "")
}
