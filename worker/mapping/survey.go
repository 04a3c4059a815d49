package mapping

import (
	"strings"
	"unicode"
)

// phrase is an answer of the EEO survey as lower-case words with a space on either side of each, so
// that whole words can be looked for.
type phrase string

// newPhrase splits an answer into its words. Apostrophes vanish (don't → dont), other signs part words.
func newPhrase(answer string) phrase {
	answer = strings.NewReplacer("'", "", "’", "", "ʼ", "").Replace(strings.ToLower(answer))
	words := strings.FieldsFunc(answer, func(r rune) bool { return !unicode.IsLetter(r) && !unicode.IsDigit(r) })
	return phrase(" " + strings.Join(words, " ") + " ")
}

// has tells whether one of the wordings occurs, as whole words.
func (p phrase) has(wordings ...string) bool {
	for _, w := range wordings {
		if strings.Contains(string(p), " "+w+" ") {
			return true
		}
	}
	return false
}

// starts tells whether word is the first.
func (p phrase) starts(word string) bool { return strings.HasPrefix(string(p), " "+word+" ") }

// without is p less each occurrence of the wordings.
func (p phrase) without(wordings ...string) phrase {
	for _, w := range wordings {
		p = phrase(strings.ReplaceAll(string(p), " "+w+" ", " "))
	}
	return p
}

// refuses tells whether the person chose not to answer.
func (p phrase) refuses() bool {
	return p.has(
		"decline", "declined", "prefer not", "choose not", "rather not", "wish not", "not wish", "dont wish",
		"not want", "dont want", "not disclosed", "not specified", "undisclosed",
	)
}

// keyword joins a member of an enum to the wordings that mean it.
type keyword struct {
	member   string
	wordings []string
}

// only is the one member whose wordings occur; "" where none does, or several do.
func (p phrase) only(keywords []keyword) string {
	var found string
	for _, k := range keywords {
		if !p.has(k.wordings...) {
			continue
		}
		if found != "" {
			return ""
		}
		found = k.member
	}
	return found
}

const preferNotToDisclose = "PREFER_NOT_TO_DISCLOSE"

var genders = []keyword{
	{"MALE", []string{"male", "man", "men"}},
	{"FEMALE", []string{"female", "woman", "women"}},
	{"NON-BINARY", []string{"non binary", "nonbinary", "enby"}},
	{"OTHER", []string{"other", "another gender", "not listed", "self describe"}},
}

// gender reads the answer on gender. Who names a transgender identity keeps the words chosen.
func gender(p phrase) string {
	if p.refuses() {
		return preferNotToDisclose
	}
	if p.has("trans", "transgender", "transsexual") {
		return ""
	}
	return p.only(genders)
}

var races = []keyword{
	{"HISPANIC_OR_LATINO", []string{"hispanic", "latino", "latina", "latinx", "latine"}},
	{"WHITE", []string{"white", "caucasian"}},
	{"BLACK_OR_AFRICAN_AMERICAN", []string{"black", "african american"}},
	{"NATIVE_HAWAIIAN_OR_OTHER_PACIFIC_ISLANDER", []string{"native hawaiian", "hawaiian", "pacific islander"}},
	{"ASIAN_OR_INDIAN_SUBCONTINENT", []string{"asian", "indian subcontinent"}},
	{"AMERICAN_INDIAN_OR_ALASKA_NATIVE", []string{"american indian", "alaska native", "alaskan native", "native american"}},
}

// race reads the answer on race and ethnicity.
func race(p phrase) string {
	if p.refuses() {
		return preferNotToDisclose
	}
	if p.has("two or more", "multiracial", "multi racial", "biracial", "multiple races", "more than one race", "mixed race") {
		return "TWO_OR_MORE_RACES"
	}
	return p.without("not hispanic or latino", "non hispanic or latino", "not hispanic", "non hispanic").only(races)
}

const dontWishToAnswer = "I_DONT_WISH_TO_ANSWER"

// veteranStatus reads the answer on veteran status, the particular before the general. A veteran who
// does not say protected matches no member.
func veteranStatus(p phrase) string {
	switch {
	case p.refuses():
		return dontWishToAnswer
	case p.has("not a protected", "not protected", "not a veteran", "non veteran", "never served"), p == " no ", p == " none ":
		return "I_AM_NOT_A_PROTECTED_VETERAN"
	case p.has("one or more"):
		return "I_IDENTIFY_AS_ONE_OR_MORE_OF_THE_CLASSIFICATIONS_OF_A_PROTECTED_VETERAN"
	case p.has("special disabled"):
		return "SPECIAL_DISABLED_VETERAN"
	case p.has("disabled veteran"):
		return "DISABLED_VETERAN"
	case p.has("disabled individual"):
		return "DISABLED_INDIVIDUAL"
	case p.has("vietnam"):
		return "VIETNAM_ERA_VETERAN"
	case p.has("recently separated") && p.has("one year", "1 year"):
		return "ONE_YEAR_RECENTLY_SEPARATED_VETERAN"
	case p.has("recently separated"): // the law's own term: within three years
		return "THREE_YEAR_RECENTLY_SEPARATED_VETERAN"
	case p.has("other protected", "campaign badge", "service medal", "active duty wartime"):
		return "OTHER_PROTECTED_VETERAN"
	case p.has("protected veteran"):
		return "I_IDENTIFY_AS_ONE_OR_MORE_OF_THE_CLASSIFICATIONS_OF_A_PROTECTED_VETERAN"
	}
	return ""
}

// disabilityStatus reads the answer on disability, which starts with Yes or No in the survey's form.
func disabilityStatus(p phrase) string {
	switch {
	case p.refuses():
		return dontWishToAnswer
	case p.starts("no"), !p.starts("yes") && p.has("do not have", "dont have", "not disabled", "no disability"):
		return "NO_I_DONT_HAVE_A_DISABILITY"
	case p.starts("yes"), p.has("have a disability", "had a disability", "am disabled"):
		return "YES_I_HAVE_A_DISABILITY_OR_PREVIOUSLY_HAD_A_DISABILITY"
	}
	return ""
}
