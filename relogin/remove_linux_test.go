package relogin

import (
	"errors"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

func TestWhatCannotBeDeletedIsNoSession(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.mayNotBeDeleted(t, filepath.Join(h.folder(a.ID), dataName))
	problem, ok := errors.AsType[*ProfileError](h.manager.Remove(t.Context(), a.ID))
	if !ok {
		t.Fatalf("got %v", problem)
	}
	if got := h.account(t, a.ID); got.Browser != "" || (profile{h.folder(a.ID)}).exists() {
		t.Errorf("the account is %+v", got)
	}
	if _, err := h.manager.Session(t.Context(), a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("a session: %v", err)
	}
	h.driver.as("ada")
	if f := h.setup(t, Setup{Account: a.ID}); f.Problem != "" {
		t.Errorf("the next one: %+v", f)
	}
}

// mayNotBeDeleted puts something in a folder that cannot be deleted, and goes on to
// be there when the folder is renamed: for root a disk of its own.
func (h *home) mayNotBeDeleted(t *testing.T, dir string) {
	t.Helper()
	stuck := filepath.Join(dir, "stuck")
	if err := os.MkdirAll(filepath.Join(stuck, "inside"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		left, err := filepath.Glob(filepath.Join(h.browsers(), "*", "*", filepath.Base(dir), "stuck"))
		if err != nil || len(left) == 0 {
			t.Errorf("nothing is left: %v", err)
		}
		for _, stuck := range left {
			_ = syscall.Unmount(stuck, syscall.MNT_DETACH)
			_ = os.Chmod(stuck, 0o700)
		}
	})
	if os.Geteuid() != 0 {
		if err := os.Chmod(stuck, 0o500); err != nil {
			t.Fatal(err)
		}
		return
	}
	if err := syscall.Mount("tmpfs", stuck, "tmpfs", 0, "mode=0700,size=64k"); err != nil {
		lacking(t, "a disk of one's own: "+err.Error(), "run the tests where they may mount, or as another user than root")
	}
}
