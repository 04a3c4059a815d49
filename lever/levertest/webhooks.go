package levertest

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"sync"
	"time"
)

// webhook is a registered one. Only the answer to its creation shows its signature token.
type webhook struct {
	ID            string         `json:"id"`
	Event         string         `json:"event"`
	URL           string         `json:"url"`
	Configuration map[string]any `json:"configuration"`
	CreatedAt     ms             `json:"createdAt"`
	UpdatedAt     ms             `json:"updatedAt"`

	secret string
}

// delivery is a webhook's body on its way.
type delivery struct {
	hook webhook
	body []byte
}

// webhooks delivers events, one after the other, from a goroutine that starts with the first registration.
type webhooks struct {
	client *http.Client
	gap    time.Duration // before the second try; doubles
	seed   uint64

	mu        sync.Mutex
	list      []webhook
	made      int // webhooks and events so far
	queue     []delivery
	wake      chan struct{}
	idle      *sync.Cond
	busy      bool
	stop      context.CancelFunc
	done      chan struct{}
	delivered int
}

// deliveryTries is one delivery and five retries.
const deliveryTries = 6

func (h *webhooks) init(s *Server) {
	h.client = &http.Client{
		Timeout:       10 * time.Second,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	h.gap, h.seed = s.cfg.WebhookRetry, s.gen.seed
	h.wake = make(chan struct{}, 1)
	h.idle = sync.NewCond(&h.mu)
}

// register adds a webhook and starts the delivery.
func (h *webhooks) register(w webhook) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.list = append(h.list, w)
	if h.stop != nil {
		return
	}
	ctx, cancel := context.WithCancel(context.Background())
	h.stop, h.done = cancel, make(chan struct{})
	go h.run(ctx)
}

func (h *webhooks) close() {
	h.mu.Lock()
	stop, done := h.stop, h.done
	h.stop = nil
	h.mu.Unlock()
	if stop != nil {
		stop()
		<-done
	}
	h.client.CloseIdleConnections()
}

// emit queues an event for all webhooks that want it.
func (h *webhooks) emit(event string, at int64, data map[string]any) {
	h.mu.Lock()
	defer h.mu.Unlock()
	for _, w := range h.list {
		if w.Event != event {
			continue
		}
		h.made++
		r := newRNG(h.seed, kindWebhook, h.made)
		token := fmt.Sprintf("%016x%016x%016x", r.next(), r.next(), r.next())
		mac := hmac.New(sha256.New, []byte(w.secret))
		mac.Write([]byte(token + strconv.FormatInt(at, 10)))
		body, err := json.Marshal(map[string]any{
			"id": ids{h.seed}.id(kindWebhook, h.made, 1), "event": event, "triggeredAt": at, "token": token,
			"signature": hex.EncodeToString(mac.Sum(nil)), "data": data,
		})
		if err == nil {
			h.queue = append(h.queue, delivery{w, body})
		}
	}
	select {
	case h.wake <- struct{}{}:
	default:
	}
}

// run delivers until ctx ends.
func (h *webhooks) run(ctx context.Context) {
	defer close(h.done)
	for {
		h.mu.Lock()
		var d *delivery
		if len(h.queue) > 0 {
			d = &h.queue[0]
			h.queue = h.queue[1:]
		}
		h.busy = d != nil
		h.idle.Broadcast()
		h.mu.Unlock()
		if d != nil {
			h.deliver(ctx, *d)
		} else {
			select {
			case <-h.wake:
			case <-ctx.Done():
			}
		}
		if ctx.Err() != nil {
			h.mu.Lock()
			h.queue, h.busy = nil, false
			h.idle.Broadcast()
			h.mu.Unlock()
			return
		}
	}
}

// deliver tries until some 2xx acknowledges; a redirect does not.
func (h *webhooks) deliver(ctx context.Context, d delivery) {
	gap := h.gap
	for try := range deliveryTries {
		if try > 0 && !pause(ctx, gap) {
			return
		}
		if try > 0 {
			gap *= 2
		}
		req, err := http.NewRequestWithContext(ctx, http.MethodPost, d.hook.URL, bytes.NewReader(d.body))
		if err != nil {
			return
		}
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("User-Agent", "Lever-Webhooks")
		resp, err := h.client.Do(req)
		if err != nil {
			continue
		}
		_, _ = io.Copy(io.Discard, io.LimitReader(resp.Body, 1<<20))
		_ = resp.Body.Close()
		if resp.StatusCode/100 == 2 {
			h.mu.Lock()
			h.delivered++
			h.mu.Unlock()
			return
		}
	}
}

