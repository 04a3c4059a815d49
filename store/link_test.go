package store_test

import (
	"bytes"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/storetest"
)

// unlinked makes a connector and a link to it.
func unlinked(t *testing.T, db *storetest.DB) store.LinkToken {
	t.Helper()
	lt, err := db.Store.CreateLinkToken(t.Context(), store.NewLink{OrgName: "Acme", OriginID: "acme-1", Email: "ada@example.com", Category: "ATS", Integration: "lever"})
	if err != nil {
		t.Fatalf("CreateLinkToken: %v", err)
	}
	return lt
}

// opened uses a link.
func opened(t *testing.T, db *storetest.DB, token string) (store.LinkSession, string) {
	t.Helper()
	l, secret, err := db.Store.UseLink(t.Context(), token)
	if err != nil {
		t.Fatalf("UseLink: %v", err)
	}
	return l, secret
}

func wantErr(t *testing.T, call string, got, want error) {
	t.Helper()
	if !errors.Is(got, want) {
		t.Errorf("%s: error = %v, want %v", call, got, want)
	}
}

func TestCreateLinkToken(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	lt := unlinked(t, db)
	if len(lt.Token) != 43 {
		t.Errorf("CreateLinkToken: token of %d characters, want 43: 256 bits", len(lt.Token))
	}
	if lt.Connector.Status != "INCOMPLETE" {
		t.Errorf("CreateLinkToken: connector is %s, want INCOMPLETE", lt.Connector.Status)
	}
	if left := time.Until(lt.ExpiresAt); left < store.LinkFor-time.Minute || left > store.LinkFor+time.Minute {
		t.Errorf("CreateLinkToken: expires in %s, want %s", left, store.LinkFor)
	}
	if got := storetest.Value[string](db, `SELECT end_user_email FROM connectors WHERE id = $1`, lt.Connector.ID); got != "ada@example.com" {
		t.Errorf("end_user_email = %q, want ada@example.com", got)
	}
	if hash := storetest.Value[[]byte](db, `SELECT hash FROM links`); bytes.Contains(hash, []byte(lt.Token)) || len(hash) != 32 {
		t.Errorf("links.hash = %x, want a SHA-256", hash)
	}
	for _, n := range []store.NewLink{
		{OrgName: "Acme", OriginID: "1", Category: "HRIS", Integration: "lever"},
		{OrgName: "Acme", OriginID: "1", Category: "ATS", Integration: "other"},
	} {
		_, err := db.Store.CreateLinkToken(t.Context(), n)
		wantErr(t, "CreateLinkToken("+n.Category+", "+n.Integration+")", err, store.ErrNotOffered)
	}
	_, _, err := db.Store.CreateLink(t.Context(), uuid.New(), 0)
	wantErr(t, "CreateLink of no connector", err, store.ErrNotFound)
}

func TestLinkIsUsedOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	lt := unlinked(t, db)
	for range 5 {
		if _, err := db.Store.FindLink(t.Context(), lt.Token); err != nil {
			t.Fatalf("FindLink: %v", err)
		}
	}
	used := 0
	for _, err := range together(8, func(int) error {
		_, _, err := db.Store.UseLink(t.Context(), lt.Token)
		return err
	}) {
		if err == nil {
			used++
		} else {
			wantErr(t, "UseLink again", err, store.ErrLinkUsed)
		}
	}
	if used != 1 {
		t.Errorf("UseLink succeeded %d times of 8, want 1", used)
	}
	l, err := db.Store.FindLink(t.Context(), lt.Token)
	wantErr(t, "FindLink of a used link", err, store.ErrLinkUsed)
	if l.SessionID == nil {
		t.Error("FindLink of a used link names no session")
	}
	_, err = db.Store.FindLink(t.Context(), strings.Repeat("x", 43))
	wantErr(t, "FindLink of an unknown link", err, store.ErrNotFound)
}

func TestLinkExpires(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	c := unlinked(t, db).Connector
	token, expires, err := db.Store.CreateLink(t.Context(), c.ID, time.Hour)
	if err != nil {
		t.Fatalf("CreateLink: %v", err)
	}
	if left := time.Until(expires); left > time.Hour+time.Minute || left < 59*time.Minute {
		t.Errorf("CreateLink(1h): expires in %s", left)
	}
	db.Exec(`UPDATE links SET expires_at = now()`)
	_, err = db.Store.FindLink(t.Context(), token)
	wantErr(t, "FindLink", err, store.ErrExpired)
	_, _, err = db.Store.UseLink(t.Context(), token)
	wantErr(t, "UseLink", err, store.ErrExpired)
	db.Exec(`UPDATE links SET expires_at = now() - interval '31 days'`)
	if _, _, err := db.Store.CreateLink(t.Context(), c.ID, 0); err != nil {
		t.Fatalf("CreateLink: %v", err)
	}
	_, err = db.Store.FindLink(t.Context(), token)
	wantErr(t, "FindLink of a link long expired", err, store.ErrNotFound)
}

