package dashboard

import (
	"context"
	"errors"
	"net/http"

	"github.com/leversync/leversync/store"
)

// problem is a page that says why something can't be done, and what to do instead.
type problem struct {
	status int
	Title  string
	Text   string
	Label  string // of the way on; "": to the connectors
	Path   string
}

func (p *problem) Error() string { return "dashboard: " + p.Title }

// The problems. Each has a page and a status of its own.
var (
	problemNoPage      = &problem{status: http.StatusNotFound, Title: "There is no such page", Text: "It may have been moved, or the address is incomplete."}
	problemGone        = &problem{status: http.StatusNotFound, Title: "It is not there", Text: "It was deleted, or never was. If you came by a link, the page that it is on may be an old one."}
	problemBadForm     = &problem{status: http.StatusBadRequest, Title: "The form can't be read", Text: "What your browser sent is too large, or not a form. Nothing was changed. Go back and try again."}
	problemCrossOrigin = &problem{status: http.StatusForbidden, Title: "The request came from another page",
		Text: "Your browser says that it was another site that asked for this. Nothing was changed. If you use an address other than the public URL of this installation (LEVERSYNC_PUBLIC_URL), set it to the one you use."}
	problemNoPassword = &problem{status: http.StatusServiceUnavailable, Title: "There is no password yet",
		Text: "leversync serve makes one when it first starts. `leversync operator password` makes a new one.", Label: "Back to signing in", Path: "/login"}
	problemOurs = &problem{status: http.StatusInternalServerError, Title: "Something went wrong on our side", Text: "Nothing was lost. The log says more. Load the page again in a minute."}
	problemBusy = &problem{status: http.StatusServiceUnavailable, Title: "Postgres can't be reached", Text: "Syncs stop while it is away, and go on by themselves. Load the page again in a minute."}
)

// fail answers with a problem's page. What is not a problem is logged, and told as ours.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, ok := errors.AsType[*problem](err)
	switch {
	case ok:
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return // nobody is there to read it
	case errors.Is(err, store.ErrNotFound):
		p = problemGone
	case store.Unstorable(err): // a text by hand that nobody looked at before
		p = problemBadForm
	case store.Away(err):
		h.log.ErrorContext(r.Context(), "dashboard page failed", "error", err)
		w.Header().Set("Retry-After", "10")
		p = problemBusy
	default:
		h.log.ErrorContext(r.Context(), "dashboard page failed", "error", err)
		p = problemOurs
	}
	if err := h.render(w, r, p.status, "problem", p.Title, p); err != nil {
		h.log.ErrorContext(r.Context(), "dashboard page failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}
