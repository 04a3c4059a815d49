// Package mapping turns Lever's records into the unified model. It is pure: values in, values out; no
// clock, no I/O. There is a file per scope.
//
// A mapper fails only when a record can be given no identity, or holds an impossible value (a time
// outside the years 1 to 9999, an interview of negative length). The caller puts such a record in
// quarantine; errors name fields, never values, which may be personal data. A nil record with a nil
// error means: there is nothing (any more) to show for it.
//
// # Choices
//
// The mapping is fixed by the project's table of scopes. Where that is silent, this holds.
//
// Texts and lists. Texts are trimmed; an empty one is null. Since Lever's types do not tell an empty
// enum value from a missing one, both are null, and "-" is never written. Lists are never null, hold no
// empty and no twice-the-same elements (by exact text), and keep Lever's order. Ids are taken as they
// are; only the texts that serve as ids (departments, offices, tags) are trimmed. An id longer than
// 1,024 bytes is no id: it would not fit an index.
//
// Candidates. Opportunities are ranked newest first by the newest of updatedAt, lastInteractionAt and
// lastAdvancedAt, by createdAt where all three are missing, and by the greater id among equals. The
// first gives the name and the title, even if it leaves them empty: an anonymised person does not get
// back the name of an older record. The company is the first in that order that an application gives,
// can_email the first that Lever states; lists are unions in that order. is_private is null only where
// no opportunity states a confidentiality. remote_updated_at is null where none of the three clocks is
// known. An opportunity without a contact is a person of its own, known by the opportunity's id.
// A name of one word is a first name. Links are given as they are; a host is looked for leniently, with
// or without a scheme, and subdomains count (uk.linkedin.com, ada.github.io).
//
// Applications. The opportunity's own archived decides on a rejection, not the application's: an
// opportunity that was reopened is not rejected. An archive reason that is not known to mean hired is a
// rejection. An archived opportunity without a reason is not rejected.
//
// Jobs. The first non-empty text counts: of descriptionHtml and description, of requisitionCodes and
// reqCode, of department and team. A missing confidentiality is null.
//
// Reject reasons. A reason means hired by its type, or where it has none by the name Hired, which is
// Lever's one built-in reason.
//
// Scheduled interviews. One without a duration ends when it starts, so that its status can still move
// on. Lever gives no time of change: remote_updated_at is null.
//
// Scorecards. A rating label that does not start with 1 to 4 is placed by its position among the
// field's options, best first, scaled to 4 to 1 and rounded; the exact middle is NO_DECISION. A label
// that is not among the options passes through. Of several rating fields the first answered one counts.
//
// Offers. closed_at of a denied offer is null: Lever does not say when. A start date in milliseconds
// (11 digits or more) becomes the UTC day, any other text passes through.
//
// Attachments. A resume is a RESUME whatever its name; a file is a COVER_LETTER where its name says so,
// else OTHER. A resume that is only parsed data, without a file, has no download path, nor has one whose
// ids could lead elsewhere in Lever's API.
//
// Screening questions. The remote id is always the posting's id, a colon, the field's id. Lever uses
// one form in many postings, and an id that depended on which was seen first would not be stable.
//
// EEOC. Answers are matched by words against the enums, a refusal first; what matches none, or several,
// passes through. "I am a veteran" does (it does not say protected), "I am not a veteran" does not (who
// is none is no protected one either). The parent is the opportunity: what was most sensitive goes when
// the opportunity goes.
package mapping
