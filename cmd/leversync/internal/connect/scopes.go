package connect

import (
	"slices"
	"strings"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// scopeText is a scope in words for the owner of the account, and the Lever permissions that it takes.
type scopeText struct {
	Scope     unified.Scope
	Name      string
	What      string // is read
	Why       string // it is needed
	Sensitive bool
	reads     []string // resources, as Lever's permissions name them
}

// opportunity is what it takes to read opportunities, which most of the rest hangs on.
var opportunity = []string{"opportunities", "applications", "contact"}

// scopeTexts are the scopes in the order in which a person thinks of them.
var scopeTexts = []scopeText{
	{Scope: unified.Candidates, Name: "Candidates", What: "Names, contact details, links and tags of the people in your pipeline.",
		Why: "Everything else is about them.", reads: opportunity},
	{Scope: unified.Applications, Name: "Applications", What: "Who applied for which job, when, where they came from, and the stage they have reached.",
		Why: "They tie candidates to jobs and show progress.", reads: append([]string{"archive_reasons"}, opportunity...)},
	{Scope: unified.Jobs, Name: "Jobs", What: "Your job postings: title, description, status and hiring team.",
		Why: "Applications are for a job.", reads: []string{"postings"}},
	{Scope: unified.Departments, Name: "Departments", What: "The departments that your postings name.",
		Why: "Jobs are grouped by them.", reads: []string{"postings"}},
	{Scope: unified.Offices, Name: "Offices", What: "The locations that your postings name.",
		Why: "They tell where a job is.", reads: []string{"postings"}},
	{Scope: unified.JobInterviewStages, Name: "Interview stages", What: "The steps of your pipeline, in their order.",
		Why: "They tell how far an application has come.", reads: []string{"stages"}},
	{Scope: unified.ScreeningQuestions, Name: "Screening questions", What: "The questions that your application forms ask.",
		Why: "A new application has to answer them.", reads: []string{"postings"}},
	{Scope: unified.ScheduledInterviews, Name: "Scheduled interviews", What: "When interviews take place, with whom, and where.",
		Why: "They show what comes next for a candidate.", reads: append([]string{"interviews"}, opportunity...)},
	{Scope: unified.Scorecards, Name: "Scorecards", What: "Interview feedback: who gave it, when, and its overall recommendation.",
		Why: "They show how interviews went.", reads: append([]string{"feedback"}, opportunity...)},
	{Scope: unified.Offers, Name: "Offers", What: "To whom an offer was made, its status and its dates.",
		Why: "They show who is about to join.", reads: append([]string{"offers"}, opportunity...)},
	{Scope: unified.Attachments, Name: "Attachments", What: "The names of résumés, files and offer documents; a file itself is fetched when somebody opens it.",
		Why: "Résumés belong to the candidate.", reads: append([]string{"resumes", "files", "offers"}, opportunity...)},
	{Scope: unified.RejectReasons, Name: "Reject reasons", What: "The reasons that your team can give when it closes an application.",
		Why: "They tell why an application ended.", reads: []string{"archive_reasons"}},
	{Scope: unified.RemoteUsers, Name: "Lever users", What: "Names, e-mail addresses and roles of your team in Lever.",
		Why: "They are the recruiters and interviewers of the records above.", reads: []string{"users"}},
	{Scope: unified.Tags, Name: "Tags", What: "The tags that your team uses.",
		Why: "Candidates are sorted by them.", reads: []string{"tags"}},
	{Scope: unified.EEOCs, Name: "EEOC answers", What: "Voluntary answers on race, gender, veteran status and disability.",
		Why: "Equal opportunity reports are made of them.", Sensitive: true, reads: []string{"eeo_responses_pii"}},
}

// enabledTexts are the texts of a connector's scopes that are on.
func enabledTexts(scopes []store.ScopeStatus) []scopeText {
	on := map[string]bool{}
	for _, s := range scopes {
		on[s.Scope] = s.Enabled
	}
	return slices.DeleteFunc(slices.Clone(scopeTexts), func(t scopeText) bool { return !on[string(t.Scope)] })
}

func readPermission(resource string) string  { return resource + ":read:admin" }
func writePermission(resource string) string { return resource + ":write:admin" }

// reads are the permissions that reading the scopes takes, sorted.
func reads(texts []scopeText) []string {
	var out []string
	for _, t := range texts {
		for _, r := range t.reads {
			out = append(out, readPermission(r))
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// writes are the permissions that adding candidates, their notes and their files takes, sorted.
func writes(texts []scopeText) []string {
	var out []string
	for _, t := range texts {
		switch t.Scope {
		case unified.Candidates:
			out = append(out, writePermission("opportunities"), writePermission("notes"))
		case unified.Attachments:
			out = append(out, writePermission("files"))
		}
	}
	slices.Sort(out)
	return out
}

// offline makes Lever give a refresh token.
const offline = "offline_access"

// permissions are all that is asked for at Lever.
func (h *Handler) permissions(texts []scopeText) []string {
	out := append([]string{offline}, reads(texts)...)
	if !h.cfg.ReadOnly {
		out = append(out, writes(texts)...)
	}
	return out
}

// missing are the wanted permissions that a grant, space separated, lacks. To write is to read, too. A grant that says
// nothing is what was asked for, as RFC 6749 has it.
func missing(wanted []string, granted string) []string {
	has := strings.Fields(granted)
	if len(has) == 0 {
		return nil
	}
	return slices.DeleteFunc(slices.Clone(wanted), func(p string) bool {
		return slices.Contains(has, p) || slices.Contains(has, strings.Replace(p, ":read:", ":write:", 1))
	})
}

// lost are the scopes that can't be read without some permissions.
func lost(texts []scopeText, missing []string) []scopeText {
	return slices.DeleteFunc(slices.Clone(texts), func(t scopeText) bool {
		return !slices.ContainsFunc(t.reads, func(r string) bool { return slices.Contains(missing, readPermission(r)) })
	})
}