func TestTriesAreLimited(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l, err := db.Store.FindLink(t.Context(), unlinked(t, db).Token)
	if err != nil {
		t.Fatalf("FindLink: %v", err)
	}
	for n := range 25 {
		err := db.Store.CountTry(t.Context(), l.Hash)
		if limited := errors.Is(err, store.ErrTooManyTries); limited != (n >= 20) {
			t.Errorf("CountTry %d: error = %v", n+1, err)
		}
	}
}

func TestLinkSession(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	l, secret := opened(t, db, unlinked(t, db).Token)
	if got, err := db.Store.LinkSession(t.Context(), l.ID, secret); err != nil || got.ID != l.ID || got.Linked() {
		t.Errorf("LinkSession = %+v, %v", got, err)
	}
	_, err := db.Store.LinkSession(t.Context(), l.ID, "another")
	wantErr(t, "LinkSession with another secret", err, store.ErrNotFound)
	_, err = db.Store.LinkSession(t.Context(), uuid.New(), secret)
	wantErr(t, "LinkSession of another id", err, store.ErrNotFound)
	db.Exec(`UPDATE link_sessions SET expires_at = now()`)
	_, err = db.Store.LinkSession(t.Context(), l.ID, secret)
	wantErr(t, "LinkSession, expired", err, store.ErrNotFound)
}

func TestAuthorizationState(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	l, _ := opened(t, db, unlinked(t, db).Token)
	wantErr(t, "EndAuthorization before any", db.Store.EndAuthorization(ctx, l.ID, "a"), store.ErrWrongState)
	begin := func(state string) {
		t.Helper()
		if err := db.Store.BeginAuthorization(ctx, l.ID, state); err != nil {
			t.Fatalf("BeginAuthorization: %v", err)
		}
	}
	begin("a")
	begin("b")
	wantErr(t, "EndAuthorization of the state before", db.Store.EndAuthorization(ctx, l.ID, "a"), store.ErrWrongState)
	taken := 0
	for _, err := range together(8, func(int) error { return db.Store.EndAuthorization(ctx, l.ID, "b") }) {
		if err == nil {
			taken++
		} else {
			wantErr(t, "EndAuthorization again", err, store.ErrStateUsed)
		}
	}
	if taken != 1 {
		t.Errorf("EndAuthorization succeeded %d times of 8, want 1", taken)
	}
	begin("c")
	db.Exec(`UPDATE link_sessions SET state_expires_at = now()`)
	wantErr(t, "EndAuthorization of an expired state", db.Store.EndAuthorization(ctx, l.ID, "c"), store.ErrExpired)
	wantErr(t, "EndAuthorization of no session", db.Store.EndAuthorization(ctx, uuid.New(), "c"), store.ErrWrongState)
}

func TestCompleteLink(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	lt := unlinked(t, db)
	l, _ := opened(t, db, lt.Token)
	_, err := db.Store.CompleteLink(ctx, l.ID, nil)
	wantErr(t, "CompleteLink with nothing held", err, store.ErrNotFound)
	want := store.Credential{Kind: "oauth", Secret: "access-canary", Refresh: "refresh-canary", ExpiresAt: time.Now().Add(time.Hour).UTC().Truncate(time.Millisecond)}
	if err := db.Store.HoldCredential(ctx, l, want, "offline_access"); err != nil {
		t.Fatalf("HoldCredential: %v", err)
	}
	if held := storetest.Value[[]byte](db, `SELECT held FROM link_sessions`); bytes.Contains(held, []byte("canary")) {
		t.Error("the held credential is stored in the clear")
	}
	if c, _ := db.Store.Connector(ctx, lt.Connector.ID); c.Status != "INCOMPLETE" {
		t.Errorf("with a held credential the connector is %s, want INCOMPLETE", c.Status)
	}
	if l, err = db.Store.CompleteLink(ctx, l.ID, nil); err != nil || !l.Linked() || l.Held {
		t.Fatalf("CompleteLink = %+v, %v", l, err)
	}
	got, err := db.Store.Credential(ctx, lt.Connector.ID)
	if err != nil || got.Kind != want.Kind || got.Secret != want.Secret || got.Refresh != want.Refresh || got.ExpiresAt.Sub(want.ExpiresAt).Abs() > 10*time.Second {
		t.Errorf("Credential after CompleteLink is another, or %v", err)
	}
	if c, _ := db.Store.Connector(ctx, lt.Connector.ID); c.Status != "COMPLETE" {
		t.Errorf("after CompleteLink the connector is %s, want COMPLETE", c.Status)
	}
	_, err = db.Store.CompleteLink(ctx, l.ID, &want)
	wantErr(t, "CompleteLink again", err, store.ErrLinkUsed)
	wantErr(t, "BeginAuthorization once linked", db.Store.BeginAuthorization(ctx, l.ID, "x"), store.ErrLinkUsed)
}

