package lever

// Posting is a vacancy. Department, team and location are plain texts; there are no ids of them anywhere.
// Source: Lever API v1, "Postings".
type Posting struct {
	ID              string         `json:"id"`
	Text            string         `json:"text"`
	State           string         `json:"state"` // published, internal, closed, draft, pending, rejected
	Confidentiality string         `json:"confidentiality"`
	User            Ref            `json:"user"`
	Owner           Ref            `json:"owner"`
	HiringManager   Ref            `json:"hiringManager"`
	Categories      Categories     `json:"categories"`
	Content         PostingContent `json:"content"`
	ReqCode         string         `json:"reqCode"`
	RequisitionCode []string       `json:"requisitionCodes"`
	URLs            *PostingURLs   `json:"urls"` // nil for drafts and closed ones
	CreatedAt       Time           `json:"createdAt"`
	UpdatedAt       Time           `json:"updatedAt"`
}

// RecordID is the posting's id.
func (p Posting) RecordID() string { return p.ID }

// Categories are a posting's department, team and places.
type Categories struct {
	Department   string   `json:"department"`
	Team         string   `json:"team"`
	Location     string   `json:"location"`
	AllLocations []string `json:"allLocations"`
	Commitment   string   `json:"commitment"`
}

// PostingContent is a posting's text.
type PostingContent struct {
	Description     string `json:"description"`
	DescriptionHTML string `json:"descriptionHtml"`
}

// PostingURLs are a posting's public pages.
type PostingURLs struct {
	List  string `json:"list"`
	Show  string `json:"show"`
	Apply string `json:"apply"`
}

// ApplicationForm is what a posting asks its applicants. Source: Lever API v1, "Posting application questions".
type ApplicationForm struct {
	ID              string           `json:"id"`
	Text            string           `json:"text"`
	CustomQuestions []CustomQuestion `json:"customQuestions"`
}

// CustomQuestion is a group of questions of an application form.
type CustomQuestion struct {
	ID     string      `json:"id"`
	Text   string      `json:"text"`
	Fields []FormField `json:"fields"`
}
