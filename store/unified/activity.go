package unified

import "github.com/google/uuid"

// Activities is none of the 15 scopes, because Lever's notes are not synced. It names what was written through us.
const Activities Scope = "activities"

// Activity is a note on a candidate that was written through the API. Its Parent is the opportunity that it is on.
type Activity struct {
	Envelope
	User            *uuid.UUID `json:"user"`
	ActivityType    *string    `json:"activity_type"` // NOTE
	Subject         *string    `json:"subject"`
	Body            *string    `json:"body"`
	Visibility      *string    `json:"visibility"` // ADMIN_ONLY, PUBLIC, PRIVATE
	Candidate       *uuid.UUID `json:"candidate"`
	RemoteCreatedAt *Time      `json:"remote_created_at"`
}
