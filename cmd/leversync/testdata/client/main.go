// Client is what an integrator writes against leversync, with a client that is generated from /openapi.json. It makes
// a link for a customer, takes the temporary token that the customer's browser was given, waits for the first sync,
// reads all 15 scopes, and creates a candidate.
//
// BASE_URL and API_KEY say where and as whom. It prints the magic link as a line of JSON, reads the temporary token from
// its standard input, and prints what it found as a line of JSON.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"reflect"
	"strings"
	"time"

	"github.com/google/uuid"

	"example.com/integrator/leversync"
)

const originID = "acme-1"

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Minute)
	defer cancel()
	if err := run(ctx); err != nil {
		fmt.Fprintln(os.Stderr, "client:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	c, err := leversync.NewClientWithResponses(os.Getenv("BASE_URL"), leversync.WithRequestEditorFn(func(_ context.Context, r *http.Request) error {
		r.Header.Set("Authorization", "Bearer "+os.Getenv("API_KEY"))
		return nil
	}))
	if err != nil {
		return err
	}
	link, err := c.CreateLinkTokenWithResponse(ctx, leversync.LinkTokenCreate{
		EndUserData: leversync.EndUserData{OrgName: "Acme", OriginId: originID}, Category: "ATS", Integration: "lever",
	})
	if err != nil || link.JSON200 == nil {
		return failure("create-link-token", link, err)
	}
	say(map[string]any{"magic_link": link.JSON200.MagicLink, "connector_id": link.JSON200.ConnectorId})
	temporary, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return err
	}
	exchanged, err := c.ExchangeTemporaryTokenWithResponse(ctx, strings.TrimSpace(temporary))
	if err != nil || exchanged.JSON200 == nil {
		return failure("exchange", exchanged, err)
	}
	token := exchanged.JSON200.ConnectorToken
	if err := synced(ctx, c, token); err != nil {
		return err
	}
	counts, err := readAll(ctx, c, token)
	if err != nil {
		return err
	}
	candidate, err := create(ctx, c, token)
	if err != nil {
		return err
	}
	say(map[string]any{"counts": counts, "candidate": candidate})
	return nil
}

func say(v any) { _ = json.NewEncoder(os.Stdout).Encode(v) }

// failure says what an answer was that is not the one awaited.
func failure(what string, answer any, err error) error {
	if err != nil {
		return fmt.Errorf("%s: %w", what, err)
	}
	return fmt.Errorf("%s: %s", what, reflect.ValueOf(answer).Elem().FieldByName("Body").Bytes())
}