// Flush waits until all queued webhooks were delivered or given up, and returns how many were acknowledged so far.
func (s *Server) Flush() int {
	h := &s.hooks
	h.mu.Lock()
	defer h.mu.Unlock()
	for h.stop != nil && (len(h.queue) > 0 || h.busy) {
		h.idle.Wait()
	}
	return h.delivered
}

// Webhooks are the URLs that webhooks are registered to, by event.
func (s *Server) Webhooks() map[string][]string {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	out := map[string][]string{}
	for _, h := range s.hooks.list {
		out[h.Event] = append(out[h.Event], h.URL)
	}
	return out
}

// hookRoutes registers the endpoints of webhooks.
func (s *Server) hookRoutes() {
	s.mux.HandleFunc("GET /v1/webhooks", func(w http.ResponseWriter, _ *http.Request) {
		s.hooks.mu.Lock()
		list := append([]webhook{}, s.hooks.list...)
		s.hooks.mu.Unlock()
		s.answer(w, http.StatusOK, map[string]any{"data": list})
	})
	s.mux.HandleFunc("POST /v1/webhooks", s.createHook)
	s.mux.HandleFunc("PUT /v1/webhooks/{id}", s.updateHook)
	s.mux.HandleFunc("DELETE /v1/webhooks/{id}", s.deleteHook)
}

// hookBody is what a webhook is made or changed with.
type hookBody struct {
	URL           string         `json:"url"`
	Event         string         `json:"event"`
	Configuration map[string]any `json:"configuration"`
}

// hookEvents are the events there are.
var hookEvents = []string{
	"applicationCreated", "candidateHired", "candidateStageChange", "candidateArchiveChange", "candidateDeleted",
	"interviewCreated", "interviewUpdated", "interviewDeleted", "contactCreated", "contactUpdated",
}

func (s *Server) createHook(w http.ResponseWriter, r *http.Request) {
	var in hookBody
	if bad := readJSON(r, &in); bad != nil {
		s.fail(w, bad)
		return
	}
	if in.URL == "" || !slices.Contains(hookEvents, in.Event) {
		s.fail(w, badRequest("url and a known event are required"))
		return
	}
	s.mu.Lock()
	now := ms(s.tick())
	s.mu.Unlock()
	s.hooks.mu.Lock()
	s.hooks.made++
	n := s.hooks.made
	s.hooks.mu.Unlock()
	secret := newRNG(s.gen.seed, kindToken, -n)
	hook := webhook{
		ID: s.gen.id(kindWebhook, n, 0), Event: in.Event, URL: in.URL, Configuration: in.Configuration, CreatedAt: now, UpdatedAt: now,
		secret: fmt.Sprintf("%016x%016x%016x", secret.next(), secret.next(), secret.next()),
	}
	if hook.Configuration == nil {
		hook.Configuration = map[string]any{}
	}
	s.hooks.register(hook)
	shown := hook
	shown.Configuration = map[string]any{"signatureToken": hook.secret}
	for k, v := range hook.Configuration {
		shown.Configuration[k] = v
	}
	s.answerOne(w, http.StatusCreated, shown)
}

func (s *Server) updateHook(w http.ResponseWriter, r *http.Request) {
	var in hookBody
	if bad := readJSON(r, &in); bad != nil {
		s.fail(w, bad)
		return
	}
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	i := slices.IndexFunc(s.hooks.list, func(h webhook) bool { return h.ID == r.PathValue("id") })
	if i < 0 {
		s.fail(w, notFound("The webhook"))
		return
	}
	h := &s.hooks.list[i]
	if in.URL != "" {
		h.URL = in.URL
	}
	if in.Configuration != nil {
		h.Configuration = in.Configuration
	}
	h.UpdatedAt = ms(s.now().UnixMilli())
	s.answerOne(w, http.StatusOK, *h)
}

func (s *Server) deleteHook(w http.ResponseWriter, r *http.Request) {
	s.hooks.mu.Lock()
	defer s.hooks.mu.Unlock()
	n := len(s.hooks.list)
	s.hooks.list = slices.DeleteFunc(s.hooks.list, func(h webhook) bool { return h.ID == r.PathValue("id") })
	if len(s.hooks.list) == n {
		s.fail(w, notFound("The webhook"))
		return
	}
	w.WriteHeader(http.StatusNoContent)
}
