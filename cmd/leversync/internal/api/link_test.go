package api

import (
	"context"
	"io"
	"net/http"
	"strings"
	"testing"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store"
)

// send makes a request with a JSON body, by a key alone.
func (e *env) send(key, method, path, body string) answer {
	e.t.Helper()
	req, err := http.NewRequestWithContext(e.t.Context(), method, e.url+path, strings.NewReader(body))
	if err != nil {
		e.t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("Content-Type", "application/json")
	resp, err := http.DefaultClient.Do(req)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		e.t.Fatalf("%s %s: %v", method, path, err)
	}
	return answer{resp.StatusCode, resp.Header, b}
}

const createLinkToken = "/api/embedded/v1/link/create-link-token"

func TestLinkToken(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	con := readContract(t)
	ctx := context.Background()
	a := e.send(e.key, "POST", createLinkToken, `{"end_user_data":{"org_name":" Globex ","origin_id":"globex-1","email":"ada@example.com"},"category":"ATS","integration":"lever"}`)
	if a.status != 200 {
		t.Fatalf("create-link-token = %d %s; want 200", a.status, a.body)
	}
	con.check(t, "create-link-token", "LinkTokenResponse", a.body)
	got := a.json(t)
	link := got["link_token"].(string)
	if got["magic_link"] != "https://sync.example.com/connect/"+link {
		t.Errorf("magic_link = %v; want the page of the link token", got["magic_link"])
	}
	l, err := e.db.Store.FindLink(ctx, link)
	if err != nil || l.ConnectorID.String() != got["connector_id"] {
		t.Fatalf("FindLink(link_token) = %+v, %v; want a link to connector %v", l, err, got["connector_id"])
	}
	found := e.ok(ats + "connectors?origin_id=globex-1").items(t)
	if len(found) != 1 || found[0]["status"] != "INCOMPLETE" || found[0]["end_user"] != "Globex" || found[0]["id"] != got["connector_id"] {
		t.Errorf("connectors of the origin = %v; want the one, INCOMPLETE", found)
	}

	tmp, err := e.db.Store.CreateTemporaryToken(ctx, l.ConnectorID)
	if err != nil {
		t.Fatal(err)
	}
	exchange := "/api/embedded/v1/connectors/connector_token/" + tmp
	a = e.send(e.key, "GET", exchange, "")
	con.check(t, "exchange", "ConnectorTokenResponse", a.body)
	if a.status != 200 || a.json(t)["connector_token"] != found[0]["connector_token"] || a.json(t)["connector_id"] != got["connector_id"] {
		t.Errorf("exchange = %d %s; want the connector's token", a.status, a.body)
	}
	if a := e.send(e.key, "GET", exchange, ""); a.status != 404 || a.json(t)["detail"] == "" {
		t.Errorf("exchange again = %d %s; want 404", a.status, a.body)
	}
}

