package dashboard

import (
	"context"
	"errors"
	"testing"
)

// Of many who try passwords at once, those who have gone away before it is their turn cost no check.
func TestAbandonedSignInsCostNothing(t *testing.T) {
	t.Parallel()
	tr := newTries()
	tr.checking <- struct{}{} // somebody's password is being checked
	ctx, leave := context.WithCancel(t.Context())
	done := make(chan error, 1)
	go func() { _, err := tr.check(ctx, "no hash", "x"); done <- err }()
	leave()
	if err := <-done; !errors.Is(err, context.Canceled) {
		t.Errorf("check of who has gone = %v; want context.Canceled, with nothing checked", err)
	}
	<-tr.checking
	if _, err := tr.check(ctx, "no hash", "x"); !errors.Is(err, context.Canceled) {
		t.Errorf("check of who has gone, with nobody before = %v; want context.Canceled", err)
	}
	if _, err := tr.check(t.Context(), "no hash", "x"); err == nil || errors.Is(err, context.Canceled) {
		t.Errorf("check = %v; want the hash found fault with", err)
	}
}
