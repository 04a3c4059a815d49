package levertest

import (
	"bytes"
	"encoding/json"
	"strconv"
)

// marshal writes v as Lever does: & < > stay as they are, so that a record reads the same to the letter whichever way it went out.
func marshal(v any) ([]byte, error) {
	var b bytes.Buffer
	enc := json.NewEncoder(&b)
	enc.SetEscapeHTML(false)
	err := enc.Encode(v)
	return bytes.TrimSuffix(b.Bytes(), []byte("\n")), err
}

// ms is a moment in milliseconds since 1970; 0 goes out as null.
type ms int64

// MarshalJSON writes the number, or null.
func (m ms) MarshalJSON() ([]byte, error) { return m.append(nil), nil }

func (m ms) append(b []byte) []byte {
	if m == 0 {
		return append(b, "null"...)
	}
	return strconv.AppendInt(b, int64(m), 10)
}

// text is a string that goes out as null when it is empty.
type text string

// MarshalJSON writes the string, or null.
func (t text) MarshalJSON() ([]byte, error) {
	if t == "" {
		return []byte("null"), nil
	}
	return json.Marshal(string(t))
}

// The bodies of what hangs on an opportunity, as Lever sends them.
type (
	interviewer struct {
		ID               string `json:"id"`
		Name             string `json:"name"`
		Email            string `json:"email"`
		FeedbackTemplate text   `json:"feedbackTemplate"`
	}
	interview struct {
		ID               string        `json:"id"`
		Panel            string        `json:"panel"`
		Subject          string        `json:"subject"`
		Note             string        `json:"note"`
		Interviewers     []interviewer `json:"interviewers"`
		Timezone         string        `json:"timezone"`
		CreatedAt        ms            `json:"createdAt"`
		Date             ms            `json:"date"`
		Duration         int           `json:"duration"` // minutes
		Location         text          `json:"location"`
		FeedbackTemplate text          `json:"feedbackTemplate"`
		FeedbackForms    []string      `json:"feedbackForms"`
		FeedbackReminder string        `json:"feedbackReminder"`
		User             text          `json:"user"`
		Stage            string        `json:"stage"`
		CanceledAt       ms            `json:"canceledAt"`
		Postings         []string      `json:"postings"`
		GcalEventURL     text          `json:"gcalEventUrl"`
	}
	option struct {
		Text string `json:"text"`
	}
	formField struct {
		ID          string   `json:"id"`
		Type        string   `json:"type"`
		Text        string   `json:"text"`
		Description text     `json:"description"`
		Required    bool     `json:"required"`
		Prompt      string   `json:"prompt,omitempty"`
		Options     []option `json:"options,omitempty"`
		Value       any      `json:"value"`
	}
	feedback struct {
		ID             string      `json:"id"`
		Type           string      `json:"type"`
		Text           string      `json:"text"`
		Instructions   string      `json:"instructions"`
		Fields         []formField `json:"fields"`
		BaseTemplateID string      `json:"baseTemplateId"`
		Interview      text        `json:"interview"`
		Panel          text        `json:"panel"`
		User           text        `json:"user"`
		CreatedAt      ms          `json:"createdAt"`
		CompletedAt    ms          `json:"completedAt"`
		UpdatedAt      ms          `json:"updatedAt"`
		DeletedAt      ms          `json:"deletedAt"`
	}
	offerField struct {
		Text       string `json:"text"`
		Identifier string `json:"identifier"`
		Value      any    `json:"value"`
	}
	signature struct {
		Role          string `json:"role"`
		Name          text   `json:"name"`
		Email         text   `json:"email"`
		FirstOpenedAt ms     `json:"firstOpenedAt"`
		SignedAt      ms     `json:"signedAt"`
		Signed        bool   `json:"signed"`
	}
	offerDocument struct {
		FileName    string `json:"fileName"`
		UploadedAt  ms     `json:"uploadedAt"`
		DownloadURL string `json:"downloadUrl"`
	}
	offer struct {
		ID             string               `json:"id"`
		Posting        text                 `json:"posting"`
		CreatedAt      ms                   `json:"createdAt"`
		Status         string               `json:"status"`
		Creator        text                 `json:"creator"`
		Fields         []offerField         `json:"fields"`
		Signatures     map[string]signature `json:"signatures"`
		Approved       any                  `json:"approved"`
		ApprovedAt     ms                   `json:"approvedAt"`
		SentAt         ms                   `json:"sentAt"`
		SentDocument   *offerDocument       `json:"sentDocument"`
		SignedDocument *offerDocument       `json:"signedDocument"`
	}
	file struct {
		ID          string `json:"id,omitempty"` // absent in a resume's file
		Name        string `json:"name"`
		Ext         string `json:"ext"`
		DownloadURL string `json:"downloadUrl"`
		UploadedAt  any    `json:"uploadedAt"` // milliseconds, as a number or a string
		Status      text   `json:"status"`
		Size        any    `json:"size"` // bytes, as a number or a string
	}
	resume struct {
		ID         string         `json:"id"`
		CreatedAt  ms             `json:"createdAt"`
		File       *file          `json:"file"`
		ParsedData map[string]any `json:"parsedData"`
	}
	noteField struct {
		CreatedAt ms     `json:"createdAt"`
		Score     any    `json:"score"`
		Stage     string `json:"stage"`
		Text      string `json:"text"`
		Type      string `json:"type"`
		User      text   `json:"user"`
		Value     string `json:"value"`
	}
	note struct {
		ID          string      `json:"id"`
		Text        string      `json:"text"`
		Fields      []noteField `json:"fields"`
		User        text        `json:"user"`
		Secret      bool        `json:"secret"`
		CompletedAt ms          `json:"completedAt"`
		DeletedAt   ms          `json:"deletedAt"`
		CreatedAt   ms          `json:"createdAt"`
	}
	referral struct {
		ID             string      `json:"id"`
		Type           string      `json:"type"`
		Text           string      `json:"text"`
		Instructions   string      `json:"instructions"`
		Fields         []formField `json:"fields"`
		BaseTemplateID string      `json:"baseTemplateId"`
		User           text        `json:"user"`
		Referrer       text        `json:"referrer"`
		Stage          text        `json:"stage"`
		CreatedAt      ms          `json:"createdAt"`
		CompletedAt    ms          `json:"completedAt"`
	}
)

