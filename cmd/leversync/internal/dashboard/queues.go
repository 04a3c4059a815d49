package dashboard

import (
	"net/http"
	"slices"
	"strings"
)

// MonitorPath is below which the tool is served that looks into the queues.
const MonitorPath = "/queues/monitor"

// queuesView is how many tasks there are, by queue and state.
type queuesView struct {
	Rows    []queueRow
	Problem bool // some could not be counted
	Monitor string
}

func (v queuesView) every() int { return 5 }

// queueRow is one queue.
type queueRow struct {
	Name                                        string
	Pending, Active, Scheduled, Retry, Archived int64
}

// queuesPage is our own look at the queues: it stays usable where the other tool is not.
func (h *Handler) queuesPage(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Depth == nil {
		return problemNoPage
	}
	depth, err := h.cfg.Depth()
	if err != nil {
		h.log.WarnContext(r.Context(), "queues not counted", "error", err)
	}
	v := queuesView{Problem: err != nil}
	if h.cfg.Monitor != nil {
		v.Monitor = MonitorPath + "/"
	}
	for name, n := range depth {
		v.Rows = append(v.Rows, queueRow{Name: name, Pending: int64(n["pending"]), Active: int64(n["active"]), Scheduled: int64(n["scheduled"]),
			Retry: int64(n["retry"]), Archived: int64(n["archived"])})
	}
	slices.SortFunc(v.Rows, func(a, b queueRow) int { return -strings.Compare(a.Name, b.Name) })
	return h.render(w, r, http.StatusOK, "queues", "Queues", v)
}

// monitor serves the tool, which brings a Content-Security-Policy of its own: it is not made for ours.
func (h *Handler) monitor(w http.ResponseWriter, r *http.Request) error {
	if h.cfg.Monitor == nil {
		return problemNoPage
	}
	h.cfg.Monitor.ServeHTTP(w, r)
	return nil
}
