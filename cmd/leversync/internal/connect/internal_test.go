package connect

import (
	"errors"
	"slices"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

func TestEveryScopeHasWords(t *testing.T) {
	t.Parallel()
	for _, sc := range unified.Scopes {
		i := slices.IndexFunc(scopeTexts, func(s scopeText) bool { return s.Scope == sc })
		if i < 0 {
			t.Errorf("%s has no words", sc)
			continue
		}
		if s := scopeTexts[i]; s.Name == "" || s.What == "" || s.Why == "" || len(s.reads) == 0 {
			t.Errorf("%s: words are missing: %+v", sc, s)
		}
	}
	if len(scopeTexts) != len(unified.Scopes) {
		t.Errorf("%d texts, want %d", len(scopeTexts), len(unified.Scopes))
	}
	if n := len(reads(scopeTexts)) + len(writes(scopeTexts)) + 1; n > 20 {
		t.Errorf("%d permissions in all, Lever allows an app 20", n)
	}
}

func TestMissing(t *testing.T) {
	t.Parallel()
	wanted := []string{"offers:read:admin", "users:read:admin"}
	tests := []struct {
		granted string
		want    []string
	}{
		{"", nil},
		{"offers:read:admin users:read:admin", nil},
		{"users:write:admin offers:read:admin", nil},
		{"offers:read:admin", []string{"users:read:admin"}},
		{"offline_access", wanted},
	}
	for _, tt := range tests {
		if got := missing(wanted, tt.granted); !slices.Equal(got, tt.want) {
			t.Errorf("missing(%q) = %q, want %q", tt.granted, got, tt.want)
		}
	}
}

func TestJudge(t *testing.T) {
	t.Parallel()
	const ok, no, refused, away = lever.VerdictOK, lever.VerdictForbidden, lever.VerdictRelink, lever.VerdictTransient
	tests := []struct {
		verdicts []lever.Verdict
		want     string
		err      error
	}{
		{[]lever.Verdict{ok, ok, unasked}, "a b c", nil},
		{[]lever.Verdict{ok, no, unasked}, "a c", nil},
		{[]lever.Verdict{ok, away, no}, "a b", nil},
		{[]lever.Verdict{ok, refused, ok}, "", keyRefused},
		{[]lever.Verdict{no, no, unasked}, "", keyBlind},
		{[]lever.Verdict{away, away, unasked}, "", keyAway},
	}
	for _, tt := range tests {
		got, err := judge([]string{"a", "b", "c"}, tt.verdicts)
		if got != tt.want || tt.err == nil && err != nil || tt.err != nil && !errors.Is(err, tt.err) {
			t.Errorf("judge(%v) = %q, %v; want %q, %v", tt.verdicts, got, err, tt.want, tt.err)
		}
	}
}

func TestState(t *testing.T) {
	t.Parallel()
	id := uuid.New()
	a, b := newState(id), newState(id)
	if a == b {
		t.Errorf("newState gives %s twice", a)
	}
	if got, ok := stateSession(a); !ok || got != id {
		t.Errorf("stateSession(%s) = %s, %t; want %s", a, got, ok, id)
	}
	for _, bad := range []string{"", ".", "x", a + "x", "x" + a, a[:len(a)-1], id.String() + a[32:], "zz" + a[2:]} {
		if got, ok := stateSession(bad); ok {
			t.Errorf("stateSession(%q) = %s, want none", bad, got)
		}
	}
	if v := verifier("secret", a); v == verifier("secret", b) || v == verifier("other", a) || len(v) != 43 {
		t.Errorf("verifier is %q, want one of each secret and state", v)
	}
}

func TestNumber(t *testing.T) {
	t.Parallel()
	for n, want := range map[int64]string{0: "0", 7: "7", 999: "999", 1000: "1,000", 123456: "123,456", 1234567: "1,234,567", -1234: "-1,234", -123: "-123"} {
		if got := number(n); got != want {
			t.Errorf("number(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPolicyOfLeversHosts(t *testing.T) {
	t.Parallel()
	tests := []struct {
		oauth lever.OAuthConfig
		want  string
	}{
		{lever.OAuthConfig{}, "form-action 'self';"},
		{lever.OAuthConfig{ClientID: "x"}, "form-action 'self' https://auth.lever.co https://*.lever.co;"},
		{lever.OAuthConfig{ClientID: "x", AuthURL: "https://sandbox-lever.auth0.com"}, "form-action 'self' https://sandbox-lever.auth0.com;"},
	}
	for _, tt := range tests {
		got, err := policy(tt.oauth)
		if err != nil || !strings.Contains(got, tt.want) {
			t.Errorf("policy(%s) = %s, %v; want %s in it", tt.oauth.AuthURL, got, err, tt.want)
		}
	}
}
