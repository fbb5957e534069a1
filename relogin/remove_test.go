package relogin

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// left are all files below the folder of profiles.
func (h *home) left(t *testing.T) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(h.browsers(), func(path string, d fs.DirEntry, err error) error {
		if err == nil && !d.IsDir() {
			names = append(names, path)
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

func TestRemoveLeavesNothing(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	h.driver.fails(&PageError{Words: "claude.ai asks for the password", Screenshot: []byte("png")})
	_ = h.login(t, a.ID)
	if err := h.manager.Remove(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if left := h.left(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	if got := h.account(t, a.ID); got.Browser != "" || got.NeedsYou != "" || got.NeedsLogin == "" {
		t.Errorf("the account is %+v", got)
	}
	if err := h.login(t, a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("a sign-in: %v", err)
	}
	if err := h.manager.Remove(t.Context(), a.ID); !errors.Is(err, ErrNoSession) {
		t.Errorf("once more: %v", err)
	}
}

func TestRemoveEndsWhatRuns(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	begun := make(chan struct{})
	h.driver.does(func(ctx context.Context, v Visit) (accounts.Secret, error) {
		close(begun)
		<-ctx.Done()
		time.Sleep(20 * time.Millisecond)
		if err := os.WriteFile(filepath.Join(v.Profile, "Late"), nil, 0o600); err != nil {
			t.Error(err) // the folder went while the browser had it
		}
		return "", ctx.Err()
	})
	result := make(chan error)
	go func() { result <- h.manager.Login(t.Context(), a.ID) }()
	<-begun
	if err := h.manager.Remove(t.Context(), a.ID); err != nil {
		t.Fatal(err)
	}
	if err := <-result; !errors.Is(err, ErrNoSession) {
		t.Errorf("who waited is told %v", err)
	}
	if left := h.left(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
}

func TestRemoveOfAnAccountThatIsGone(t *testing.T) {
	h := newHome(t)
	a := h.addSession(t, "ada", "work")
	if err := h.registry.Remove(a.ID); err != nil {
		t.Fatal(err)
	}
	if err := h.manager.Remove(t.Context(), a.ID); err != nil {
		t.Error(err)
	}
	if left := h.left(t); len(left) != 0 {
		t.Errorf("left behind: %v", left)
	}
	for _, id := range []accounts.ID{a.ID, "", "..", "*", "../" + a.ID} {
		if err := h.manager.Remove(t.Context(), id); !errors.Is(err, accounts.ErrNotFound) {
			t.Errorf("%q: %v", id, err)
		}
	}
}

func TestALockThatIsGoneIsNoLock(t *testing.T) {
	p := profile{filepath.Join(t.TempDir(), "p", "aaa")}
	first, err := p.acquire(t.Context(), 0, nil)
	if err != nil {
		t.Fatal(err)
	}
	if _, ok := errors.AsType[*InUseError](third(p.acquire(t.Context(), 0, nil))); !ok {
		t.Error("it is had twice")
	}
	got := make(chan *hold)
	go func() {
		second, err := p.acquire(t.Context(), time.Minute, nil)
		if err != nil {
			t.Error(err)
		}
		got <- second
	}()
	time.Sleep(2 * lockPoll)
	first.discard()
	second := <-got
	if _, ok := errors.AsType[*InUseError](third(p.acquire(t.Context(), 0, nil))); !ok {
		t.Error("who waited has a lock that nobody else sees")
	}
	second.release()
}

func third(_ *hold, err error) error { return err }

func TestNoNameFromOutsideBecomesAPath(t *testing.T) {
	h := newHome(t)
	for _, a := range []accounts.Account{
		{ID: "aaa", Provider: "../../x"},
		{ID: "aaa", Provider: ""},
		{ID: "aaa", Provider: "A"},
		{ID: "../x", Provider: "p"},
		{ID: "", Provider: "p"},
		{ID: "a/b", Provider: "p"},
		{ID: "new-x", Provider: "p"},
	} {
		if p, err := h.manager.profileOf(a); err == nil {
			t.Errorf("%+v has the folder %s", a, p.dir)
		}
	}
	if p, err := h.manager.newProfile("../x"); err == nil {
		t.Errorf("it has the folder %s", p.dir)
	}
	a, err := h.registry.Add(accounts.Account{Provider: "../../x", Label: "odd"})
	if err != nil {
		t.Fatal(err)
	}
	if err := h.login(t, a.ID); err == nil {
		t.Error("a sign-in was begun")
	}
	h.manager.sweep(t.Context())
	h.manager.round(t.Context())
}

func TestAFolderWithAStrangeNameHidesNothing(t *testing.T) {
	h := newHome(t)
	h.manager.o.Dir = filepath.Join(h.dir, "brow[sers")
	p := profile{filepath.Join(h.manager.o.Dir, string(simulated), "orphan")}
	if err := p.prepare(); err != nil {
		t.Fatal(err)
	}
	if err := h.manager.Remove(t.Context(), "orphan"); err != nil || p.exists() {
		t.Errorf("it is there still: %v", err)
	}
}

func TestWhoeverComesFirstSweeps(t *testing.T) {
	for name, call := range map[string]func(h *home, a accounts.Account) error{
		"a sign-in": func(h *home, a accounts.Account) error { return h.manager.Login(t.Context(), a.ID) },
		"a look":    func(h *home, a accounts.Account) error { _, err := h.manager.Session(t.Context(), a.ID); return err },
		"a removal": func(h *home, a accounts.Account) error { return h.manager.Remove(t.Context(), a.ID) },
		"a window": func(h *home, a accounts.Account) error {
			f, err := h.manager.Setup(t.Context(), Setup{Account: a.ID})
			if err == nil {
				_, err = h.logins.Wait(t.Context(), f.ID)
			}
			return err
		},
	} {
		t.Run(name, func(t *testing.T) {
			h := newHome(t)
			a := h.addSession(t, "ada", "work")
			left := profile{filepath.Join(filepath.Dir(h.folder(a.ID)), "new-dead")}
			if err := left.prepare(); err != nil {
				t.Fatal(err)
			}
			h.restart(t)
			if err := call(h, a); err != nil || left.exists() {
				t.Errorf("%v; it is left: %v", err, left.exists())
			}
		})
	}
}
