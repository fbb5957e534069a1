package ui

import (
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/ui/control"
)

func TestErrorsOfTheSystemAreInWords(t *testing.T) {
	about := func(text string) string { return "work: " + text }
	for _, c := range []struct {
		err        error
		code, want string
	}{
		{&fs.PathError{Op: "removeat", Path: "cred.tmp", Err: syscall.EROFS}, control.CodeDisk, "work: the disk is read-only"},
		{&fs.PathError{Op: "write", Path: "cred.tmp", Err: syscall.ENOSPC}, control.CodeDisk, "work: the disk is full"},
		{&fs.PathError{Op: "open", Path: "/x", Err: os.ErrPermission}, control.CodeDisk, "work: a file or folder may not be written"},
		{
			&net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)},
			control.CodeUnavailable, "work: the provider cannot be reached: connection refused",
		},
		{&net.DNSError{Name: "host.example", Err: "no such host"}, control.CodeUnavailable, "work: the provider's name cannot be looked up: host.example"},
		{accounts.ErrStateBusy, control.CodeBusy, accounts.ErrStateBusy.Error()},
	} {
		e := systemError(fmt.Errorf("renew abcdef: not sent: %w", c.err), about)
		if c.err == accounts.ErrStateBusy { //nolint:errorlint // the table's own value
			e = systemError(c.err, about)
		}
		if e == nil || e.Code != c.code || e.Message != c.want || e.Hint == "" {
			t.Errorf("%v: got %+v", c.err, e)
		}
		if e != nil && strings.Contains(e.Message, "abcdef") {
			t.Errorf("%v: an id in place of a name", c.err)
		}
	}
	if e := systemError(errors.New("something else"), about); e != nil {
		t.Errorf("it made up %+v", e)
	}
}
