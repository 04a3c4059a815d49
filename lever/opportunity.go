package lever

import "bytes"

// Opportunity is one candidacy of a contact. Fields that Lever leaves out or sends as null are zero.
// Source: Lever API v1, "Opportunities".
type Opportunity struct {
	ID                string          `json:"id"`
	Name              string          `json:"name"`
	Headline          string          `json:"headline"`
	Contact           Ref             `json:"contact"`
	Emails            []string        `json:"emails"`
	Phones            []Phone         `json:"phones"`
	Confidentiality   string          `json:"confidentiality"` // confidential, non-confidential
	Location          string          `json:"location"`
	Links             []string        `json:"links"`
	Archived          *Archived       `json:"archived"`
	Tags              []string        `json:"tags"`
	Sources           []string        `json:"sources"`
	StageChanges      []StageChange   `json:"stageChanges"`
	Origin            string          `json:"origin"`
	SourcedBy         Ref             `json:"sourcedBy"`
	Owner             Ref             `json:"owner"`
	Stage             Ref             `json:"stage"` // a UUID, or a word: lead-new, applicant-new, offer
	Applications      []Application   `json:"applications"`
	CreatedAt         Time            `json:"createdAt"`
	UpdatedAt         Time            `json:"updatedAt"` // zero in most live rows
	LastInteractionAt Time            `json:"lastInteractionAt"`
	LastAdvancedAt    Time            `json:"lastAdvancedAt"`
	IsAnonymized      bool            `json:"isAnonymized"`
	DataProtection    *DataProtection `json:"dataProtection"`
}

// RecordID is the opportunity's id.
func (o Opportunity) RecordID() string { return o.ID }

// Phone is a telephone number; its type may be missing.
type Phone struct {
	Type  string `json:"type"`
	Value string `json:"value"`
}

// Archived says why and when an opportunity (or application) was closed.
type Archived struct {
	Reason     Ref  `json:"reason"`
	ArchivedAt Time `json:"archivedAt"`
}

// StageChange is one step of an opportunity through the pipeline.
type StageChange struct {
	ToStageID string `json:"toStageId"`
	UpdatedAt Time   `json:"updatedAt"`
}

// DataProtection says what a contact consented to.
type DataProtection struct {
	Contact *struct {
		Allowed   *bool `json:"allowed"`
		ExpiresAt Time  `json:"expiresAt"`
	} `json:"contact"`
}

// Application is an opportunity's application to a posting: at most one each. Not expanded, it is
// its id alone.
type Application struct {
	ID        string    `json:"id"`
	Type      string    `json:"type"` // referral, user, posting
	Posting   Ref       `json:"posting"`
	Company   string    `json:"company"`
	User      Ref       `json:"user"` // for a referral: who referred
	CreatedAt Time      `json:"createdAt"`
	Archived  *Archived `json:"archived"`
}

// UnmarshalJSON reads an expanded application, or its id alone.
func (a *Application) UnmarshalJSON(b []byte) error {
	*a = Application{}
	if b = bytes.TrimSpace(b); len(b) > 0 && b[0] == '"' {
		return decodeText(b, &a.ID)
	}
	type plain Application
	return decodeJSON(b, (*plain)(a))
}

// Deleted is a row of one of the deleted lists.
type Deleted struct {
	ID            string `json:"id"`
	DeletedAt     Time   `json:"deletedAt"`
	OpportunityID string `json:"opportunityId"` // of a deleted application
}

// RecordID is the deleted object's id.
func (d Deleted) RecordID() string { return d.ID }
