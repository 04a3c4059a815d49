package api

import (
	"cmp"
	"encoding/json"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

// ErrorResponse is the body of every refusal but a 422: one sentence.
type ErrorResponse struct {
	Detail string `json:"detail" doc:"What is wrong, and what to do."`
}

// ValidationErrorResponse is the body of a 422: everything that is wrong with the request.
type ValidationErrorResponse struct {
	Detail []ValidationErrorItem `json:"detail" nullable:"false"`
}

// ValidationErrorItem is one thing that is wrong with a request.
type ValidationErrorItem struct {
	Loc   []any  `json:"loc" nullable:"false" doc:"Where: query, path, header or body, then the name, then keys and indexes."`
	Msg   string `json:"msg" doc:"What is wrong."`
	Type  string `json:"type" doc:"The kind of error."`
	Input any    `json:"input,omitempty" doc:"What was sent."`
}

// refusal is an answer that is not a success. Its body is ErrorResponse, or ValidationErrorResponse for 422.
type refusal struct {
	status  int
	message string
	items   []ValidationErrorItem
}

func (e *refusal) Error() string {
	if e.message == "" && len(e.items) > 0 {
		return e.items[0].Msg
	}
	return e.message
}

// GetStatus is the HTTP status.
func (e *refusal) GetStatus() int { return e.status }

// MarshalJSON is the body.
func (e *refusal) MarshalJSON() ([]byte, error) {
	if e.items != nil {
		return json.Marshal(ValidationErrorResponse{Detail: e.items})
	}
	return json.Marshal(ErrorResponse{Detail: e.message})
}

func refuse(status int, message string) *refusal { return &refusal{status: status, message: message} }

var (
	errNotFound = refuse(http.StatusNotFound, "Not found")
	errToken    = refuse(http.StatusUnauthorized, "Invalid connector token")
)

// invalid is a 422 for one parameter.
func invalid(in, name, kind, message string, input any) *refusal {
	return &refusal{status: http.StatusUnprocessableEntity, items: []ValidationErrorItem{{Loc: []any{in, name}, Msg: message, Type: kind, Input: input}}}
}

func init() {
	// The contract's shapes instead of huma's problem details. Nothing else in the process uses huma.
	huma.NewError = func(status int, message string, errs ...error) huma.StatusError {
		if status == http.StatusBadRequest { // a body that is no JSON, or none: the contract has no 400
			return &refusal{status: http.StatusUnprocessableEntity, items: []ValidationErrorItem{{Loc: []any{"body"}, Msg: "expected a JSON body", Type: "json_invalid"}}}
		}
		if status == http.StatusUnprocessableEntity && len(errs) > 0 {
			e := &refusal{status: status, message: message}
			for _, err := range errs {
				e.items = append(e.items, itemOf(err))
			}
			slices.SortFunc(e.items, func(a, b ValidationErrorItem) int { return cmp.Compare(locText(a), locText(b)) })
			return e
		}
		if status >= http.StatusInternalServerError {
			message = "Internal server error" // what went wrong is in the log, not in the answer
		}
		return refuse(status, message)
	}
}

func locText(i ValidationErrorItem) string {
	b, _ := json.Marshal(i.Loc) // texts and numbers
	return string(b)
}

func itemOf(err error) ValidationErrorItem {
	var r *refusal
	if errors.As(err, &r) && len(r.items) > 0 {
		return r.items[0]
	}
	var d huma.ErrorDetailer
	if !errors.As(err, &d) {
		return ValidationErrorItem{Loc: []any{"body"}, Msg: err.Error(), Type: "value_error"}
	}
	e := d.ErrorDetail()
	return ValidationErrorItem{Loc: locOf(e.Location), Msg: e.Message, Type: kindOf(e.Message), Input: e.Value}
}

// locOf turns body.items[3].tags into ["body","items",3,"tags"].
func locOf(location string) []any {
	var loc []any
	for part := range strings.SplitSeq(location, ".") {
		name, rest, _ := strings.Cut(part, "[")
		if name != "" {
			loc = append(loc, name)
		}
		for index := range strings.SplitSeq(rest, "[") {
			if n, err := strconv.Atoi(strings.TrimSuffix(index, "]")); err == nil {
				loc = append(loc, n)
			}
		}
	}
	if loc == nil {
		loc = []any{"body"}
	}
	return loc
}

// kinds are the contract's types of errors by the start of huma's messages.
var kinds = []struct{ start, kind string }{
	{"unknown query parameter", "extra_forbidden"},
	{"unexpected property", "extra_forbidden"},
	{"required", "missing"},
	{"expected required property", "missing"},
	{"expected number <=", "less_than_equal"},
	{"expected number >=", "greater_than_equal"},
	{"expected length <=", "string_too_long"},
	{"expected length >=", "string_too_short"},
	{"expected array length <=", "too_long"},
	{"expected value to be one of", "enum"},
	{"expected string to be RFC 4122 uuid", "uuid_parsing"},
	{"invalid integer", "int_parsing"},
	{"invalid boolean", "bool_parsing"},
	{"invalid value: not a date", "datetime_parsing"},
	{"expected string", "string_type"},
}

func kindOf(message string) string {
	for _, k := range kinds {
		if strings.HasPrefix(message, k.start) {
			return k.kind
		}
	}
	return "value_error"
}
