package dashboard

import (
	"errors"
	"net/http"
	"strconv"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// callsView is a page of the sync log.
type callsView struct {
	paged
	Calls                []store.Call
	Run                  string // the calls of this run alone; "": of all
	Scopes, States, When []choice
	Narrowed             bool
}

// callStates are the answers that a list of calls can be narrowed to.
var callStates = []choice{{Value: "", Text: "Any answer"}, {Value: "failed", Text: "Failed"}, {Value: "200", Text: "200 OK"}, {Value: "401", Text: "401 Unauthorized"},
	{Value: "403", Text: "403 Forbidden"}, {Value: "404", Text: "404 Not Found"}, {Value: "429", Text: "429 Too Many Requests"},
	{Value: "500", Text: "500 Internal Server Error"}, {Value: "503", Text: "503 Service Unavailable"}, {Value: "0", Text: "No answer"}}

func (h *Handler) callsPage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "calls")
	if err != nil {
		return err
	}
	v := callsView{paged: paged{Subject: c}}
	q := store.CallQuery{Connector: c.ID, Limit: perPage + 1}
	q.Scope, v.Scopes = scopeFilter(r)
	var back time.Duration
	var since string
	if since, back, v.When = sinceFilter(r); back > 0 {
		q.Since = time.Now().Add(-back)
	}
	v.States = callFilter(r.URL.Query().Get("status"), &q)
	if id, err := uuid.Parse(r.URL.Query().Get("run")); err == nil {
		q.Run, v.Run = id, id.String()
	}
	v.Narrowed = q.Scope != "" || since != "" || q.Failed || q.Status != nil || v.Run != ""
	list := "calls of " + c.ID.String()
	if q.After, err = h.position(r, list); err != nil {
		return err
	}
	if v.first = q.After == nil; !v.first {
		v.Newer = withQuery(r.URL, "cursor", "")
	}
	if v.Calls, err = h.store.CallPage(r.Context(), q); err != nil {
		return err
	}
	if len(v.Calls) > perPage {
		v.Calls = v.Calls[:perPage]
		last := v.Calls[perPage-1]
		v.Older = withQuery(r.URL, "cursor", h.store.Cursor(list, store.Position{At: last.StartedAt, ID: last.ID}))
	}
	return h.render(w, r, http.StatusOK, "calls", "Calls of "+c.OrgName, v)
}

// callFilter narrows a query to an answer, and returns the choices.
func callFilter(asked string, q *store.CallQuery) []choice {
	out := make([]choice, len(callStates))
	chosen := false
	for i, c := range callStates {
		c.Chosen = c.Value == asked
		chosen = chosen || c.Chosen
		out[i] = c
	}
	if !chosen {
		out[0].Chosen = true
		return out
	}
	if asked == "failed" {
		q.Failed = true
	} else if n, err := strconv.Atoi(asked); err == nil {
		q.Status = &n
	}
	return out
}

// callWord is a call's answer in words.
func callWord(c store.Call) word {
	switch {
	case c.Status == 0:
		return word{"No answer", "bad"}
	case c.Status >= 500:
		return word{strconv.Itoa(c.Status), "bad"}
	case c.Status >= 400:
		return word{strconv.Itoa(c.Status), "warn"}
	}
	return word{strconv.Itoa(c.Status), "good"}
}

// callPath leads to everything known of a call.
func callPath(c store.Call) string {
	return "/connectors/" + c.ConnectorID.String() + "/calls/" + strconv.FormatInt(c.StartedAt.UnixMicro(), 10) + "/" + c.ID.String()
}

// callView is everything known of a call.
type callView struct {
	Subject subject
	Call    store.Call
	Meaning string
	Records []store.WrittenRecord
	More    bool
	Untold  bool // which records it wrote is not known any more
}

// maxWritten is how many of the records that a call wrote are shown.
const maxWritten = 100

func (h *Handler) callPage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "calls")
	if err != nil {
		return err
	}
	micro, merr := strconv.ParseInt(r.PathValue("at"), 10, 64)
	id, ierr := uuid.Parse(r.PathValue("call"))
	if merr != nil || ierr != nil {
		return problemNoPage
	}
	v := callView{Subject: c}
	if v.Call, err = h.store.Call(r.Context(), c.ID, id, time.UnixMicro(micro).UTC()); err != nil {
		return err
	}
	v.Meaning = meaning(v.Call)
	v.Records, err = h.store.WrittenBy(r.Context(), v.Call, maxWritten+1)
	v.Untold = errors.Is(err, store.ErrUntold)
	if err != nil && !v.Untold && !errors.Is(err, store.ErrNotFound) { // its day's log was dropped meanwhile
		return err
	}
	if v.More = len(v.Records) > maxWritten; v.More {
		v.Records = v.Records[:maxWritten]
	}
	return h.render(w, r, http.StatusOK, "call", "A call of "+c.OrgName, v)
}

// meaning says what an answer means, and what is done about it; "": nothing needs to be said.
func meaning(c store.Call) string {
	switch {
	case c.Status == 0:
		return "No answer came: the connection failed, or took too long. It is tried again by itself."
	case c.Status == http.StatusUnauthorized:
		return "Lever did not accept the credential. The token is renewed once; if that does not help, the connector must be linked again."
	case c.Status == http.StatusForbidden:
		return "Lever does not let this credential read it. The scope is refused until the permission is given; the others go on."
	case c.Status == http.StatusNotFound:
		return "It is not in Lever any more. Its list is not read again."
	case c.Status == http.StatusTooManyRequests:
		return "Lever asked for a slower pace. The rate is halved, and rises again with success."
	case c.Status >= 500:
		return "Lever had a fault. It is tried again, more slowly each time."
	case c.Status >= 400:
		return "Lever refused the request."
	}
	return ""
}
