package mapping

import (
	"flag"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

var seed = flag.Uint64("seed", 0, "seed of the randomised tests; 0 takes one from the clock")

// random is a source that the test's output names.
func random(t *testing.T) *rand.Rand {
	t.Helper()
	s := *seed
	if s == 0 {
		s = uint64(time.Now().UnixNano())
	}
	t.Logf("go test -run '^%s$' -seed %d", t.Name(), s)
	return rand.New(rand.NewPCG(s, s))
}

func TestCandidate(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opps []string
		want unified.Candidate
	}{
		{
			name: "one opportunity",
			opps: []string{`{"id":"o1","contact":"c1","name":" Ada King Lovelace ","headline":"Analyst, Engines",
				"emails":["ada@example.com"," ada@example.com",""],"phones":[{"value":"+44 1"},{"type":"home","value":" "}],
				"confidentiality":"non-confidential","location":"London","links":["linkedin.com/in/ada"],
				"tags":["Maths","maths"],"dataProtection":{"contact":{"allowed":true}},
				"applications":[{"id":"a1","company":" Engines Ltd "}],
				"createdAt":1000,"lastInteractionAt":2000,"lastAdvancedAt":3000}`},
			want: unified.Candidate{
				Envelope:  env(unified.Candidates, "c1", "", nil),
				FirstName: new("Ada King"), LastName: new("Lovelace"), Company: new("Engines Ltd"),
				Title: new("Analyst, Engines"), LastInteractionAt: at(2000), IsPrivate: new(false), CanEmail: new(true),
				Locations: []string{"London"}, PhoneNumbers: []string{"+44 1"}, EmailAddresses: []string{"ada@example.com"},
				URLs: []unified.URL{{Value: new("linkedin.com/in/ada"), URLType: new("SOCIAL_MEDIA")}},
				Tags: []string{"Maths", "maths"}, RemoteCreatedAt: at(1000), RemoteUpdatedAt: at(3000),
			},
		},
		{
			name: "nothing but an id",
			opps: []string{`{"id":"o1","name":"","emails":null}`},
			want: unified.Candidate{
				Envelope:  env(unified.Candidates, "o1", "", nil),
				Locations: []string{}, PhoneNumbers: []string{}, EmailAddresses: []string{}, URLs: []unified.URL{}, Tags: []string{},
			},
		},
		{
			name: "the newest gives the name, all give the lists",
			opps: []string{
				`{"id":"o1","contact":"c1","name":"Old Name","headline":"Old","emails":["b@example.com","a@example.com"],"tags":["x"],
				  "confidentiality":"confidential","createdAt":1000,"updatedAt":5000,"lastInteractionAt":4500,
				  "applications":[{"id":"a1","company":"Old Ltd"}],"dataProtection":{"contact":{"allowed":false}}}`,
				`{"id":"o2","contact":"c1","name":"Prince","headline":"","emails":["a@example.com"],"tags":["y","x"],
				  "confidentiality":"non-confidential","createdAt":2000,"lastAdvancedAt":6000,
				  "applications":["a2"],"dataProtection":{"contact":null}}`,
			},
			want: unified.Candidate{
				Envelope:  env(unified.Candidates, "c1", "", nil),
				FirstName: new("Prince"), Company: new("Old Ltd"), LastInteractionAt: at(4500),
				IsPrivate: new(true), CanEmail: new(false), Locations: []string{}, PhoneNumbers: []string{},
				EmailAddresses: []string{"a@example.com", "b@example.com"}, URLs: []unified.URL{}, Tags: []string{"y", "x"},
				RemoteCreatedAt: at(1000), RemoteUpdatedAt: at(6000),
			},
		},
		{
			name: "ties go to the greater id, createdAt counts where no clock is known",
			opps: []string{
				`{"id":"o1","contact":"c1","name":"First","createdAt":9000}`,
				`{"id":"o3","contact":"c1","name":"Third","createdAt":9000}`,
				`{"id":"o2","contact":"c1","name":"Second","createdAt":9000}`,
			},
			want: unified.Candidate{
				Envelope: env(unified.Candidates, "c1", "", nil), FirstName: new("Third"),
				Locations: []string{}, PhoneNumbers: []string{}, EmailAddresses: []string{}, URLs: []unified.URL{}, Tags: []string{},
				RemoteCreatedAt: at(9000),
			},
		},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			var opps []lever.Opportunity
			for _, o := range tt.opps {
				opps = append(opps, decode[lever.Opportunity](t, o))
			}
			got, err := mapper.Candidate(opps)
			if err != nil {
				t.Fatalf("Candidate(%s): %v", tt.name, err)
			}
			check(t, "Candidate("+tt.name+")", got, &tt.want)
		})
	}
}