// linkTo makes one more link to a connector.
func linkTo(t *testing.T, db *storetest.DB, connector uuid.UUID) string {
	t.Helper()
	token, _, err := db.Store.CreateLink(t.Context(), connector, 0)
	if err != nil {
		t.Fatalf("CreateLink: %v", err)
	}
	return token
}

// Once an account is linked, nothing that was given out before links another in its place.
func TestLinkingEndsOtherLinks(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	cred := &store.Credential{Kind: "api_key", Secret: "own"}
	lt := unlinked(t, db)
	begun, secret := opened(t, db, lt.Token)
	if err := db.Store.HoldCredential(ctx, begun, store.Credential{Kind: "api_key", Secret: "held"}, ""); err != nil {
		t.Fatalf("HoldCredential: %v", err)
	}
	unused, elsewhere := linkTo(t, db, lt.Connector.ID), unlinked(t, db)
	l, own := opened(t, db, linkTo(t, db, lt.Connector.ID))
	if _, err := db.Store.CompleteLink(ctx, l.ID, cred); err != nil {
		t.Fatalf("CompleteLink: %v", err)
	}
	if _, err := db.Store.LinkSession(ctx, l.ID, own); err != nil {
		t.Errorf("LinkSession of who linked: %v", err)
	}

	_, err := db.Store.FindLink(ctx, unused)
	wantErr(t, "FindLink of another link", err, store.ErrExpired)
	_, _, err = db.Store.UseLink(ctx, unused)
	wantErr(t, "UseLink of another link", err, store.ErrExpired)
	_, _, err = db.Store.UseLinkWith(ctx, unused, *cred)
	wantErr(t, "UseLinkWith of another link", err, store.ErrExpired)
	_, err = db.Store.LinkSession(ctx, begun.ID, secret)
	wantErr(t, "LinkSession of another browser", err, store.ErrNotFound)
	for _, c := range []*store.Credential{nil, {Kind: "api_key", Secret: "other"}} {
		_, err = db.Store.CompleteLink(ctx, begun.ID, c)
		wantErr(t, "CompleteLink by another browser", err, store.ErrNotFound)
	}
	if got, _ := db.Store.Credential(ctx, lt.Connector.ID); got.Secret != "own" {
		t.Error("another link replaced the credential")
	}
	opened(t, db, elsewhere.Token) // a link to another connector

	late := linkTo(t, db, lt.Connector.ID)
	if _, err := db.Store.Link(ctx, lt.Connector.ID, *cred); err != nil {
		t.Fatalf("Link: %v", err)
	}
	_, _, err = db.Store.UseLink(ctx, late)
	wantErr(t, "UseLink of a link, the account linked by hand", err, store.ErrExpired)
}

// Of those who link an account at the same moment, by links of their own, one does.
func TestLinkingAtOnce(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	for range 40 {
		lt := unlinked(t, db)
		unused := []string{linkTo(t, db, lt.Connector.ID), linkTo(t, db, lt.Connector.ID)}
		one, _ := opened(t, db, lt.Token)
		other, _ := opened(t, db, linkTo(t, db, lt.Connector.ID))
		begun := []uuid.UUID{one.ID, other.ID}
		linked := ""
		for i, err := range together(5, func(i int) error {
			cred := store.Credential{Kind: "api_key", Secret: fmt.Sprint(i)}
			switch i {
			case 0, 1:
				_, _, err := db.Store.UseLinkWith(ctx, unused[i], cred)
				return err
			case 2, 3:
				_, err := db.Store.CompleteLink(ctx, begun[i-2], &cred)
				return err
			}
			_, _, err := db.Store.CreateLink(ctx, lt.Connector.ID, 0) // makes nobody wait, and waits for nobody
			return err
		}) {
			switch {
			case i == 4 && err != nil:
				t.Errorf("CreateLink meanwhile: %v", err)
			case i < 4 && err == nil:
				linked += fmt.Sprint(i)
			case i < 2:
				wantErr(t, "UseLinkWith, second", err, store.ErrExpired)
			case i < 4:
				wantErr(t, "CompleteLink, second", err, store.ErrNotFound)
			}
		}
		if got, err := db.Store.Credential(ctx, lt.Connector.ID); err != nil || got.Secret != linked {
			t.Errorf("linked by %q of 4 at once, the credential is that of %q, %v; want one", linked, got.Secret, err)
		}
	}
}

