package main

import (
	"errors"

	"github.com/leversync/leversync/cmd/leversync/internal/config"
	"github.com/leversync/leversync/store"
)

// The exit codes, as the root's help documents them.
const (
	exitOK       = 0
	exitFailure  = 1
	exitUsage    = 2
	exitNotFound = 3
	exitUnsynced = 4
)

// usageError is a mistake on the command line.
type usageError struct{ err error }

func (e *usageError) Error() string { return e.err.Error() }
func (e *usageError) Unwrap() error { return e.err }

// unsyncedError says that a sync ended without bringing everything up to date.
type unsyncedError struct{ text string }

func (e *unsyncedError) Error() string { return e.text }

// findingsError says that the doctor found something: code is 1 where all of it is a warning, 2 otherwise.
type findingsError struct {
	text string
	code int
}

func (e *findingsError) Error() string { return e.text }

// exitCode is what run's error means to a shell.
func exitCode(err error) int {
	var usage *usageError
	var conf *config.Error
	var unsynced *unsyncedError
	var findings *findingsError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &findings):
		return findings.code
	case errors.As(err, &unsynced):
		return exitUnsynced
	case errors.As(err, &usage), errors.As(err, &conf):
		return exitUsage
	case errors.Is(err, store.ErrNotFound):
		return exitNotFound
	}
	return exitFailure
}
