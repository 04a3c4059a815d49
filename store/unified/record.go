// Package unified is the unified ATS model: plain structs, one for each of the 15 scopes.
//
// Field rules. The json tag is the field's name in the API, and, with dashes for "not in the API",
// the db tag (default: the json name) is its column. A nil pointer is null: Lever did not say.
// A relation is the id of the target (see [ID]), stored whether or not the target is there; what can
// not be read is turned into null when it is read. Enums are open: an unknown value passes through.
package unified

import (
	"encoding/json"

	"github.com/google/uuid"
)

// Envelope is what every record carries beside its body.
type Envelope struct {
	ID       uuid.UUID `json:"id"`
	RemoteID string    `json:"remote_id"`
	// Parent is Lever's id of the opportunity (or posting) that the record hangs on; "" for none.
	// When the parent is read again, or is gone, so is what hangs on it.
	Parent string `json:"-"`
	// Raw is Lever's own body, sanitised; nil where the scope keeps none of its own.
	Raw json.RawMessage `json:"-"`
}

// Base returns the envelope itself, so that records can be handled alike.
func (e *Envelope) Base() *Envelope { return e }

// Record is one record of one scope.
type Record interface {
	Base() *Envelope
	Scope() Scope
}

// URL is a link of a candidate or a job.
type URL struct {
	Value   *string `json:"value"`
	URLType *string `json:"url_type"` // PERSONAL, COMPANY, PORTFOLIO, BLOG, SOCIAL_MEDIA, OTHER, JOB_POSTING, "-"
}

// Option is one choice of a screening question.
type Option struct {
	Label string `json:"label"`
}

// Application is one candidacy: an opportunity of Lever, with or without an application to a posting.
type Application struct {
	Envelope
	Candidate    *uuid.UUID `json:"candidate"`
	Job          *uuid.UUID `json:"job"`
	AppliedAt    *Time      `json:"applied_at"`
	RejectedAt   *Time      `json:"rejected_at"`
	Source       *string    `json:"source"`
	CreditedTo   *uuid.UUID `json:"credited_to"`
	CurrentStage *uuid.UUID `json:"current_stage"`
	RejectReason *uuid.UUID `json:"reject_reason"`
}

// Attachment is a file of a candidate. Its URL is our own download endpoint, made when it is read.
type Attachment struct {
	Envelope
	FileName       *string    `json:"file_name"`
	AttachmentType *string    `json:"attachment_type"` // RESUME, COVER_LETTER, OFFER_LETTER, OTHER
	Candidate      *uuid.UUID `json:"candidate"`
	// Source is the list it came from: resumes, files or offers; a list read again replaces its own.
	Source string `json:"-" db:"source"`
	// DownloadPath is Lever's path of the file below the API's base URL, for our download endpoint.
	DownloadPath *string `json:"-" db:"download_path"`
}

// Candidate is a person: all opportunities of one contact of Lever. Its applications and attachments
// are read from their own tables.
type Candidate struct {
	Envelope
	FirstName         *string  `json:"first_name"`
	LastName          *string  `json:"last_name"`
	Company           *string  `json:"company"`
	Title             *string  `json:"title"`
	LastInteractionAt *Time    `json:"last_interaction_at"`
	IsPrivate         *bool    `json:"is_private"`
	CanEmail          *bool    `json:"can_email"`
	Locations         []string `json:"locations"`
	PhoneNumbers      []string `json:"phone_numbers"`
	EmailAddresses    []string `json:"email_addresses"`
	URLs              []URL    `json:"urls"`
	Tags              []string `json:"tags"`
	RemoteCreatedAt   *Time    `json:"remote_created_at"`
	RemoteUpdatedAt   *Time    `json:"remote_updated_at"`
	Avatar            *string  `json:"avatar"`
}

// Department is the text of postings' categories.department, else team.
type Department struct {
	Envelope
	Name *string `json:"name"`
}

// EEOC is one answered equal-opportunity survey.
type EEOC struct {
	Envelope
	Candidate        *uuid.UUID `json:"candidate"`
	SubmittedAt      *Time      `json:"submitted_at"`
	Race             *string    `json:"race"`
	Gender           *string    `json:"gender"`
	VeteranStatus    *string    `json:"veteran_status"`
	DisabilityStatus *string    `json:"disability_status"`
}

// Job is a vacancy: a posting of Lever.
type Job struct {
	Envelope
	Name            *string     `json:"name"`
	Description     *string     `json:"description"`
	Code            *string     `json:"code"`
	Status          *string     `json:"status"` // OPEN, CLOSED, DRAFT, ARCHIVED, PENDING
	JobPostingURLs  []URL       `json:"job_posting_urls"`
	RemoteCreatedAt *Time       `json:"remote_created_at"`
	RemoteUpdatedAt *Time       `json:"remote_updated_at"`
	Confidential    *bool       `json:"confidential"`
	Departments     []uuid.UUID `json:"departments"`
	Offices         []uuid.UUID `json:"offices"`
	HiringManagers  []uuid.UUID `json:"hiring_managers"`
	Recruiters      []uuid.UUID `json:"recruiters"`
}

