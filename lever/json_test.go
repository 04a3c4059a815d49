package lever

import "testing"

// TestARecordsErrorNamesItsField: what is wrong with a record is said by its field and its kinds, never by its values.
func TestARecordsErrorNamesItsField(t *testing.T) {
	t.Parallel()
	for body, want := range map[string]string{
		`{"id":7}`:              "lever: record: id: number where string belongs",
		`{"id":"a","name":{}}`:  "lever: record: name: object where string belongs",
		`{"id":"a","tags":"x"}`: "lever: record: tags: string where array belongs",
		`{"id":"a","stageChanges":[{},{"toStageId":true}]}`:       "lever: record: stageChanges.toStageId: bool where string belongs",
		`{"id":"a","isAnonymized":"secret"}`:                      "lever: record: isAnonymized: string where bool belongs",
		`{"id":"a","archived":{"archivedAt":"secret"}}`:           "lever: record: a string is no time",
		`{"id":"a","contact":[1]}`:                                "lever: record: a reference must be an id or an object, not an array",
		`{"id":"a","applications":[{"id":"b","company":[]}]}`:     "lever: record: applications.company: array where string belongs",
		`{"name":"secret"}`:                                       ErrNoID.Error(),
		`{"id":"a","dataProtection":{"contact":{"allowed":"x"}}}`: "lever: record: dataProtection.contact.allowed: string where bool belongs",
	} {
		item := DecodeItem[Opportunity]([]byte(body))
		if item.Err == nil || item.Err.Error() != want {
			t.Errorf("%s: %v, want %s", body, item.Err, want)
		}
	}
	twice := DecodeItem[Opportunity]([]byte(`{"id":"a","name":"x","name":"y\u00e9","ID":"b","contact":{"id":"c"},"tags":null}`))
	if v := twice.Value; twice.Err != nil || v.ID != "a" || v.Name != "yé" || v.Contact != "c" || v.Tags != nil {
		t.Errorf("%+v, %v", v, twice.Err)
	}
}
