package api

import (
	"time"

	"github.com/google/uuid"

	"github.com/leversync/leversync/store/unified"
)

// Envelope is what every record carries.
type Envelope struct {
	ID           uuid.UUID     `json:"id" format:"uuid" doc:"Stable across syncs and relinks."`
	RemoteID     *string       `json:"remote_id" doc:"Lever's own id; for departments, offices and tags the exact text."`
	ModifiedAt   unified.Time  `json:"modified_at" format:"date-time" doc:"When its content last changed here."`
	DeletedAt    *unified.Time `json:"remote_deleted_at,omitzero" format:"date-time" nullable:"true" doc:"When it was found gone at the source. There with include_deleted alone."`
	RawData      Object        `json:"raw_data,omitzero" doc:"What Lever sent. There with include_raw_data alone."`
	CustomFields Object        `json:"custom_fields" doc:"Null unless include_custom_fields is true."`
}

// Application is one candidacy of a person.
type Application struct {
	Envelope
	Candidate    Relation[Candidate]         `json:"candidate" doc:"The person."`
	Job          Relation[Job]               `json:"job" doc:"The vacancy; null for a lead."`
	AppliedAt    *unified.Time               `json:"applied_at" doc:"When they applied."`
	RejectedAt   *unified.Time               `json:"rejected_at" doc:"When it was rejected; null: it was not."`
	Source       *string                     `json:"source" doc:"Where it came from."`
	CreditedTo   Relation[RemoteUser]        `json:"credited_to" doc:"The user credited with it."`
	CurrentStage Relation[JobInterviewStage] `json:"current_stage" doc:"The stage it is in, or stopped in."`
	RejectReason Relation[RejectReason]      `json:"reject_reason" doc:"Why it was rejected."`
}

// Attachment is a file of a candidate.
type Attachment struct {
	Envelope
	FileName       *string             `json:"file_name" doc:"File name."`
	FileURL        *string             `json:"file_url" format:"uri" doc:"Where to get the file, with the same two headers."`
	AttachmentType *string             `json:"attachment_type" doc:"RESUME, COVER_LETTER, OFFER_LETTER or OTHER."`
	Candidate      Relation[Candidate] `json:"candidate" doc:"Whose file it is."`
}

// Candidate is a person.
type Candidate struct {
	Envelope
	FirstName         *string                `json:"first_name" doc:"Given name."`
	LastName          *string                `json:"last_name" doc:"Family name."`
	Company           *string                `json:"company" doc:"Company."`
	Title             *string                `json:"title" doc:"Headline."`
	LastInteractionAt *unified.Time          `json:"last_interaction_at" doc:"Newest interaction."`
	IsPrivate         *bool                  `json:"is_private" doc:"Whether any of their opportunities is confidential."`
	CanEmail          *bool                  `json:"can_email" doc:"Whether they consented to be contacted; null: Lever does not say."`
	Locations         []string               `json:"locations" nullable:"true" doc:"Places."`
	PhoneNumbers      []string               `json:"phone_numbers" nullable:"true" doc:"Telephone numbers."`
	EmailAddresses    []string               `json:"email_addresses" nullable:"true" doc:"E-mail addresses."`
	URLs              ListOf[unified.URL]    `json:"urls" doc:"Links."`
	Tags              []string               `json:"tags" nullable:"true" doc:"Names of tags."`
	Applications      Relations[Application] `json:"applications" doc:"Their applications."`
	Attachments       Relations[Attachment]  `json:"attachments" doc:"Their files."`
	RemoteCreatedAt   *unified.Time          `json:"remote_created_at" doc:"When Lever first knew them."`
	RemoteUpdatedAt   *unified.Time          `json:"remote_updated_at" doc:"When Lever last changed them."`
	Avatar            *string                `json:"avatar" doc:"Always null for Lever."`
}

// Department is a department, or team, that vacancies name.
type Department struct {
	Envelope
	Name *string `json:"name" doc:"Its name."`
}

// EEOC is an answered equal-opportunity survey.
type EEOC struct {
	Envelope
	Candidate        Relation[Candidate] `json:"candidate" doc:"Who answered."`
	SubmittedAt      *unified.Time       `json:"submitted_at" doc:"When."`
	Race             *string             `json:"race" doc:"Race."`
	Gender           *string             `json:"gender" doc:"Gender."`
	VeteranStatus    *string             `json:"veteran_status" doc:"Veteran status."`
	DisabilityStatus *string             `json:"disability_status" doc:"Disability."`
}

// Job is a vacancy.
type Job struct {
	Envelope
	Name            *string               `json:"name" doc:"Title."`
	Description     *string               `json:"description" doc:"Text, HTML where there is any."`
	Code            *string               `json:"code" doc:"Requisition code."`
	Status          *string               `json:"status" doc:"OPEN, CLOSED, DRAFT, ARCHIVED or PENDING."`
	JobPostingURLs  ListOf[unified.URL]   `json:"job_posting_urls" doc:"Where it is advertised."`
	RemoteCreatedAt *unified.Time         `json:"remote_created_at" doc:"When Lever made it."`
	RemoteUpdatedAt *unified.Time         `json:"remote_updated_at" doc:"When Lever last changed it."`
	Confidential    *bool                 `json:"confidential" doc:"Whether it is confidential."`
	Departments     Relations[Department] `json:"departments" doc:"Its departments."`
	Offices         Relations[Office]     `json:"offices" doc:"Its offices."`
	HiringManagers  Relations[RemoteUser] `json:"hiring_managers" doc:"Hiring managers."`
	Recruiters      Relations[RemoteUser] `json:"recruiters" doc:"Recruiters."`
}

