package api

import (
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/store"
)

// FuzzExpand reads any text as the parameter expand of every model: what is taken names what is there, and what is
// not is a 422.
func FuzzExpand(f *testing.F) {
	for _, s := range []string{"", "candidate", "candidate,job[id,name]", "job[", "job[id", "job[]", "job[id]x", ",", "job,", "job[id],,", "[", "]", "interviewers[email],application", "Job"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for sc, m := range models {
			list, err := m.parseExpand(s)
			if err != nil {
				if r, ok := err.(*refusal); !ok || r.status != http.StatusUnprocessableEntity {
					t.Errorf("expand=%q of %s: %v; want a 422", s, sc, err)
				}
				continue
			}
			for _, e := range list {
				field, ok := m.field(e.relation)
				if !ok || field.target == nil {
					t.Errorf("expand=%q of %s is taken with %q, which is no relation", s, sc, e.relation)
					continue
				}
				for _, name := range e.fields {
					if !modelsByType[field.target].has(name) {
						t.Errorf("expand=%q of %s is taken with %s.%s, which is not there", s, sc, e.relation, name)
					}
				}
			}
		}
	})
}

// FuzzFilters reads any text as each filter, and as a time.
func FuzzFilters(f *testing.F) {
	for _, s := range []string{
		"", "0f5cc5de-5d1f-4cd1-a7c3-000000000001", "0f5cc5de-5d1f-4cd1-a7c3-000000000001,x", "{0f5cc5de-5d1f-4cd1-a7c3-000000000001}", "\x00", "2026-01-31T09:30:00Z",
		"2026-01-31T09:30:00 02:00", "2026-01-31 09:30:00", "2026-01-31", "0000-01-01", "10000-01-01", "99999999999999", strings.Repeat("x,", 2000),
	} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list := strings.Split(s, ",")
		for _, input := range []any{
			&applicationsInput{CurrentStage: list, Source: s}, &candidatesInput{Company: s, Tag: s, EmailAddresses: list}, &jobsInput{Code: s, Offices: list},
			&remoteUsersInput{Email: s}, &scorecardsInput{Interview: list},
		} {
			got, err := conditions(input)
			if err != nil {
				if r, ok := err.(*refusal); !ok || r.status != http.StatusUnprocessableEntity {
					t.Errorf("conditions(%T of %q): %v; want a 422", input, s, err)
				}
				continue
			}
			for _, c := range got {
				if c.Field == "" || c.Match == store.Related && len(list) > maxIDs {
					t.Errorf("conditions(%T of %q) = %+v", input, s, c)
				}
			}
		}
		var m Moment
		if err := m.UnmarshalText([]byte(s)); err == nil && (m.Location() != time.UTC || m.Year() < 0 || m.Year() > 10000) {
			t.Errorf("Moment(%q) = %v; want a time that Postgres has, in UTC", s, m)
		}
	})
}

// FuzzBearer reads any header as a credential: what is taken is not blank, and has no blanks around it.
func FuzzBearer(f *testing.F) {
	for _, s := range []string{"", "Bearer lvs_x", "bearer  x ", "Bearer", "Bearer ", "Basic x", "Bearer\tx"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		key, ok := bearer(&http.Request{Header: http.Header{"Authorization": {s}}})
		if ok && (key == "" || key != strings.TrimSpace(key) || !strings.Contains(s, key)) {
			t.Errorf("bearer(%q) = %q", s, key)
		}
	})
}
