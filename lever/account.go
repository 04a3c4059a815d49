package lever

// Stage is a stage of the account's pipeline; the list's order is the pipeline's.
// Source: Lever API v1, "Stages".
type Stage struct {
	ID   string `json:"id"`
	Text string `json:"text"`
}

// RecordID is the stage's id.
func (s Stage) RecordID() string { return s.ID }

// StageOffer is the built-in offer stage, present in every account.
const StageOffer = "offer"

// ArchiveReason is why an opportunity was closed. Source: Lever API v1, "Archive reasons".
type ArchiveReason struct {
	ID     string `json:"id"`
	Text   string `json:"text"`
	Status string `json:"status"` // active, inactive
	Type   string `json:"type"`   // hired, non-hired; "" where Lever sends null
}

// RecordID is the reason's id.
func (r ArchiveReason) RecordID() string { return r.ID }

// User is a user of the account. Source: Lever API v1, "Users".
type User struct {
	ID            string `json:"id"`
	Name          string `json:"name"`
	Username      string `json:"username"`
	Email         string `json:"email"`
	AccessRole    string `json:"accessRole"`
	CreatedAt     Time   `json:"createdAt"`
	DeactivatedAt Time   `json:"deactivatedAt"`
}

// RecordID is the user's id.
func (u User) RecordID() string { return u.ID }

// Tag is a tag of the account. It has no id: case matters, "Full-time" and "Full-Time" are two.
// Source: Lever API v1, "Tags".
type Tag struct {
	Text  string `json:"text"`
	Count int    `json:"count"`
}

// RecordID is the tag's text.
func (t Tag) RecordID() string { return t.Text }

// EEOResponse is one row of the EEO responses with personal data; answers are absent where not given.
// Source: Lever API v1, "EEO responses (PII)".
type EEOResponse struct {
	ID                   string `json:"id"`
	ApplicationID        string `json:"applicationId"`
	OpportunityID        string `json:"opportunityId"`
	Contact              Ref    `json:"contact"`
	AppliedAt            Time   `json:"appliedAt"`
	EEOSurveyRespondedAt Time   `json:"eeoSurveyRespondedAt"`
	Gender               string `json:"gender"`
	Race                 string `json:"race"`
	Veteran              string `json:"veteran"`
	Disability           string `json:"disability"`
}

// RecordID is the row's id, which is the application's.
func (e EEOResponse) RecordID() string {
	if e.ID != "" {
		return e.ID
	}
	return e.ApplicationID
}