// The bodies of the account's own lists.
type (
	stage struct {
		ID   string `json:"id"`
		Text string `json:"text"`

		pipeline string
		gone     bool
	}
	reason struct {
		ID     string `json:"id"`
		Text   string `json:"text"`
		Status string `json:"status"`
		Type   string `json:"type"`

		gone bool
	}
	user struct {
		ID                  string `json:"id"`
		Name                string `json:"name"`
		Username            string `json:"username"`
		Email               string `json:"email"`
		AccessRole          string `json:"accessRole"`
		Photo               text   `json:"photo"`
		CreatedAt           ms     `json:"createdAt"`
		DeactivatedAt       ms     `json:"deactivatedAt"`
		ExternalDirectoryID text   `json:"externalDirectoryId"`
		JobTitle            text   `json:"jobTitle"`

		gone bool
	}
	tag struct {
		Text  string `json:"text"`
		Count int    `json:"count"`
	}
	categories struct {
		Commitment   string   `json:"commitment"`
		Department   text     `json:"department"`
		Level        text     `json:"level"`
		Location     string   `json:"location"`
		Team         string   `json:"team"`
		AllLocations []string `json:"allLocations"`
	}
	postingURLs struct {
		List  string `json:"list"`
		Show  string `json:"show"`
		Apply string `json:"apply"`
	}
	postingContent struct {
		Description     string   `json:"description"`
		DescriptionHTML string   `json:"descriptionHtml"`
		Lists           []option `json:"lists"`
		Closing         string   `json:"closing"`
		ClosingHTML     string   `json:"closingHtml"`
	}
	posting struct {
		ID                   string         `json:"id"`
		Text                 string         `json:"text"`
		State                string         `json:"state"`
		DistributionChannels []string       `json:"distributionChannels"`
		User                 text           `json:"user"`
		Owner                text           `json:"owner"`
		HiringManager        text           `json:"hiringManager"`
		Categories           categories     `json:"categories"`
		Tags                 []string       `json:"tags"`
		Content              postingContent `json:"content"`
		Country              text           `json:"country"`
		Followers            []string       `json:"followers"`
		ReqCode              text           `json:"reqCode"`
		RequisitionCodes     []string       `json:"requisitionCodes"`
		URLs                 *postingURLs   `json:"urls"`
		Confidentiality      string         `json:"confidentiality"`
		CreatedAt            ms             `json:"createdAt"`
		UpdatedAt            ms             `json:"updatedAt"`
		WorkplaceType        string         `json:"workplaceType"`

		forms []customQuestion
		gone  bool
	}
	customQuestion struct {
		ID     string      `json:"id"`
		Text   string      `json:"text"`
		Fields []formField `json:"fields"`
	}
	requisition struct {
		ID              string   `json:"id"`
		RequisitionCode string   `json:"requisitionCode"`
		Name            string   `json:"name"`
		Backfill        bool     `json:"backfill"`
		Confidentiality string   `json:"confidentiality"`
		CreatedAt       ms       `json:"createdAt"`
		Creator         text     `json:"creator"`
		HeadcountHired  int      `json:"headcountHired"`
		HeadcountTotal  any      `json:"headcountTotal"` // a number, or "unlimited"
		Status          string   `json:"status"`
		HiringManager   text     `json:"hiringManager"`
		Owner           text     `json:"owner"`
		Postings        []string `json:"postings"`
		UpdatedAt       ms       `json:"updatedAt"`
	}
)