func TestLinkTokenRefusals(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	con := readContract(t)
	for _, c := range []struct {
		name, body string
		want       int
		loc        string // of a 422's first error
	}{
		{"another category", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1"},"category":"HRIS","integration":"lever"}`, 403, ""},
		{"another integration", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1"},"category":"ATS","integration":"greenhouse"}`, 403, ""},
		{"no such category", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1"},"category":"CRM","integration":"lever"}`, 422, `["body","category"]`},
		{"no integration", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1"},"category":"ATS"}`, 422, `["body"]`},
		{"a name of one letter", `{"end_user_data":{"org_name":"A","origin_id":"a-1"},"category":"ATS","integration":"lever"}`, 422, `["body","end_user_data","org_name"]`},
		{"a name of spaces", `{"end_user_data":{"org_name":"   ","origin_id":"a-1"},"category":"ATS","integration":"lever"}`, 422, `["body","end_user_data","org_name"]`},
		{"a null", `{"end_user_data":{"org_name":"Ac\u0000me","origin_id":"a-1"},"category":"ATS","integration":"lever"}`, 422, `["body","end_user_data","org_name"]`},
		{"no address", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1","email":"x"},"category":"ATS","integration":"lever"}`, 422, `["body","end_user_data","email"]`},
		{"no end user", `{"category":"ATS","integration":"lever"}`, 422, `["body"]`},
		{"no body", ``, 422, `["body"]`},
		{"no JSON", `{"end_user_data"`, 422, `["body"]`},
		{"no address given", `{"end_user_data":{"org_name":"Acme","origin_id":"a-1","email":null},"category":"ATS","integration":"lever"}`, 200, ""},
	} {
		a := e.send(e.key, "POST", createLinkToken, c.body)
		if a.status != c.want {
			t.Errorf("create-link-token with %s = %d %s; want %d", c.name, a.status, a.body, c.want)
			continue
		}
		switch a.status {
		case 403:
			con.check(t, c.name, "ErrorResponse", a.body)
		case 422:
			con.check(t, c.name, "ValidationErrorResponse", a.body)
			items, _ := a.json(t)["detail"].([]any)
			if got := locText(ValidationErrorItem{Loc: items[0].(map[string]any)["loc"].([]any)}); got != c.loc {
				t.Errorf("create-link-token with %s: error at %s; want %s", c.name, got, c.loc)
			}
		}
	}
	if n := len(e.all(ats + "connectors?page_size=50")); n != 2 {
		t.Errorf("%d connectors after the refusals; want the test's own and one more", n)
	}
}

func TestTokenRegenerate(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	path := "/api/v1/connectors/" + e.conn.ID.String() + "/token"
	a := e.send(e.key, "POST", path, "")
	token, _ := a.json(t)["connector_token"].(string)
	if a.status != 200 || token == e.token || !strings.HasPrefix(token, store.ConnectorTokenPrefix) || len(token) != 64 {
		t.Fatalf("POST %s = %d %s; want 200 and another token of 64 characters", path, a.status, a.body)
	}
	if a := e.get(ats + "tags"); a.status != 401 {
		t.Errorf("GET tags with the old token = %d; want 401", a.status)
	}
	e.token = token
	e.ok(ats + "tags")
	if got := e.ok(ats + "connectors").items(t)[0]["connector_token"]; got != token {
		t.Error("the connectors' list does not have the new token")
	}
	if a := e.send(e.key, "POST", "/api/v1/connectors/"+uuid.NewString()+"/token", ""); a.status != 404 {
		t.Errorf("POST for an unknown connector = %d; want 404", a.status)
	}
}

func TestKeys(t *testing.T) {
	t.Parallel()
	e := newEnv(t)
	const path = "/api/v1/api-keys"
	a := e.send(e.key, "POST", path, `{"name":"reports","scopes":["read"]}`)
	made := a.json(t)
	key, _ := made["api_key"].(string)
	if a.status != 201 || !store.WellFormedKey(key) || made["name"] != "reports" || len(made["scopes"].([]any)) != 1 {
		t.Fatalf("POST %s = %d %s; want 201 and a key that may read", path, a.status, a.body)
	}
	one := path + "/" + made["id"].(string)
	read := func(key string) int {
		return e.do("GET", ats+"tags", "Authorization", "Bearer "+key, "X-Connector-Token", e.token).status
	}
	if got := read(key); got != 200 {
		t.Errorf("GET tags with the new key = %d; want 200", got)
	}
	if a := e.send(key, "GET", path, ""); a.status != 403 {
		t.Errorf("GET %s with a key that may read = %d; want 403", path, a.status)
	}
	list := e.all(path + "?page_size=1")
	if len(list) != 2 || list[1]["name"] != "reports" || list[1]["last_used_at"] == nil || list[1]["revoked_at"] != nil {
		t.Errorf("GET %s page by page = %v; want both keys, the last one used and not revoked", path, list)
	}
	if strings.Contains(string(e.ok(path).body), key[len(store.APIKeyPrefix):]) {
		t.Error("the list shows a key itself")
	}

	a = e.send(e.key, "POST", one+"/regenerate", "")
	fresh, _ := a.json(t)["api_key"].(string)
	if a.status != 200 || fresh == key || read(key) != 401 || read(fresh) != 200 {
		t.Errorf("regenerate = %d: the old key reads with %d, the new one with %d; want 200, 401, 200", a.status, read(key), read(fresh))
	}
	if a := e.send(e.key, "DELETE", one, ""); a.status != 200 || read(fresh) != 401 {
		t.Errorf("DELETE %s = %d, and the key reads with %d; want 200, 401", one, a.status, read(fresh))
	}
	for _, c := range []struct {
		method, path, body string
		want               int
	}{
		{"POST", one + "/regenerate", "", 404}, // it is revoked
		{"DELETE", path + "/" + uuid.NewString(), "", 404},
		{"DELETE", path + "/x", "", 422},
		{"POST", path, `{"name":"x","scopes":[]}`, 422},
		{"POST", path, `{"name":"x","scopes":["root"]}`, 422},
		{"POST", path, `{"name":"","scopes":["read"]}`, 422},
		{"POST", path, `{"name":"x"}`, 422},
	} {
		if a := e.send(e.key, c.method, c.path, c.body); a.status != c.want {
			t.Errorf("%s %s %s = %d %s; want %d", c.method, c.path, c.body, a.status, a.body, c.want)
		}
	}
}