func TestCandidateRefuses(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name string
		opps []lever.Opportunity
		want string
	}{
		{"no opportunity", nil, "no opportunity"},
		{"no id", []lever.Opportunity{{Name: "Ada"}}, "no id"},
		{"two people", []lever.Opportunity{{ID: "o1", Contact: "c1"}, {ID: "o2", Contact: "c2"}}, "different contacts"},
		{"a time before the first year", []lever.Opportunity{{ID: "o1", Name: "Ada", CreatedAt: ms(-99999999999999)}}, "createdAt"},
		{"a long id", []lever.Opportunity{{ID: strings.Repeat("x", 1025)}}, "longer than 1024"},
	}
	for _, tt := range tests {
		got, err := mapper.Candidate(tt.opps)
		if got != nil || err == nil || !strings.Contains(err.Error(), tt.want) {
			t.Errorf("Candidate(%s) = %v, %v; want nil, an error with %q", tt.name, got, err, tt.want)
		}
		if err != nil && strings.Contains(err.Error(), "Ada") {
			t.Errorf("Candidate(%s): the error %q holds personal data", tt.name, err)
		}
	}
}

// A person is the same whatever the order in which the opportunities arrive.
func TestCandidateOrder(t *testing.T) {
	t.Parallel()
	r := random(t)
	for range 500 {
		opps := randomOpportunities(r)
		want, err := mapper.Candidate(opps)
		if err != nil {
			t.Fatalf("Candidate(%s): %v", show(opps), err)
		}
		r.Shuffle(len(opps), func(i, j int) { opps[i], opps[j] = opps[j], opps[i] })
		got, err := mapper.Candidate(opps)
		if err != nil || !reflect.DeepEqual(got, want) {
			t.Fatalf("Candidate(%s)\n got %s, %v\nwant %s", show(opps), show(got), err, show(want))
		}
	}
}

// randomOpportunities is some opportunities of one contact, with few values, so that ties are common.
func randomOpportunities(r *rand.Rand) []lever.Opportunity {
	pick := func(s ...string) string { return s[r.IntN(len(s))] }
	clock := func() lever.Time {
		if r.IntN(3) == 0 {
			return lever.Time{}
		}
		return ms(int64(1000 * (1 + r.IntN(3))))
	}
	opps := make([]lever.Opportunity, 1+r.IntN(6))
	for i := range opps {
		opps[i] = lever.Opportunity{
			ID: "o" + string(rune('a'+i)), Contact: "c1", Name: pick("", "Ada", "Ada Lovelace", "A B C"), Headline: pick("", "x", "y"),
			Emails: []string{pick("a", "b"), pick("c", "d")}, Tags: []string{pick("s", "t")}, Location: pick("", "here", "there"),
			Links: []string{pick("github.com/a", "x.com/a")}, Confidentiality: pick("", "confidential", "non-confidential"),
			CreatedAt: clock(), UpdatedAt: clock(), LastInteractionAt: clock(), LastAdvancedAt: clock(),
		}
		if r.IntN(2) == 0 {
			opps[i].Applications = []lever.Application{{ID: "a", Company: pick("", "K", "L")}}
		}
	}
	return opps
}

func TestSplitName(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name        string
		first, last *string
	}{
		{"", nil, nil},
		{"  ", nil, nil},
		{"Prince", new("Prince"), nil},
		{"Ada Lovelace", new("Ada"), new("Lovelace")},
		{" Ada  King\u00a0Lovelace ", new("Ada  King"), new("Lovelace")},
		{"李 小龙", new("李"), new("小龙")},
	}
	for _, tt := range tests {
		if first, last := splitName(tt.name); !reflect.DeepEqual([]*string{first, last}, []*string{tt.first, tt.last}) {
			t.Errorf("splitName(%q) = %s, %s; want %s, %s", tt.name, show(first), show(last), show(tt.first), show(tt.last))
		}
	}
}

func TestURLType(t *testing.T) {
	t.Parallel()
	tests := map[string]string{
		"http://www.linkedin.com/in/ada":    "SOCIAL_MEDIA",
		"https://uk.linkedin.com/in/ada":    "SOCIAL_MEDIA",
		"linkedin.com/in/%zz":               "SOCIAL_MEDIA",
		"HTTPS://X.com/ada":                 "SOCIAL_MEDIA",
		"twitter.com":                       "SOCIAL_MEDIA",
		"//facebook.com:443/ada":            "SOCIAL_MEDIA",
		"https://github.com/ada":            "PORTFOLIO",
		"ada.github.io":                     "PORTFOLIO",
		"https://gitlab.com/ada":            "PORTFOLIO",
		"https://www.behance.net/ada":       "PORTFOLIO",
		"dribbble.com/ada":                  "PORTFOLIO",
		"https://ada.medium.com":            "BLOG",
		"ada.substack.com/p/engines":        "BLOG",
		"ada.wordpress.com":                 "BLOG",
		"http://ada.blogspot.co.uk/1843":    "BLOG",
		"https://example.com/linkedin.com":  "OTHER",
		"https://notlinkedin.com":           "OTHER",
		"https://netflix.com":               "OTHER",
		"https://linkedin.com@example.com/": "OTHER",
		"mailto:ada@example.com":            "OTHER",
		"see my CV":                         "OTHER",
		"https://":                          "OTHER",
	}
	for link, want := range tests {
		if got := urlType(link); got != want {
			t.Errorf("urlType(%q) = %q, want %q", link, got, want)
		}
	}
}
