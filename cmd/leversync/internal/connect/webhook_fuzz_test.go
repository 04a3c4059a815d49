package connect

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
)

// FuzzWebhook reads any delivery: what is taken for genuine was signed with the token, and what it hints at can be asked for.
func FuzzWebhook(f *testing.F) {
	const token = "signing-token"
	sign := func(t string, at int64) string {
		mac := hmac.New(sha256.New, []byte(token))
		fmt.Fprintf(mac, "%s%d", t, at)
		return hex.EncodeToString(mac.Sum(nil))
	}
	now := time.UnixMilli(1_750_000_000_000)
	for _, event := range []string{"candidateStageChange", "interviewCreated", "contactUpdated", ""} {
		f.Add(fmt.Appendf(nil, `{"id":"1","event":%q,"triggeredAt":%d,"token":"abc","signature":%q,"data":{"opportunityId":"0f5cc5de-5d1f-4cd1","contactId":"7b21c5de-5d1f-4cd1"}}`,
			event, now.UnixMilli(), sign("abc", now.UnixMilli())))
	}
	for _, s := range []string{``, `null`, `[]`, `{}`, `{"token":"a","triggeredAt":1e3}`, `{"token":"a","triggeredAt":9223372036854775807,"signature":"00"}`, `{"token":"a","triggeredAt":1,"data":null}`, `{"token":"a","triggeredAt":1,"data":[]}`} {
		f.Add([]byte(s))
	}
	dir := os.Getenv("LEVERSYNC_FIXTURES")
	if dir == "" {
		dir = filepath.FromSlash("../../../../../shared/fixtures")
	}
	recorded, _ := filepath.Glob(filepath.Join(dir, "nango__webhook*.json")) // Lever's answers about webhooks, where they are at hand
	for _, name := range recorded {
		if b, err := os.ReadFile(name); err == nil {
			f.Add(b)
		}
	}
	f.Fuzz(func(t *testing.T, body []byte) {
		d, err := parseDelivery(body)
		if err != nil {
			return
		}
		signed := hmac.Equal([]byte(sign(d.Token, d.TriggeredAt)), []byte(d.Signature))
		if lower, err := hex.DecodeString(d.Signature); err == nil {
			signed = sign(d.Token, d.TriggeredAt) == hex.EncodeToString(lower)
		}
		if got := d.genuine([]string{"", "another", token}); got != signed {
			t.Errorf("genuine(%q) = %t, want %t", body, got, signed)
		}
		if d.genuine(nil) || d.genuine([]string{""}) {
			t.Errorf("genuine(%q) = true without a token", body)
		}
		if age := now.Sub(time.UnixMilli(d.TriggeredAt)).Abs(); d.timely(now) != (age <= webhookWindow) {
			t.Errorf("timely(%q) = %t, %s away", body, d.timely(now), age)
		}
		if h := d.hint(); h != nil && (!leverID.MatchString(h.RemoteID) || h.Kind != store.HintContact && h.Kind != store.HintOpportunity) {
			t.Errorf("hint(%q) = %+v, which can't be asked for", body, h)
		}
	})
}
