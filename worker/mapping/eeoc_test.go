package mapping

import (
	"testing"

	"github.com/leversync/leversync/lever"
	"github.com/leversync/leversync/store/unified"
)

func TestEEOC(t *testing.T) {
	t.Parallel()
	e := decode[lever.EEOResponse](t, `{"id":"a1","applicationId":"a1","opportunityId":"o1","contact":"c1","appliedAt":1000,"eeoSurveyRespondedAt":2000,
		"gender":"Female","race":"Two or More Races (Not Hispanic or Latino)","veteran":"I am not a veteran","disability":"Decline to self-identify"}`)
	got, err := mapper.EEOC(e, raw)
	if err != nil {
		t.Fatalf("EEOC: %v", err)
	}
	check(t, "EEOC(answered)", got, &unified.EEOC{
		Envelope: env(unified.EEOCs, "a1", "o1", raw), Candidate: rid(unified.Candidates, "c1"), SubmittedAt: at(2000),
		Race: new("TWO_OR_MORE_RACES"), Gender: new("FEMALE"), VeteranStatus: new("I_AM_NOT_A_PROTECTED_VETERAN"), DisabilityStatus: new("I_DONT_WISH_TO_ANSWER"),
	})
	got, err = mapper.EEOC(lever.EEOResponse{ApplicationID: "a2", OpportunityID: "o2"}, nil)
	if err != nil {
		t.Fatalf("EEOC: %v", err)
	}
	check(t, "EEOC(bare)", got, &unified.EEOC{Envelope: env(unified.EEOCs, "a2", "o2", nil), Candidate: rid(unified.Candidates, "o2")})
}

func TestEEOCAnswers(t *testing.T) {
	t.Parallel()
	tests := []struct {
		question string
		read     func(phrase) string
		answer   string
		want     string
	}{
		{"race", race, "Hispanic or Latino", "HISPANIC_OR_LATINO"},
		{"race", race, "Hispanic or Latino (of any race)", "HISPANIC_OR_LATINO"},
		{"race", race, "White (Not Hispanic or Latino)", "WHITE"},
		{"race", race, "White, non-Hispanic", "WHITE"},
		{"race", race, "Black or African American (Not Hispanic or Latino)", "BLACK_OR_AFRICAN_AMERICAN"},
		{"race", race, "Native Hawaiian or Other Pacific Islander (Not Hispanic or Latino)", "NATIVE_HAWAIIAN_OR_OTHER_PACIFIC_ISLANDER"},
		{"race", race, "Asian (Not Hispanic or Latino)", "ASIAN_OR_INDIAN_SUBCONTINENT"},
		{"race", race, "Asian or Indian Subcontinent", "ASIAN_OR_INDIAN_SUBCONTINENT"},
		{"race", race, "American Indian or Alaska Native (Not Hispanic or Latino)", "AMERICAN_INDIAN_OR_ALASKA_NATIVE"},
		{"race", race, "Two or More Races (Not Hispanic or Latino)", "TWO_OR_MORE_RACES"},
		{"race", race, "Decline to self-identify", "PREFER_NOT_TO_DISCLOSE"},
		{"race", race, "Asian or Pacific Islander", "Asian or Pacific Islander"},
		{"race", race, "Caucasian", "WHITE"},
		{"race", race, "Sámi", "Sámi"},

		{"gender", gender, "Female", "FEMALE"},
		{"gender", gender, "Male", "MALE"},
		{"gender", gender, "woman", "FEMALE"},
		{"gender", gender, "Non-binary", "NON-BINARY"},
		{"gender", gender, "Other", "OTHER"},
		{"gender", gender, "Prefer not to say", "PREFER_NOT_TO_DISCLOSE"},
		{"gender", gender, "Decline to self-identify", "PREFER_NOT_TO_DISCLOSE"},
		{"gender", gender, "Transgender woman", "Transgender woman"},
		{"gender", gender, "Male or female", "Male or female"},

		{"veteran", veteranStatus, "I am a veteran", "I am a veteran"},
		{"veteran", veteranStatus, "I am not a veteran", "I_AM_NOT_A_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "I am not a protected veteran", "I_AM_NOT_A_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "I identify as a veteran, just not a protected veteran", "I_AM_NOT_A_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "I identify as one or more of the classifications of a protected veteran", "I_IDENTIFY_AS_ONE_OR_MORE_OF_THE_CLASSIFICATIONS_OF_A_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "Disabled Veteran", "DISABLED_VETERAN"},
		{"veteran", veteranStatus, "Special disabled veteran", "SPECIAL_DISABLED_VETERAN"},
		{"veteran", veteranStatus, "Disabled individual", "DISABLED_INDIVIDUAL"},
		{"veteran", veteranStatus, "Vietnam-era veteran", "VIETNAM_ERA_VETERAN"},
		{"veteran", veteranStatus, "Other protected veteran", "OTHER_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "Armed Forces Service Medal veteran", "OTHER_PROTECTED_VETERAN"},
		{"veteran", veteranStatus, "Recently separated veteran (one year)", "ONE_YEAR_RECENTLY_SEPARATED_VETERAN"},
		{"veteran", veteranStatus, "Recently separated veteran", "THREE_YEAR_RECENTLY_SEPARATED_VETERAN"},
		{"veteran", veteranStatus, "Decline to self-identify", "I_DONT_WISH_TO_ANSWER"},
		{"veteran", veteranStatus, "I don’t wish to answer", "I_DONT_WISH_TO_ANSWER"},

		{"disability", disabilityStatus, "Yes, I have a disability, or have had one in the past", "YES_I_HAVE_A_DISABILITY_OR_PREVIOUSLY_HAD_A_DISABILITY"},
		{"disability", disabilityStatus, "YES, I HAVE A DISABILITY (or previously had a disability)", "YES_I_HAVE_A_DISABILITY_OR_PREVIOUSLY_HAD_A_DISABILITY"},
		{"disability", disabilityStatus, "No, I do not have a disability and have not had one in the past", "NO_I_DONT_HAVE_A_DISABILITY"},
		{"disability", disabilityStatus, "NO, I DON'T HAVE A DISABILITY", "NO_I_DONT_HAVE_A_DISABILITY"},
		{"disability", disabilityStatus, "I do not want to answer", "I_DONT_WISH_TO_ANSWER"},
		{"disability", disabilityStatus, "Decline to self-identify", "I_DONT_WISH_TO_ANSWER"},
		{"disability", disabilityStatus, "Not sure", "Not sure"},
	}
	for _, tt := range tests {
		if got := answer(tt.answer, tt.read); got == nil || *got != tt.want {
			t.Errorf("answer(%q) on %s = %s, want %q", tt.answer, tt.question, show(got), tt.want)
		}
	}
	if got := answer(" ", race); got != nil {
		t.Errorf("answer(%q) = %q, want nil", " ", *got)
	}
}
