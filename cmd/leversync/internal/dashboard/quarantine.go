package dashboard

import (
	"bytes"
	"context"
	"encoding/hex"
	"encoding/json"
	"errors"
	"net/http"
	"net/url"
	"unicode/utf8"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// quarantineLimit is how many records are shown, the newest first.
const quarantineLimit = 100

// quarantineView is what was set aside of a connector.
type quarantineView struct {
	Subject subject
	Rows    []store.QuarantinedRecord
	Scopes  []choice
	Scope   string
	Retry   bool // they can be tried again
	More    bool // than are shown
}

func (v quarantineView) every() int { return v.Subject.every() }

func (h *Handler) quarantinePage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "quarantine")
	if err != nil {
		return err
	}
	v := quarantineView{Subject: c, Retry: h.cfg.Retry != nil && c.Runnable()}
	v.Scope, v.Scopes = scopeFilter(r)
	v.Rows, err = h.store.QuarantineList(r.Context(), store.QuarantineFilter{Connector: c.ID, Scope: unified.Scope(v.Scope), Limit: quarantineLimit + 1})
	if err != nil {
		return err
	}
	if v.More = len(v.Rows) > quarantineLimit; v.More {
		v.Rows = v.Rows[:quarantineLimit]
	}
	return h.render(w, r, http.StatusOK, "quarantine", "Quarantine of "+c.OrgName, v)
}

// rejectedPath leads to a record in quarantine. Its key may hold anything: it is a parameter, not part of the path.
func rejectedPath(q store.QuarantinedRecord) string {
	return "/connectors/" + q.ConnectorID.String() + "/quarantine/" + url.PathEscape(q.Scope) + "?key=" + url.QueryEscape(q.Key)
}

// rejectedView is one record in quarantine, with the bytes as they came.
type rejectedView struct {
	Subject subject
	Record  store.QuarantinedRecord
	Call    *store.Call // that brought it; nil: no longer in the log
	Raw     string
	Kind    string // how Raw is written
	Cut     bool   // Raw is not all of it
	Retry   bool
}

// maxRaw bounds what is shown of a raw record, in bytes: a page stays below 100 KB.
const maxRaw = 60 << 10

func (h *Handler) rejectedPage(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "quarantine")
	if err != nil {
		return err
	}
	rec, err := h.rejected(r.Context(), c.ID, r.PathValue("scope"), r.URL.Query().Get("key"))
	if err != nil {
		return err
	}
	v := rejectedView{Subject: c, Record: rec, Retry: h.cfg.Retry != nil && c.Runnable()}
	if call, err := h.store.QuarantineCall(r.Context(), rec.Quarantined); err == nil {
		v.Call = &call
	} else if !errors.Is(err, store.ErrNotFound) {
		return err
	}
	v.Raw, v.Kind, v.Cut = showRaw(rec.Raw)
	return h.render(w, r, http.StatusOK, "rejected", "A quarantined record of "+c.OrgName, v)
}

// rejected finds one record of the quarantine.
func (h *Handler) rejected(ctx context.Context, connector uuid.UUID, scope, key string) (store.QuarantinedRecord, error) {
	sc, err := unified.ParseScope(scope)
	if err != nil || key == "" || !utf8.ValidString(key) {
		return store.QuarantinedRecord{}, problemGone
	}
	list, err := h.store.QuarantineList(ctx, store.QuarantineFilter{Connector: connector, Scope: sc, Key: key, Limit: 1})
	if err == nil && len(list) == 0 {
		err = problemGone
	}
	if err != nil {
		return store.QuarantinedRecord{}, err
	}
	return list[0], nil
}

// showRaw writes bytes for people: JSON with indents where it is that, else the text, else in hexadecimal.
func showRaw(raw []byte) (text, kind string, cut bool) {
	if len(raw) > maxRaw {
		raw, cut = raw[:maxRaw], true
	}
	var b bytes.Buffer
	switch {
	case !cut && json.Indent(&b, raw, "", "  ") == nil && utf8.Valid(b.Bytes()) && b.Len() <= maxRaw+maxRaw/2:
		return b.String(), "JSON", false
	case utf8.Valid(raw) && bytes.IndexByte(raw, 0) < 0, cut && utf8.Valid(bytes.ToValidUTF8(raw, nil)) && len(raw)-len(bytes.ToValidUTF8(raw, nil)) < utf8.UTFMax:
		return string(bytes.ToValidUTF8(raw, nil)), "text", cut
	}
	if len(raw) > maxRaw/5 { // a byte takes almost 5 in the dump
		raw, cut = raw[:maxRaw/5], true
	}
	return hex.Dump(raw), "hexadecimal, as it is no text", cut
}

// retry tries one record again, or all that a list shows; of those only the ones that could be stored now.
func (h *Handler) retry(w http.ResponseWriter, r *http.Request) error {
	c, err := h.subject(r, "quarantine")
	if err != nil {
		return err
	}
	if err := r.ParseForm(); err != nil {
		return problemBadForm
	}
	switch {
	case h.cfg.Retry == nil:
		return problemNoPage
	case !c.Runnable():
		return problemNotRunnable
	}
	key, scope := r.PostForm.Get("key"), r.PostForm.Get("scope")
	var list []store.QuarantinedRecord
	if key != "" {
		rec, err := h.rejected(r.Context(), c.ID, scope, key)
		if err != nil {
			return err
		}
		list = []store.QuarantinedRecord{rec}
	} else {
		f := store.QuarantineFilter{Connector: c.ID, Limit: 10 * quarantineLimit}
		if sc, err := unified.ParseScope(scope); err == nil {
			f.Scope = sc
		}
		if list, err = h.store.QuarantineList(r.Context(), f); err != nil {
			return err
		}
	}
	n, err := h.cfg.Retry(r.Context(), c.Connector, list, key != "")
	if err != nil {
		return err
	}
	h.log.InfoContext(r.Context(), "quarantine tried again", "connector_id", c.ID, "records", len(list), "read_again", n)
	done := "retried"
	if n == 0 {
		done = "stays"
	}
	return h.back(w, r, c.Path("quarantine"), done)
}