// JobInterviewStage is a stage of the account's pipeline.
type JobInterviewStage struct {
	Envelope
	Name       *string       `json:"name" doc:"Its name."`
	Job        Relation[Job] `json:"job" doc:"Always null: Lever's stages are the account's."`
	StageOrder *int          `json:"stage_order" doc:"Position in the pipeline, from 0."`
}

// Offer is an offer made on an application.
type Offer struct {
	Envelope
	Application     Relation[Application] `json:"application" doc:"The application."`
	Creator         Relation[RemoteUser]  `json:"creator" doc:"Who made it."`
	RemoteCreatedAt *unified.Time         `json:"remote_created_at" doc:"When it was made."`
	ClosedAt        *unified.Time         `json:"closed_at" doc:"When it was signed or denied."`
	SentAt          *unified.Time         `json:"sent_at" doc:"When it was sent."`
	StartDate       *string               `json:"start_date" doc:"Proposed start."`
	Status          *string               `json:"status" doc:"Lever's status in capitals."`
}

// Office is a place that vacancies name.
type Office struct {
	Envelope
	Name     *string `json:"name" doc:"Its name."`
	Location *string `json:"location" doc:"The same text."`
}

// RejectReason is why an application can be rejected.
type RejectReason struct {
	Envelope
	Name *string `json:"name" doc:"The text."`
}

// RemoteUser is a user of the customer's Lever account.
type RemoteUser struct {
	Envelope
	FirstName       *string       `json:"first_name" doc:"Given name."`
	LastName        *string       `json:"last_name" doc:"Family name."`
	Email           *string       `json:"email" doc:"E-mail address."`
	Disabled        *bool         `json:"disabled" doc:"Whether deactivated."`
	RemoteCreatedAt *unified.Time `json:"remote_created_at" doc:"When Lever made them."`
	AccessRole      *string       `json:"access_role" doc:"ADMIN, SUPER_ADMIN, TEAM_MEMBER, LIMITED_TEAM_MEMBER, INTERVIEWER or a role of the account."`
}

// ScheduledInterview is an interview.
type ScheduledInterview struct {
	Envelope
	Application       Relation[Application]       `json:"application" doc:"The application."`
	JobInterviewStage Relation[JobInterviewStage] `json:"job_interview_stage" doc:"The stage it belongs to."`
	Organizer         Relation[RemoteUser]        `json:"organizer" doc:"Who scheduled it."`
	Interviewers      Relations[RemoteUser]       `json:"interviewers" doc:"Who interviews."`
	Location          *string                     `json:"location" doc:"Place."`
	StartAt           *unified.Time               `json:"start_at" doc:"Start."`
	EndAt             *unified.Time               `json:"end_at" doc:"End."`
	RemoteCreatedAt   *unified.Time               `json:"remote_created_at" doc:"When it was scheduled."`
	RemoteUpdatedAt   *unified.Time               `json:"remote_updated_at" doc:"Always null for Lever."`
	Status            *string                     `json:"status" doc:"SCHEDULED, AWAITING_FEEDBACK or COMPLETE, as of now."`
}

// Scorecard is a feedback form.
type Scorecard struct {
	Envelope
	Application           Relation[Application]        `json:"application" doc:"The application."`
	Interview             Relation[ScheduledInterview] `json:"interview" doc:"The interview; null for stand-alone feedback."`
	Interviewer           Relation[RemoteUser]         `json:"interviewer" doc:"Who gave it."`
	RemoteCreatedAt       *unified.Time                `json:"remote_created_at" doc:"When it was made."`
	SubmittedAt           *unified.Time                `json:"submitted_at" doc:"When it was handed in."`
	OverallRecommendation *string                      `json:"overall_recommendation" doc:"DEFINITELY_NO, NO, NO_DECISION, YES or STRONG_YES."`
}

// ScreeningQuestion is a question that a vacancy asks its applicants.
type ScreeningQuestion struct {
	Envelope
	Job         Relation[Job]          `json:"job" doc:"The vacancy."`
	Description *string                `json:"description" doc:"Long text."`
	Title       *string                `json:"title" doc:"The question."`
	Type        *string                `json:"type" doc:"DATE, FILE, SINGLE_SELECT, MULTI_SELECT, SINGLE_LINE_TEXT, MULTI_LINE_TEXT, NUMERIC or BOOLEAN."`
	Required    *bool                  `json:"required" doc:"Whether it must be answered."`
	Options     ListOf[unified.Option] `json:"options" doc:"Choices."`
}

// Tag is a tag of the account.
type Tag struct {
	Envelope
	Name *string `json:"name" doc:"Its text."`
}

// Activity is a note that was written through this API.
type Activity struct {
	Envelope
	User            Relation[RemoteUser] `json:"user" doc:"The user in whose name it was written."`
	ActivityType    *string              `json:"activity_type" doc:"NOTE."`
	Subject         *string              `json:"subject" doc:"Went before the text."`
	Content         *string              `json:"body" doc:"The text."`
	Visibility      *string              `json:"visibility" doc:"ADMIN_ONLY, PUBLIC or PRIVATE, as it was given."`
	Candidate       Relation[Candidate]  `json:"candidate" doc:"Whom it is about."`
	RemoteCreatedAt *unified.Time        `json:"remote_created_at" doc:"When it was written."`
}

// moment is a time as the API gives it; nil stays nil.
func moment(t *time.Time) *unified.Time {
	if t == nil {
		return nil
	}
	u := unified.NewTime(*t)
	return &u
}
