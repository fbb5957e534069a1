package ui

import (
	"errors"
	"fmt"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

func TestRecordsAreAsTheLastReadingFoundThem(t *testing.T) {
	told := 0
	r := records{changed: func() { told++ }}
	for _, step := range []struct {
		err          error
		broken, news bool
	}{
		{nil, false, false},
		{fmt.Errorf("token of x: %w", vault.ErrUnreadable), true, true},
		{vault.ErrUnreadable, true, false},
		{&vault.KeyError{State: vault.KeyLocked}, true, false}, // says nothing about the record
		{errors.New("the network is down"), true, false},
		{nil, false, true},
		{&accounts.LoginNeededError{Cause: accounts.LoginRevoked}, false, false}, // a login, not a record
		{&accounts.LoginNeededError{Cause: accounts.LoginMissing}, true, true},
		{nil, false, true},
	} {
		before := told
		r.note("a", step.err)
		if got := r.broken("a") != ""; got != step.broken {
			t.Errorf("after %v: broken %v", step.err, got)
		}
		if got := told > before; got != step.news {
			t.Errorf("after %v: announced %v", step.err, got)
		}
		if r.broken("b") != "" {
			t.Errorf("after %v: another account is broken too", step.err)
		}
	}
}
