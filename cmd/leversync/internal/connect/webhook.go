package connect

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"regexp"
	"strconv"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// WebhookPath is where Lever's webhooks come in, under the public URL; a secret of the connector's own ends the path.
const WebhookPath = "/webhooks/lever/"

const (
	// maxWebhook bounds a delivery, in bytes. Lever's are some hundred.
	maxWebhook = 1 << 20
	// webhookWindow is how far a delivery's time may be from Postgres' clock.
	webhookWindow = 5 * time.Minute
	// webhookTimeout is how long Postgres may take to note one: Lever asks again.
	webhookTimeout = 5 * time.Second
)

// The results of deliveries, as they are counted.
const (
	WebhookTaken     = "taken"         // it was noted what it hints at
	WebhookEmpty     = "empty"         // genuine, and about nothing that is synced: Lever's test is
	WebhookRepeated  = "repeated"      // it was taken before
	WebhookDropped   = "dropped"       // genuine, and one too many within the hour: the next sync finds what it tells of
	WebhookUnknown   = "unknown"       // nobody has this path
	WebhookUnsigned  = "bad_signature" // not signed with a token of the connector's
	WebhookUntimely  = "untimely"      // too old, or from the future
	WebhookMalformed = "malformed"
	WebhookTooLarge  = "too_large"
	WebhookFailed    = "failed" // Postgres did not note it; Lever tries again
)

// WebhookResults are all of them.
var WebhookResults = []string{WebhookTaken, WebhookEmpty, WebhookRepeated, WebhookDropped, WebhookUnknown, WebhookUnsigned, WebhookUntimely, WebhookMalformed, WebhookTooLarge, WebhookFailed}

// webhookStatus is what a result is answered with. Any 2xx tells Lever that it need not try again.
var webhookStatus = map[string]int{
	WebhookTaken: http.StatusOK, WebhookEmpty: http.StatusOK, WebhookRepeated: http.StatusOK, WebhookDropped: http.StatusOK, WebhookUnknown: http.StatusNotFound,
	WebhookUnsigned: http.StatusUnauthorized, WebhookUntimely: http.StatusBadRequest, WebhookMalformed: http.StatusBadRequest,
	WebhookTooLarge: http.StatusRequestEntityTooLarge, WebhookFailed: http.StatusServiceUnavailable,
}

// delivery is a webhook as Lever sends it. Nothing of it is believed but that something has changed: the signature is over
// token and time alone.
type delivery struct {
	Event       string `json:"event"`
	TriggeredAt int64  `json:"triggeredAt"` // ms
	Token       string `json:"token"`
	Signature   string `json:"signature"`
	Data        struct {
		OpportunityID string `json:"opportunityId"`
		ContactID     string `json:"contactId"`
	} `json:"data"`
}

func parseDelivery(body []byte) (delivery, error) {
	var d delivery
	if err := json.Unmarshal(body, &d); err != nil {
		return d, err
	}
	if d.Token == "" || len(d.Token) > 256 || d.TriggeredAt <= 0 {
		return d, errors.New("connect: it has no token or no time")
	}
	return d, nil
}

// genuine reports whether one of the tokens has signed the delivery.
func (d delivery) genuine(tokens []string) bool {
	got, err := hex.DecodeString(d.Signature)
	if err != nil || len(got) != sha256.Size {
		return false
	}
	signed := d.Token + strconv.FormatInt(d.TriggeredAt, 10)
	ok := false
	for _, t := range tokens {
		if t == "" {
			continue
		}
		mac := hmac.New(sha256.New, []byte(t))
		mac.Write([]byte(signed))
		ok = hmac.Equal(mac.Sum(nil), got) || ok
	}
	return ok
}

// timely reports whether the delivery was made within the window around now.
func (d delivery) timely(now time.Time) bool {
	age := now.UnixMilli() - d.TriggeredAt
	return age <= webhookWindow.Milliseconds() && age >= -webhookWindow.Milliseconds()
}

// leverID is what an id of Lever's looks like: it is asked for by it.
var leverID = regexp.MustCompile(`^[0-9A-Za-z-]{8,64}$`)

// hintScopes are the scopes whose lists of an opportunity an event is about. Of those that are not here the opportunity alone is.
var hintScopes = map[string][]unified.Scope{
	"applicationCreated": {unified.Attachments}, // it comes with a resume
	"candidateHired":     {unified.Offers},
	"interviewCreated":   {unified.ScheduledInterviews, unified.Scorecards},
	"interviewUpdated":   {unified.ScheduledInterviews, unified.Scorecards},
	"interviewDeleted":   {unified.ScheduledInterviews, unified.Scorecards},
}

// hint is where to look; nil: nowhere. An event about a contact is about all opportunities of that person.
func (d delivery) hint() *store.Hint {
	if strings.HasPrefix(d.Event, "contact") {
		if !leverID.MatchString(d.Data.ContactID) {
			return nil
		}
		return &store.Hint{Kind: store.HintContact, RemoteID: d.Data.ContactID}
	}
	if !leverID.MatchString(d.Data.OpportunityID) {
		return nil
	}
	return &store.Hint{Kind: store.HintOpportunity, RemoteID: d.Data.OpportunityID, Scopes: hintScopes[d.Event]}
}

// Webhooks serves everything under [WebhookPath]. It answers once a delivery is noted; what follows from it is not waited for.
func (h *Handler) Webhooks() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST "+WebhookPath+"{secret}", func(w http.ResponseWriter, r *http.Request) {
		result := h.takeWebhook(w, r)
		if h.cfg.OnWebhook != nil {
			h.cfg.OnWebhook(result)
		}
		w.Header().Set("Cache-Control", "no-store")
		w.Header().Set("Content-Type", "text/plain; charset=utf-8")
		w.Header().Set("X-Content-Type-Options", "nosniff")
		w.WriteHeader(webhookStatus[result])
		_, _ = io.WriteString(w, result+"\n") // who has gone away asks again
	})
	return mux
}

func (h *Handler) takeWebhook(w http.ResponseWriter, r *http.Request) (result string) {
	ctx, cancel := context.WithTimeout(r.Context(), webhookTimeout)
	defer cancel()
	to, err := h.store.WebhookTarget(ctx, r.PathValue("secret"))
	if errors.Is(err, store.ErrNotFound) {
		return WebhookUnknown
	}
	if err != nil {
		h.log.WarnContext(ctx, "webhook not taken", "error", err)
		return WebhookFailed
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, r.Body, maxWebhook))
	if _, large := errors.AsType[*http.MaxBytesError](err); large {
		return WebhookTooLarge
	}
	if err != nil {
		return WebhookMalformed
	}
	d, err := parseDelivery(body)
	switch {
	case err != nil:
		return WebhookMalformed
	case !d.genuine(to.Tokens):
		h.log.DebugContext(ctx, "webhook refused", "connector_id", to.Connector, "reason", WebhookUnsigned)
		return WebhookUnsigned
	case !d.timely(to.Now):
		return WebhookUntimely
	}
	hint := d.hint()
	first, err := h.store.TakeWebhook(ctx, to.Connector, d.Token, hint)
	switch {
	case errors.Is(err, store.ErrNotFound):
		return WebhookUnknown
	case errors.Is(err, store.ErrCrowded):
		return WebhookDropped
	case err != nil:
		h.log.WarnContext(ctx, "webhook not taken", "connector_id", to.Connector, "error", err)
		return WebhookFailed
	case !first:
		return WebhookRepeated
	case hint == nil:
		return WebhookEmpty
	}
	return WebhookTaken
}