func TestRelinkKeepsTheConnector(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	c := linked(t, db)
	before := storetest.Value[[]byte](db, `SELECT token_hash FROM connectors`)
	if _, err := db.Store.NeedRelink(ctx, c.ID, "refused", time.Time{}); err != nil {
		t.Fatalf("NeedRelink: %v", err)
	}
	token, _, err := db.Store.CreateLink(ctx, c.ID, 0)
	if err != nil {
		t.Fatalf("CreateLink: %v", err)
	}
	if _, _, err := db.Store.UseLinkWith(ctx, token, store.Credential{Kind: "api_key", Secret: "new"}); err != nil {
		t.Fatalf("UseLinkWith: %v", err)
	}
	got, err := db.Store.Connector(ctx, c.ID)
	if err != nil || got.Status != "COMPLETE" || got.RelinkNeededAt != nil || !got.CompletedAt.Equal(*c.CompletedAt) {
		t.Errorf("relinked: %+v, %v", got, err)
	}
	if after := storetest.Value[[]byte](db, `SELECT token_hash FROM connectors`); !bytes.Equal(before, after) {
		t.Error("relinking changed the connector's token")
	}
	_, _, err = db.Store.UseLinkWith(ctx, token, store.Credential{Kind: "api_key", Secret: "other"})
	wantErr(t, "UseLinkWith again", err, store.ErrLinkUsed)
	if cred, _ := db.Store.Credential(ctx, c.ID); cred.Secret != "new" {
		t.Error("a used link replaced the credential")
	}
}

func TestTemporaryToken(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	c, token, err := db.Store.CreateConnector(ctx, store.NewConnector{OrgName: "Acme", OriginID: "1", APIKey: "key"})
	if err != nil {
		t.Fatalf("CreateConnector: %v", err)
	}
	create := func() string {
		t.Helper()
		tmp, err := db.Store.CreateTemporaryToken(ctx, c.ID)
		if err != nil {
			t.Fatalf("CreateTemporaryToken: %v", err)
		}
		return tmp
	}
	old, tmp := create(), create()
	_, _, err = db.Store.ExchangeTemporaryToken(ctx, old)
	wantErr(t, "ExchangeTemporaryToken of a replaced one", err, store.ErrNotFound)
	got, id, err := db.Store.ExchangeTemporaryToken(ctx, tmp)
	if err != nil || got != token || id != c.ID {
		t.Errorf("ExchangeTemporaryToken = another token, %s, %v; want the connector's, %s", id, err, c.ID)
	}
	_, _, err = db.Store.ExchangeTemporaryToken(ctx, tmp)
	wantErr(t, "ExchangeTemporaryToken again", err, store.ErrNotFound)
	tmp = create()
	db.Exec(`UPDATE temporary_tokens SET expires_at = now()`)
	_, _, err = db.Store.ExchangeTemporaryToken(ctx, tmp)
	wantErr(t, "ExchangeTemporaryToken, expired", err, store.ErrNotFound)
}

func TestIdleOAuth(t *testing.T) {
	t.Parallel()
	db := storetest.New(t)
	ctx := t.Context()
	linked(t, db) // by API key: never idle
	var ids []uuid.UUID
	for range 4 {
		c := unlinked(t, db).Connector
		if _, err := db.Store.Link(ctx, c.ID, store.Credential{Kind: "oauth", Secret: "a", Refresh: "r"}); err != nil {
			t.Fatalf("Link: %v", err)
		}
		ids = append(ids, c.ID)
	}
	db.Exec(`UPDATE credentials SET refreshed_at = now() - interval '40 days'`)
	db.Exec(`UPDATE credentials SET refreshed_at = now() - interval '50 days' WHERE connector_id = $1`, ids[1])
	db.Exec(`UPDATE credentials SET refreshed_at = now() - interval '1 day' WHERE connector_id = $1`, ids[2])
	db.Exec(`UPDATE connectors SET status = 'RELINK_NEEDED' WHERE id = $1`, ids[3])
	got, err := db.Store.IdleOAuth(ctx, 20*24*time.Hour, 10)
	if err != nil || len(got) != 2 || got[0].ConnectorID != ids[1] || got[1].ConnectorID != ids[0] {
		t.Errorf("IdleOAuth = %v, %v; want %v", got, err, []uuid.UUID{ids[1], ids[0]})
	}
}
