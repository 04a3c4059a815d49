package levertest

import (
	"sync"
	"time"
)

// tokens remembers when page tokens were given out, if they expire at all.
type tokens struct {
	life time.Duration // 0: for ever

	mu     sync.Mutex
	issued map[string]time.Time
}

// issue notes that a token was given out, and returns it.
func (t *tokens) issue(token string, now time.Time) string {
	if t.life > 0 {
		t.mu.Lock()
		defer t.mu.Unlock()
		if t.issued == nil {
			t.issued = map[string]time.Time{}
		}
		t.issued[token] = now
	}
	return token
}

// valid tells whether a token may still be used.
func (t *tokens) valid(token string, now time.Time) bool {
	if t.life <= 0 {
		return true
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	at, ok := t.issued[token]
	return ok && now.Sub(at) < t.life
}
