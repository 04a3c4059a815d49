package dashboard

import (
	"strings"

	"github.com/leversync/leversync/store"
	"github.com/leversync/leversync/store/unified"
)

// word is a state for people: what to call it, and which of the page's tones it has.
type word struct {
	Text string
	Tone string // good, busy, warn, bad, soft
}

var syncWords = map[string]word{
	store.SyncSynced:    {"Synced", "good"},
	store.SyncSyncing:   {"Syncing", "busy"},
	store.SyncPartial:   {"Partial", "warn"},
	store.SyncFailed:    {"Failed", "bad"},
	store.SyncRelink:    {"Relink needed", "bad"},
	store.SyncPaused:    {"Paused", "soft"},
	store.SyncNotLinked: {"Not linked yet", "soft"},
	store.SyncOff:       {"All scopes off", "soft"},
}

func syncWord(state string) word { return syncWords[state] }

// runWords are the states of runs.
var runWords = map[string]word{
	"running": {"Running", "busy"}, "done": {"Done", "good"}, "failed": {"Failed", "bad"}, "forbidden": {"Refused", "warn"}, "canceled": {"Canceled", "soft"},
}

func runWord(state string) word { return runWords[state] }

// scopeNames are the scopes as people call them.
var scopeNames = map[unified.Scope]string{
	unified.Applications: "Applications", unified.Attachments: "Attachments", unified.Candidates: "Candidates", unified.Departments: "Departments",
	unified.EEOCs: "EEOC answers", unified.Jobs: "Jobs", unified.JobInterviewStages: "Job interview stages", unified.Offers: "Offers",
	unified.Offices: "Offices", unified.RejectReasons: "Reject reasons", unified.RemoteUsers: "Remote users",
	unified.ScheduledInterviews: "Scheduled interviews", unified.Scorecards: "Scorecards", unified.ScreeningQuestions: "Screening questions", unified.Tags: "Tags",
}

// scopeName is a scope's name for people; what is none stays as it is.
func scopeName(scope string) string {
	if name, ok := scopeNames[unified.Scope(scope)]; ok {
		return name
	}
	return scope
}

// standing is how one scope stands, why, and what to do.
type standing struct {
	word
	Why  string // "": nothing is wrong
	Todo string
}

func standingOf(c store.Connector, s store.ScopeStatus) standing {
	switch {
	case !s.Enabled:
		return standing{word: word{"Off", "soft"}}
	case c.Status == "INCOMPLETE":
		return standing{word: word{"Waiting", "soft"}}
	case c.Status == "RELINK_NEEDED": // the connector's own trouble is told once, for all of them
		return standing{word: word{"Stopped", "soft"}}
	case s.State == "forbidden":
		return standing{word{"Refused", "warn"}, orElse(s.Reason, "Lever refused to give it"),
			"Give the API key this permission in Lever, or relink. If you don't need it, turn the scope off."}
	case s.State == "failed":
		return standing{word{"Failed", "bad"}, orElse(s.Reason, "It could not be read"), "It is tried again by itself. The calls say what Lever answered."}
	case s.State == "syncing" && s.Reason != "":
		return standing{word{"Retrying", "warn"}, s.Reason, "It is tried again by itself."}
	case s.State == "syncing":
		return standing{word: word{"Syncing", "busy"}}
	case s.State == "pending" || s.RequestedAt != nil:
		if c.Paused {
			return standing{word: word{"Paused", "soft"}}
		}
		return standing{word: word{"Waiting", "busy"}}
	}
	return standing{word: word{"Synced", "good"}, Why: sentence(s.Reason)}
}

func orElse(s, other string) string {
	if s = sentence(s); s != "" {
		return s
	}
	return other + "."
}

// sentence is a reason as a sentence.
func sentence(s string) string {
	s = strings.TrimSpace(s)
	if s == "" {
		return ""
	}
	if s[0] >= 'a' && s[0] <= 'z' {
		s = string(s[0]-'a'+'A') + s[1:]
	}
	if !strings.HasSuffix(s, ".") {
		s += "."
	}
	return s
}
