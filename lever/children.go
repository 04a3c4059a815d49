package lever

// Interview is one interview of an opportunity. There is no end: Duration is in minutes.
// Source: Lever API v1, "Interviews".
type Interview struct {
	ID               string        `json:"id"`
	Panel            Ref           `json:"panel"`
	Subject          string        `json:"subject"`
	Interviewers     []Interviewer `json:"interviewers"`
	Timezone         string        `json:"timezone"`
	CreatedAt        Time          `json:"createdAt"`
	Date             Time          `json:"date"`
	Duration         float64       `json:"duration"` // minutes
	Location         string        `json:"location"`
	FeedbackTemplate Ref           `json:"feedbackTemplate"` // may be the word no-feedback
	FeedbackForms    []Ref         `json:"feedbackForms"`
	User             Ref           `json:"user"`
	Stage            Ref           `json:"stage"`
	CanceledAt       Time          `json:"canceledAt"`
}

// RecordID is the interview's id.
func (i Interview) RecordID() string { return i.ID }

// Interviewer is a user who interviews.
type Interviewer struct {
	ID               string `json:"id"`
	FeedbackTemplate Ref    `json:"feedbackTemplate"` // may be the word no-feedback
}

// NoFeedback stands in place of a feedback template's id where none is asked for.
const NoFeedback = "no-feedback"

// Feedback is a feedback form of an opportunity. A deleted one stays readable with DeletedAt set.
// Source: Lever API v1, "Feedback".
type Feedback struct {
	ID          string      `json:"id"`
	Type        string      `json:"type"`
	Text        string      `json:"text"`
	Fields      []FormField `json:"fields"`
	Interview   Ref         `json:"interview"`
	Panel       Ref         `json:"panel"`
	User        Ref         `json:"user"`
	CreatedAt   Time        `json:"createdAt"`
	UpdatedAt   Time        `json:"updatedAt"`
	CompletedAt Time        `json:"completedAt"`
	DeletedAt   Time        `json:"deletedAt"`
}

// RecordID is the form's id.
func (f Feedback) RecordID() string { return f.ID }

// FormField is a field of a form, or a question of a posting's application form.
type FormField struct {
	ID          string   `json:"id"`
	Type        string   `json:"type"`
	Text        string   `json:"text"`
	Description string   `json:"description"`
	Required    bool     `json:"required"`
	Value       Scalar   `json:"value"` // of a score-system field: the label of the chosen option
	Options     []Option `json:"options"`
}

// Option is one choice of a field.
type Option struct {
	Text string `json:"text"`
}

// Offer is an offer of an opportunity. Offers have no updatedAt.
// Source: Lever API v1, "Offers".
type Offer struct {
	ID             string               `json:"id"`
	Posting        Ref                  `json:"posting"`
	CreatedAt      Time                 `json:"createdAt"`
	Status         string               `json:"status"`
	Creator        Ref                  `json:"creator"`
	Fields         []OfferField         `json:"fields"`
	Signatures     map[string]Signature `json:"signatures"`
	ApprovedAt     Time                 `json:"approvedAt"`
	SentAt         Time                 `json:"sentAt"`
	SentDocument   *OfferDocument       `json:"sentDocument"`
	SignedDocument *OfferDocument       `json:"signedDocument"`
}

// RecordID is the offer's id.
func (o Offer) RecordID() string { return o.ID }

// OfferField is a field of an offer's form; its value is a string, a number or null.
type OfferField struct {
	Text       string `json:"text"`
	Identifier string `json:"identifier"`
	Value      Scalar `json:"value"`
}

// Signature is one party's signature of an offer.
type Signature struct {
	Role     string `json:"role"`
	SignedAt Time   `json:"signedAt"`
	Signed   *bool  `json:"signed"`
}

// OfferDocument is the document of an offer that was sent, or signed.
type OfferDocument struct {
	FileName    string `json:"fileName"`
	UploadedAt  Time   `json:"uploadedAt"`
	DownloadURL string `json:"downloadUrl"`
}

// Resume is a resume of an opportunity. Source: Lever API v1, "Resumes".
type Resume struct {
	ID        string `json:"id"`
	CreatedAt Time   `json:"createdAt"`
	File      *File  `json:"file"`
}

// RecordID is the resume's id.
func (r Resume) RecordID() string { return r.ID }

// File is a file of an opportunity, or of a resume. Source: Lever API v1, "Files".
type File struct {
	ID          string `json:"id"`
	Name        string `json:"name"`
	Ext         string `json:"ext"`
	DownloadURL string `json:"downloadUrl"` // needs the credential: never given out
	UploadedAt  Time   `json:"uploadedAt"`
	Status      string `json:"status"`
	Size        Scalar `json:"size"` // bytes, as a number or a numeric string
}

// RecordID is the file's id.
func (f File) RecordID() string { return f.ID }