// synced waits until the connector is linked and its first sync done.
func synced(ctx context.Context, c *leversync.ClientWithResponses, token string) error {
	again := time.NewTicker(time.Second)
	defer again.Stop()
	origin := originID
	for {
		r, err := c.ListConnectorsWithResponse(ctx, &leversync.ListConnectorsParams{OriginId: &origin})
		if err != nil || r.JSON200 == nil {
			return failure("list-connectors", r, err)
		}
		for _, one := range r.JSON200.Items {
			if one.ConnectorToken == token && one.Status == "COMPLETE" && one.SyncStatus != nil && *one.SyncStatus == "Done" {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-again.C:
		}
	}
}

// readAll reads every page of the 15 scopes and counts the records.
func readAll(ctx context.Context, c *leversync.ClientWithResponses, token string) (map[string]int, error) {
	counts := map[string]int{}
	for scope, list := range map[string]any{
		"applications": c.ListApplicationsWithResponse, "attachments": c.ListAttachmentsWithResponse, "candidates": c.ListCandidatesWithResponse,
		"departments": c.ListDepartmentsWithResponse, "eeocs": c.ListEeocsWithResponse, "jobs": c.ListJobsWithResponse,
		"job-interview-stages": c.ListJobInterviewStagesWithResponse, "offers": c.ListOffersWithResponse, "offices": c.ListOfficesWithResponse,
		"reject-reasons": c.ListRejectReasonsWithResponse, "remote-users": c.ListRemoteUsersWithResponse,
		"scheduled-interviews": c.ListScheduledInterviewsWithResponse, "scorecards": c.ListScorecardsWithResponse,
		"screening-questions": c.ListScreeningQuestionsWithResponse, "tags": c.ListTagsWithResponse,
	} {
		n, err := readScope(ctx, reflect.ValueOf(list), token)
		if err != nil {
			return nil, fmt.Errorf("%s: %w", scope, err)
		}
		counts[scope] = n
	}
	return counts, nil
}

// readScope pages through one list. The generated functions differ in their types alone, so reflection spares writing
// the same loop 15 times.
func readScope(ctx context.Context, list reflect.Value, token string) (int, error) {
	params := reflect.New(list.Type().In(1).Elem())
	size := int64(20)
	params.Elem().FieldByName("XConnectorToken").SetString(token)
	params.Elem().FieldByName("PageSize").Set(reflect.ValueOf(&size))
	seen := map[uuid.UUID]bool{}
	for {
		out := list.Call([]reflect.Value{reflect.ValueOf(ctx), params})
		if err, _ := out[1].Interface().(error); err != nil {
			return 0, err
		}
		page := out[0].Elem().FieldByName("JSON200")
		if page.IsNil() {
			return 0, failure("list", out[0].Interface(), nil)
		}
		items := page.Elem().FieldByName("Items")
		for i := range items.Len() {
			id := items.Index(i).FieldByName("Id").Interface().(uuid.UUID)
			if seen[id] {
				return 0, fmt.Errorf("%s came twice", id)
			}
			seen[id] = true
		}
		cursor := page.Elem().FieldByName("Cursor")
		if cursor.IsNil() {
			return len(seen), nil
		}
		params.Elem().FieldByName("Cursor").Set(cursor)
	}
}

// create writes John Doe into Lever and reads him back.
func create(ctx context.Context, c *leversync.ClientWithResponses, token string) (*leversync.Candidate, error) {
	users, err := c.ListRemoteUsersWithResponse(ctx, &leversync.ListRemoteUsersParams{XConnectorToken: token})
	if err != nil || users.JSON200 == nil {
		return nil, failure("list-remote-users", users, err)
	}
	jobs, err := c.ListJobsWithResponse(ctx, &leversync.ListJobsParams{XConnectorToken: token})
	if err != nil || jobs.JSON200 == nil {
		return nil, failure("list-jobs", jobs, err)
	}
	stages, err := c.ListJobInterviewStagesWithResponse(ctx, &leversync.ListJobInterviewStagesParams{XConnectorToken: token})
	if err != nil || stages.JSON200 == nil {
		return nil, failure("list-job-interview-stages", stages, err)
	}
	if len(users.JSON200.Items) == 0 || len(jobs.JSON200.Items) == 0 || len(stages.JSON200.Items) == 0 {
		return nil, errors.New("no user, job or stage to write with")
	}
	first, last, emails := "John", "Doe", []string{"john.doe@example.com"}
	var body leversync.CreateCandidateJSONRequestBody
	if err := body.FromCreateCandidate(leversync.CreateCandidate{
		Data: leversync.PostCandidate{
			FirstName: &first, LastName: &last, EmailAddresses: &emails,
			JobId: &jobs.JSON200.Items[0].Id, JobInterviewStageId: &stages.JSON200.Items[0].Id,
		},
		RemoteUser: &users.JSON200.Items[0].Id,
	}); err != nil {
		return nil, err
	}
	key := uuid.NewString()
	made, err := c.CreateCandidateWithResponse(ctx, &leversync.CreateCandidateParams{XConnectorToken: token, XIdempotencyKey: &key}, body)
	if err != nil || made.JSON200 == nil {
		return nil, failure("create-candidate", made, err)
	}
	read, err := c.GetCandidateWithResponse(ctx, made.JSON200.Id, &leversync.GetCandidateParams{XConnectorToken: token})
	if err != nil || read.JSON200 == nil {
		return nil, failure("get-candidate", read, err)
	}
	return read.JSON200, nil
}
