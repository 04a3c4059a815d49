package connect

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
	Text   []string // paragraphs
	Label  string   // of the way on; "": there is none
	Path   string
}

func (p *problem) Error() string { return "connect: " + p.Title }

// with is the problem with a way on.
func (p *problem) with(label, path string) *problem {
	out := *p
	out.Label, out.Path = label, path
	return &out
}

const askForLink = "Ask whoever sent you the link for a new one."

// The problems. Each has a page and a status of its own.
var (
	problemUnknownLink = &problem{status: http.StatusNotFound, Title: "This link is not known",
		Text: []string{"It may be incomplete: mail programs sometimes break long links. Copy the whole link into the address bar.", "If that does not help: " + lower(askForLink)}}
	problemExpiredLink = &problem{status: http.StatusGone, Title: "This link has expired",
		Text: []string{"Links work for a limited time, and until the account is connected by another, so that one that is found later opens nothing. Nothing was read from your Lever account by it.", askForLink}}
	problemUsedLink = &problem{status: http.StatusGone, Title: "This link has been used",
		Text: []string{"Each link works once, and somebody has used this one already. If it was neither you nor somebody you know, tell whoever sent you the link.", askForLink}}
	problemUsedHere = &problem{status: http.StatusGone, Title: "This link has been used",
		Text: []string{"Each link works once, and you have used this one in this browser. There is no need for another: go on from where you were."}}
	problemLinkedHere = &problem{status: http.StatusGone, Title: "This link has been used",
		Text: []string{"You have used it in this browser, and the account is connected. There is nothing left to do here."}}
	problemLinked = &problem{status: http.StatusConflict, Title: "The account is connected already",
		Text: []string{"There is nothing left to do here."}}
	problemOver = &problem{status: http.StatusGone, Title: "This request is over",
		Text: []string{"Either the account was connected meanwhile, by another link or in another tab, and there is nothing left to do; or it took too long. Nothing was connected by this request.", "If nobody you know has connected the account: " + lower(askForLink)}}
	problemNoOAuth = &problem{status: http.StatusConflict, Title: "Lever's authorization is not set up here",
		Text: []string{"Go back, and give an API key instead."}}

	problemNoState = &problem{status: http.StatusBadRequest, Title: "Something is missing",
		Text: []string{"This address is where Lever sends you back to after you decide. It does not work by itself: open your link again, and start from there."}}
	problemWrongState = &problem{status: http.StatusForbidden, Title: "This answer does not belong to your request",
		Text: []string{"The answer that came back is not to the question that this browser asked of Lever. Nothing was connected. It may come from an older tab, or from somebody else's request.", "Open your link again in this browser, and start from there."}}
	problemUsedState = &problem{status: http.StatusGone, Title: "This answer was taken already",
		Text: []string{"Each answer from Lever counts once. You may have come here by the back button, or by loading the page again."}}
	problemExpiredState = &problem{status: http.StatusGone, Title: "That took too long",
		Text: []string{"You have ten minutes to decide at Lever. Nothing was connected. Go back, and start again."}}
	problemOtherBrowser = &problem{status: http.StatusForbidden, Title: "This page belongs to another browser",
		Text: []string{"Only the browser that opened the link and went on to Lever may see this page, and only for a while. Go on in that browser.", "It is over, too, once the account is connected by another link: then there is nothing left to do here.", "If this is the one: allow cookies for this site. If that does not help: " + lower(askForLink)}}

	problemRefused = &problem{status: http.StatusForbidden, Title: "You did not allow it",
		Text: []string{"Lever told us that access was refused. Nothing was connected, and nothing was read.", "If that was a mistake, or if your role in Lever does not let you decide: go back, or ask a Super Admin of your Lever account to do it in this browser."}}
	problemLeverError = &problem{status: http.StatusBadGateway, Title: "Lever could not go on",
		Text: []string{"Lever reported an error instead of your decision. Nothing was connected.", "Go back and try again. If it happens again, tell whoever sent you the link."}}
	problemNoCode = &problem{status: http.StatusBadRequest, Title: "Lever's answer is incomplete",
		Text: []string{"Neither a yes nor a no came back. Nothing was connected. Go back and try again."}}
	problemBadCode = &problem{status: http.StatusBadRequest, Title: "Lever's answer is no longer good",
		Text: []string{"Lever does not honour the answer that came back: it is too old, was used, or belongs to another request. Nothing was connected. Go back and try again."}}
	problemLeverAway = &problem{status: http.StatusBadGateway, Title: "Lever can't be reached",
		Text: []string{"You decided, but Lever did not answer when we asked for access. Nothing was connected. Go back and try again in a minute."}}
	problemSetUp = &problem{status: http.StatusBadGateway, Title: "Lever does not know this application",
		Text: []string{"This is no fault of yours: Lever refused the application that asked you. Nothing was connected. Tell whoever sent you the link."}}
	problemNotOffline = &problem{status: http.StatusForbidden, Title: "A permission is missing",
		Text: []string{"Lever did not grant lasting access (offline_access), without which the connection would end within the hour. Nothing was connected.", "Go back and try again. If it happens again, tell whoever sent you the link."}}

	problemCrossOrigin = &problem{status: http.StatusForbidden, Title: "The request came from another page",
		Text: []string{"Your browser says that it was another site that asked for this. Nothing was done.", "Open your link, and use the buttons on its page."}}
	problemBadForm = &problem{status: http.StatusBadRequest, Title: "The form can't be read",
		Text: []string{"What your browser sent is too large, or not a form. Go back and try again."}}
	problemNoPage = &problem{status: http.StatusNotFound, Title: "There is no such page",
		Text: []string{"Open your link again, and start from there."}}
	problemOurs = &problem{status: http.StatusInternalServerError, Title: "Something went wrong on our side",
		Text: []string{"It is not your fault, and nothing was lost. Load the page again in a minute."}}
	problemBusy = &problem{status: http.StatusServiceUnavailable, Title: "We are not available for a moment",
		Text: []string{"Load the page again in a minute."}}
)

func lower(s string) string { return string(s[0]|0x20) + s[1:] }

// fail answers with a problem's page. What is not a problem is logged, and told as ours.
func (h *Handler) fail(w http.ResponseWriter, r *http.Request, err error) {
	p, ok := errors.AsType[*problem](err)
	switch {
	case ok:
	case r.Context().Err() != nil && errors.Is(err, context.Canceled):
		return // nobody is there to read it
	case errors.Is(err, store.ErrNotFound): // the connector was deleted meanwhile
		p = problemUnknownLink
	case store.Away(err):
		h.log.ErrorContext(r.Context(), "connect page failed", "error", err)
		w.Header().Set("Retry-After", "10")
		p = problemBusy
	default:
		h.log.ErrorContext(r.Context(), "connect page failed", "error", err)
		p = problemOurs
	}
	if err := h.render(w, r, p.status, "problem", p.Title, p); err != nil {
		h.log.ErrorContext(r.Context(), "connect page failed", "error", err)
		w.WriteHeader(http.StatusInternalServerError)
	}
}