// JobInterviewStage is a stage of the account's pipeline.
type JobInterviewStage struct {
	Envelope
	Name       *string    `json:"name"`
	Job        *uuid.UUID `json:"job"`         // always null: Lever's stages are the account's
	StageOrder *int       `json:"stage_order"` // from 0
}

// Offer is an offer made on an application.
type Offer struct {
	Envelope
	Application     *uuid.UUID `json:"application"`
	Creator         *uuid.UUID `json:"creator"`
	RemoteCreatedAt *Time      `json:"remote_created_at"`
	ClosedAt        *Time      `json:"closed_at"`
	SentAt          *Time      `json:"sent_at"`
	StartDate       *string    `json:"start_date"`
	Status          *string    `json:"status"`
}

// Office is the text of a posting's location.
type Office struct {
	Envelope
	Name     *string `json:"name"`
	Location *string `json:"location"`
}

// RejectReason is an archive reason that does not mean hired.
type RejectReason struct {
	Envelope
	Name *string `json:"name"`
}

// RemoteUser is a user of the customer's Lever account.
type RemoteUser struct {
	Envelope
	FirstName       *string `json:"first_name"`
	LastName        *string `json:"last_name"`
	Email           *string `json:"email"`
	Disabled        *bool   `json:"disabled"`
	RemoteCreatedAt *Time   `json:"remote_created_at"`
	AccessRole      *string `json:"access_role"`
}

// ScheduledInterview is an interview. Its status depends on the hour and on the scorecards, and is
// derived when it is read: COMPLETE when all its forms are submitted (or it is over and asks for none),
// AWAITING_FEEDBACK when it is over, else SCHEDULED.
type ScheduledInterview struct {
	Envelope
	Application       *uuid.UUID  `json:"application"`
	JobInterviewStage *uuid.UUID  `json:"job_interview_stage"`
	Organizer         *uuid.UUID  `json:"organizer"`
	Interviewers      []uuid.UUID `json:"interviewers"`
	Location          *string     `json:"location"`
	StartAt           *Time       `json:"start_at"`
	EndAt             *Time       `json:"end_at"`
	RemoteCreatedAt   *Time       `json:"remote_created_at"`
	RemoteUpdatedAt   *Time       `json:"remote_updated_at"`
	// FeedbackForms are the scorecards that belong to it.
	FeedbackForms []uuid.UUID `json:"-" db:"feedback_forms"`
	// FeedbackExpected is false when no interviewer is asked for any.
	FeedbackExpected *bool `json:"-" db:"feedback_expected"`
}

// Scorecard is one feedback form.
type Scorecard struct {
	Envelope
	Application           *uuid.UUID `json:"application"`
	Interview             *uuid.UUID `json:"interview"`
	Interviewer           *uuid.UUID `json:"interviewer"`
	RemoteCreatedAt       *Time      `json:"remote_created_at"`
	SubmittedAt           *Time      `json:"submitted_at"`
	OverallRecommendation *string    `json:"overall_recommendation"` // DEFINITELY_NO, NO, NO_DECISION, YES, STRONG_YES
}

// ScreeningQuestion is a question that a job asks its applicants.
type ScreeningQuestion struct {
	Envelope
	Job         *uuid.UUID `json:"job"`
	Description *string    `json:"description"`
	Title       *string    `json:"title"`
	Type        *string    `json:"type"`
	Required    *bool      `json:"required"`
	Options     []Option   `json:"options"`
}

// Tag is a tag of the account.
type Tag struct {
	Envelope
	Name *string `json:"name"`
}

// Scope is the scope of the record, for each kind.
func (*Application) Scope() Scope        { return Applications }
func (*Attachment) Scope() Scope         { return Attachments }
func (*Candidate) Scope() Scope          { return Candidates }
func (*Department) Scope() Scope         { return Departments }
func (*EEOC) Scope() Scope               { return EEOCs }
func (*Job) Scope() Scope                { return Jobs }
func (*JobInterviewStage) Scope() Scope  { return JobInterviewStages }
func (*Offer) Scope() Scope              { return Offers }
func (*Office) Scope() Scope             { return Offices }
func (*RejectReason) Scope() Scope       { return RejectReasons }
func (*RemoteUser) Scope() Scope         { return RemoteUsers }
func (*ScheduledInterview) Scope() Scope { return ScheduledInterviews }
func (*Scorecard) Scope() Scope          { return Scorecards }
func (*ScreeningQuestion) Scope() Scope  { return ScreeningQuestions }
func (*Tag) Scope() Scope                { return Tags }
