package api

import (
	"net/http"
	"strings"

	"github.com/danielgtaylor/huma/v2"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// Route is one operation of the API.
type Route struct {
	Method, Path string
	ID           string // of the operation
	Summary      string
	Description  string
	Tag          string
	Scope        string // what the key must be able to do: read, write, admin
	Token        bool   // the connector's token is needed
	Lately       bool   // who asks may be known from a second ago: see store.Recognize
	Errors       []int  // besides those that every route has

	register func(*server, huma.Operation)
}

const ats = "/api/ats/v1/"

// routes are all of the API.
var routes = append(collections(), []Route{
	{Method: http.MethodGet, Path: ats + "attachments/{id}/download", ID: "download-attachment", Tag: "Attachments", Scope: store.KeyRead, Token: true,
		Summary:     "Get the file of an attachment",
		Description: "Streams the file from Lever with the connector's credential, within its rate. What is gone at the source is a 404.",
		Errors:      []int{404, 409, 502}, register: registerDownload},
	{Method: http.MethodGet, Path: ats + "sync-status", ID: "get-sync-status", Tag: "Sync", Scope: store.KeyRead, Token: true,
		Summary: "How fresh each scope is, and what to do where it is not", register: registerSyncStatus},
	{Method: http.MethodGet, Path: ats + "changes", ID: "list-changes", Tag: "Sync", Scope: store.KeyRead, Token: true, Lately: true,
		Summary: "Records in the order of their last changes",
		Description: "A feed that can be tailed: every record once, at its newest change, and again whenever it changes. Keep the cursor of the last " +
			"page and ask again with it: nothing is missed, whatever order transactions commit in. Where deletions are purged after a time, a reader " +
			"who was not at the feed's end for as long gets a 410, and starts anew.",
		Errors: []int{410}, register: registerChanges},
	{Method: http.MethodPost, Path: "/api/embedded/v1/connectors/resync", ID: "resync-connector", Tag: "Sync", Scope: store.KeyWrite, Token: true,
		Summary: "Sync all scopes now", Errors: []int{409}, register: registerResync},
	{Method: http.MethodGet, Path: "/api/v1/calls", ID: "list-calls", Tag: "Sync", Scope: store.KeyRead,
		Summary: "The sync log: every call to Lever, newest first", register: registerCalls},
	{Method: http.MethodGet, Path: ats + "connectors", ID: "list-connectors", Tag: "Connectors", Scope: store.KeyRead,
		Summary: "List the connectors, with their tokens", register: registerConnectors},
	{Method: http.MethodDelete, Path: ats + "connectors/{connector_id}/delete", ID: "delete-connector", Tag: "Connectors", Scope: store.KeyAdmin,
		Summary: "Delete a connector, its records, its log and its credential", Errors: []int{404}, register: registerConnectorDelete},
	{Method: http.MethodGet, Path: ats + "integrations", ID: "list-integrations", Tag: "Connectors", Scope: store.KeyRead,
		Summary: "List the integrations: Lever", register: registerIntegrations},
	{Method: http.MethodPost, Path: "/api/v1/org-check", ID: "check-key", Tag: "Connectors", Scope: store.KeyRead,
		Summary: "Check an API key", register: registerOrgCheck},
	{Method: http.MethodPost, Path: "/api/embedded/v1/link/create-link-token", ID: "create-link-token", Tag: "Connectors", Scope: store.KeyWrite,
		Summary: "Make a connector, and the link on which its account is linked",
		Description: "magic_link is a page for the account's administrator, to be sent or opened in a window of yours. It works once. A window that opened it " +
			"is told of the end by postMessage, with a temporary_token to exchange. Two links of one customer make two connectors.",
		register: registerLinkToken},
	{Method: http.MethodGet, Path: "/api/embedded/v1/connectors/connector_token/{temporary_token}", ID: "exchange-temporary-token", Tag: "Connectors", Scope: store.KeyWrite,
		Summary: "Exchange a temporary token for the connector's", Description: "Once, and within 15 minutes.", Errors: []int{404}, register: registerTokenExchange},
	{Method: http.MethodPost, Path: "/api/v1/connectors/{connector_id}/token", ID: "regenerate-connector-token", Tag: "Connectors", Scope: store.KeyAdmin,
		Summary: "Give a connector another token; the old one stops at once", Errors: []int{404}, register: registerTokenRegenerate},
	{Method: http.MethodGet, Path: "/api/v1/api-keys", ID: "list-api-keys", Tag: "API keys", Scope: store.KeyAdmin,
		Summary: "List the API keys; none is shown itself", register: registerKeys},
	{Method: http.MethodPost, Path: "/api/v1/api-keys", ID: "create-api-key", Tag: "API keys", Scope: store.KeyAdmin,
		Summary: "Make an API key; it is shown this once", register: registerKeyCreate},
	{Method: http.MethodPost, Path: "/api/v1/api-keys/{key_id}/regenerate", ID: "regenerate-api-key", Tag: "API keys", Scope: store.KeyAdmin,
		Summary: "Give a key another secret, shown this once; the old one stops at once", Errors: []int{404}, register: registerKeyRegenerate},
	{Method: http.MethodDelete, Path: "/api/v1/api-keys/{key_id}", ID: "revoke-api-key", Tag: "API keys", Scope: store.KeyAdmin,
		Summary: "End an API key", Errors: []int{404}, register: registerKeyRevoke},
}...)

// tags group the operations, in the order of the documentation.
var tags = append(collectionTags(), []struct{ name, about string }{
	{"Sync", "How fresh the data is, and what changes."},
	{"Connectors", "The linked Lever accounts. These take an API key alone."},
	{"API keys", "Keys to this API, and what they may do: read, write, admin."},
}...)

// collection is one of the 15 scopes in the table.
type collection struct {
	scope     unified.Scope
	tag       string // in the documentation
	one       string // "an application"
	list, get func(*server, huma.Operation)
}

var scopes = []collection{
	{unified.Applications, "Applications", "an application", list[Application, applicationsInput](unified.Applications), get[Application, getExpandInput](unified.Applications)},
	{unified.Attachments, "Attachments", "an attachment", list[Attachment, attachmentsInput](unified.Attachments), get[Attachment, getExpandInput](unified.Attachments)},
	{unified.Candidates, "Candidates", "a candidate", list[Candidate, candidatesInput](unified.Candidates), get[Candidate, getExpandInput](unified.Candidates)},
	{unified.Departments, "Departments", "a department", list[Department, plainInput](unified.Departments), get[Department, getInput](unified.Departments)},
	{unified.EEOCs, "EEOCs", "an equal-opportunity survey", list[EEOC, eeocsInput](unified.EEOCs), get[EEOC, getExpandInput](unified.EEOCs)},
	{unified.Jobs, "Jobs", "a job", list[Job, jobsInput](unified.Jobs), get[Job, getExpandInput](unified.Jobs)},
	{unified.JobInterviewStages, "Job interview stages", "a job interview stage", list[JobInterviewStage, jobChildInput](unified.JobInterviewStages), get[JobInterviewStage, getExpandInput](unified.JobInterviewStages)},
	{unified.Offers, "Offers", "an offer", list[Offer, offersInput](unified.Offers), get[Offer, getExpandInput](unified.Offers)},
	{unified.Offices, "Offices", "an office", list[Office, plainInput](unified.Offices), get[Office, getInput](unified.Offices)},
	{unified.RejectReasons, "Reject reasons", "a reject reason", list[RejectReason, plainInput](unified.RejectReasons), get[RejectReason, getInput](unified.RejectReasons)},
	{unified.RemoteUsers, "Remote users", "a remote user", list[RemoteUser, remoteUsersInput](unified.RemoteUsers), get[RemoteUser, getInput](unified.RemoteUsers)},
	{unified.ScheduledInterviews, "Scheduled interviews", "a scheduled interview", list[ScheduledInterview, scheduledInterviewsInput](unified.ScheduledInterviews), get[ScheduledInterview, getExpandInput](unified.ScheduledInterviews)},
	{unified.Scorecards, "Scorecards", "a scorecard", list[Scorecard, scorecardsInput](unified.Scorecards), get[Scorecard, getExpandInput](unified.Scorecards)},
	{unified.ScreeningQuestions, "Screening questions", "a screening question", list[ScreeningQuestion, jobChildInput](unified.ScreeningQuestions), get[ScreeningQuestion, getExpandInput](unified.ScreeningQuestions)},
	{unified.Tags, "Tags", "a tag", list[Tag, plainInput](unified.Tags), get[Tag, getInput](unified.Tags)},
}

// name is one record's in the ids of operations: job-interview-stage.
func (c collection) name() string {
	one := c.one[strings.IndexByte(c.one, ' ')+1:]
	if c.scope == unified.EEOCs {
		one = "eeoc"
	}
	return strings.ReplaceAll(one, " ", "-")
}

// collections are the routes of the 15 scopes.
func collections() []Route {
	var out []Route
	for _, c := range scopes {
		path := ats + string(c.scope)
		out = append(out,
			Route{Method: http.MethodGet, Path: path, ID: "list-" + string(c.scope), Tag: c.tag, Scope: store.KeyRead, Token: true, Lately: true,
				Summary: "List " + lowerFirst(c.tag), register: c.list},
			Route{Method: http.MethodGet, Path: path + "/{id}", ID: "get-" + c.name(), Tag: c.tag, Scope: store.KeyRead, Token: true, Lately: true,
				Summary: "Get " + c.one, Errors: []int{404}, register: c.get})
	}
	return out
}

func collectionTags() []struct{ name, about string } {
	var out []struct{ name, about string }
	for _, c := range scopes {
		out = append(out, struct{ name, about string }{c.tag, "The scope " + string(c.scope) + "."})
	}
	return out
}

// lowerFirst begins a name with a small letter, unless it is an abbreviation.
func lowerFirst(s string) string {
	if len(s) < 2 || s[1] < 'a' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}
