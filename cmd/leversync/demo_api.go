package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"github.com/leversync/leversync/store"
)

// demoCall is a call of the unified API: the line that makes it, once the variables are exported, and its answer.
type demoCall struct {
	Curl   string          `json:"curl"`
	Status int             `json:"status"`
	Answer json.RawMessage `json:"answer"`
}

// demoKeyOfWrite is the idempotency key of the demo's candidate: the line can be pasted again, and makes no second one.
const demoKeyOfWrite = "demo-john-doe"

// firstActive is the first record of a page that is not disabled: in the name of a user who has left, Lever takes nothing.
func firstActive(page json.RawMessage) (id string, err error) {
	var list struct {
		Items []struct {
			ID       string
			Disabled bool
		}
	}
	if err := json.Unmarshal(page, &list); err != nil {
		return "", err
	}
	for _, item := range list.Items {
		if !item.Disabled {
			return item.ID, nil
		}
	}
	return "", errors.New("none is active")
}

// api makes the calls that an integrator would: who, for which job and at which stage, then the candidate, then reads
// the candidate back.
func (d *demo) api(ctx context.Context) error {
	d.title("5. Over HTTP: a candidate is written into Lever")
	key, secret, err := d.store.CreateAPIKey(ctx, "demo", store.KeyRead, store.KeyWrite)
	if err != nil {
		return err
	}
	d.key = &key.ID
	d.say("  export API=%s API_KEY=%s CONNECTOR_TOKEN=%s", d.http, secret, d.token)
	call := func(method, path string, body any) (json.RawMessage, error) {
		return d.call(ctx, secret, method, path, body)
	}

	ids := map[string]string{}
	for _, scope := range []string{"remote-users", "jobs", "job-interview-stages"} {
		page, err := call(http.MethodGet, "/api/ats/v1/"+scope+"?page_size=10", nil)
		if err != nil {
			return err
		}
		if ids[scope], err = firstActive(page); err != nil {
			return fmt.Errorf("the simulated account's %s: %w", scope, err)
		}
	}
	before := d.lever.Len()
	made, err := call(http.MethodPost, "/api/ats/v1/candidates", demoCandidate{
		Data: demoPerson{
			FirstName: "John", LastName: "Doe", Company: "Acme", Emails: []string{"john.doe@example.com"},
			Stage: ids["job-interview-stages"], Job: ids["jobs"],
		},
		RemoteUser: ids["remote-users"],
	})
	if err != nil {
		return err
	}
	var candidate struct{ ID string }
	if err := json.Unmarshal(made, &candidate); err != nil {
		return err
	}
	if _, err := call(http.MethodGet, "/api/ats/v1/candidates/"+candidate.ID, nil); err != nil {
		return err
	}
	d.say("\nLever keeps title and company in one line, so a company without a title reads as the title.")
	d.say("Lever had %s opportunities before, and has %s now. The new one can be read here at once, without another sync.",
		number(int64(before)), number(int64(d.lever.Len())))
	return nil
}

// demoCandidate is the body of the write; a struct, so that its fields come in the order of the documentation.
type demoCandidate struct {
	Data       demoPerson `json:"data"`
	RemoteUser string     `json:"remote_user"`
}

type demoPerson struct {
	FirstName string   `json:"first_name"`
	LastName  string   `json:"last_name"`
	Company   string   `json:"company"`
	Emails    []string `json:"email_addresses"`
	Stage     string   `json:"job_interview_stage_id"`
	Job       string   `json:"job_id"`
}

// call makes one call, and prints it as a line for a shell, with the beginning of the answer.
func (d *demo) call(ctx context.Context, key, method, path string, body any) (json.RawMessage, error) {
	sent, err := json.Marshal(body)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, time.Minute)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, d.http+path, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Authorization", "Bearer "+key)
	req.Header.Set("X-Connector-Token", d.token)
	line := `curl -sS -H "Authorization: Bearer $API_KEY" -H "X-Connector-Token: $CONNECTOR_TOKEN"`
	if body != nil {
		req.Body = io.NopCloser(bytes.NewReader(sent))
		req.Header.Set("Content-Type", "application/json")
		req.Header.Set("X-Idempotency-Key", demoKeyOfWrite)
		line += ` -H 'Content-Type: application/json' -H 'X-Idempotency-Key: ` + demoKeyOfWrite + `' -d '` + string(sent) + `'`
	}
	line += ` "$API` + path + `"`
	client := &http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(resp.Body, 1<<20))
	if err != nil {
		return nil, err
	}
	st := d.app.style(d.out)
	d.say("\n  %s", line)
	for _, l := range beginning(answer) {
		d.say("    %s", st.dim(l))
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s %s: %s", method, path, resp.Status)
	}
	d.told.Calls = append(d.told.Calls, demoCall{Curl: line, Status: resp.StatusCode, Answer: answer})
	return answer, nil
}

// The part of an answer that is shown.
const (
	answerLines = 14
	answerWidth = 110 // in characters
)

// beginning is an answer's first lines, indented.
func beginning(answer []byte) []string {
	var b bytes.Buffer
	if json.Indent(&b, answer, "", "  ") != nil {
		return []string{string(answer)}
	}
	lines := strings.Split(strings.TrimSpace(b.String()), "\n")
	if len(lines) > answerLines {
		lines = append(lines[:answerLines:answerLines], fmt.Sprintf("… and %d lines more", len(lines)-answerLines))
	}
	for i, l := range lines {
		if r := []rune(l); len(r) > answerWidth {
			lines[i] = string(r[:answerWidth]) + "…"
		}
	}
	return lines
}
