//go:build unix

package vault

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

func init() { roles["umask"] = roleUmask }

// roleUmask makes all there is in a vault under a umask, the key included.
func roleUmask(home, arg string) error {
	mask, err := strconv.ParseInt(arg, 8, 32)
	if err != nil {
		return err
	}
	syscall.Umask(int(mask))
	v, err := inFile(home)
	if err != nil {
		return err
	}
	if _, err := v.LocalKey(); err != nil {
		return err
	}
	s := &server{}
	if err := errors.Join(login(context.Background(), v, s), renew(context.Background(), v, s)); err != nil {
		return err
	}
	h, err := v.Lock(context.Background(), account)
	if err != nil {
		return err
	}
	defer h.Release()
	_, err = h.Begin(token(2)) // leaves a note and a reservation to look at
	return err
}

// modes fails for everything under dir that others could open.
func modes(t *testing.T, dir string) {
	t.Helper()
	seen := 0
	err := filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		seen++
		info, err := entry.Info()
		if err != nil {
			return err
		}
		want := fs.FileMode(0o600)
		if entry.IsDir() {
			want = 0o700
		}
		if got := info.Mode().Perm(); got != want {
			t.Errorf("%s has mode %v, want %v", path, got, want)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if seen < 9 {
		t.Errorf("only %d files and folders were made", seen)
	}
}

func TestT30ModesWhateverTheUmask(t *testing.T) {
	for _, mask := range []string{"000", "022", "077", "777"} {
		t.Run(mask, func(t *testing.T) {
			home := filepath.Join(t.TempDir(), "home")
			if err := os.Mkdir(home, 0o700); err != nil {
				t.Fatal(err)
			}
			all(t, 1, "umask", home, mask)
			modes(t, filepath.Join(home, "vault"))
			// What was made wide by somebody is narrowed when it is used.
			err := filepath.WalkDir(filepath.Join(home, "vault"), func(path string, entry fs.DirEntry, err error) error {
				if err != nil {
					return err
				}
				wide := fs.FileMode(0o644)
				if entry.IsDir() {
					wide = 0o777
				}
				return os.Chmod(path, wide)
			})
			if err != nil {
				t.Fatal(err)
			}
			v, err := inFile(home)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(v.Close)
			if _, err := v.LocalKey(); err != nil {
				t.Error(err)
			}
			if err := renew(t.Context(), v, &server{}); err != nil {
				t.Error(err)
			}
			for _, path := range []string{"", storeName, localKeyName, keyringFolder, account, account + "/" + credName} {
				info, err := os.Stat(filepath.Join(home, "vault", path))
				if err != nil {
					t.Fatal(err)
				}
				if info.Mode().Perm()&0o077 != 0 {
					t.Errorf("%q still has mode %v", path, info.Mode())
				}
			}
		})
	}
}

func TestT30ParentsThatOthersCanWrite(t *testing.T) {
	for mode, ok := range map[fs.FileMode]bool{
		0o700: true, 0o755: true, 0o777 | fs.ModeSticky: true, 0o770: false, 0o777: false, 0o702: false,
	} {
		parent := filepath.Join(t.TempDir(), "parent")
		if err := errors.Join(os.Mkdir(parent, 0o700), os.Chmod(parent, mode)); err != nil {
			t.Fatal(err)
		}
		_, err := Open(Options{Dir: filepath.Join(parent, "vault"), Memory: true})
		if (err == nil) != ok {
			t.Errorf("under a parent of mode %v: %v", mode, err)
		}
	}
}

func TestT30AnotherOwnerIsRefused(t *testing.T) {
	if os.Geteuid() != 0 {
		missing(t, "the right to give files away", "run it as root")
	}
	for _, path := range []string{"", account, account + "/" + credName, account + "/" + lockName, storeName, localKeyName} {
		t.Run("vault/"+path, func(t *testing.T) {
			v := withEverything(t)
			if err := os.Chown(filepath.Join(v.options.Dir, path), 12345, -1); err != nil {
				t.Fatal(err)
			}
			if err := touch(v); err == nil {
				t.Error("it was used")
			}
		})
	}
}

// withEverything returns a vault in which every file exists.
func withEverything(t *testing.T) *Vault {
	t.Helper()
	v := onFiles(t)
	s, _, err := newStore()
	if err != nil {
		t.Fatal(err)
	}
	s.Backend = backendFile
	root, err := v.open()
	if err != nil {
		t.Fatal(err)
	}
	defer root.close()
	if err := s.publish(root); err != nil {
		t.Fatal(err)
	}
	if _, err := v.LocalKey(); err != nil {
		t.Fatal(err)
	}
	if err := login(t.Context(), v, &server{}); err != nil {
		t.Fatal(err)
	}
	return at(t, v.options.Dir, v.seals) // it remembers nothing
}

// touch uses everything once, and returns what went wrong.
func touch(v *Vault) error {
	_, keyErr := v.LocalKey()
	_, storeErr := v.readStore()
	_, readErr := v.Read(account)
	ctx, cancel := context.WithTimeout(context.Background(), 100*time.Millisecond)
	defer cancel()
	h, lockErr := v.Lock(ctx, account)
	if lockErr == nil {
		defer h.Release()
		_, lockErr = h.Begin(token(1))
	}
	return errors.Join(keyErr, storeErr, readErr, lockErr)
}

func TestT31LinksAndDevicesAtOurPaths(t *testing.T) {
	for _, path := range []string{
		"", account, account + "/" + credName, account + "/" + lockName, account + "/" + tmpName, account + "/" + intentName,
		account + "/" + nextIntent, storeName, localKeyName,
	} {
		for _, kind := range []string{"symlink", "dangling symlink", "symlink inside", "hard link", "fifo", "folder", "socket"} {
			t.Run(fmt.Sprintf("%s at vault/%s", kind, path), func(t *testing.T) {
				v := withEverything(t)
				at := filepath.Join(v.options.Dir, path)
				outside := t.TempDir()
				victim := filepath.Join(outside, "victim")
				if err := os.WriteFile(victim, []byte("theirs"), 0o644); err != nil {
					t.Fatal(err)
				}
				if err := os.Rename(at, filepath.Join(outside, "was")); err != nil && !errors.Is(err, fs.ErrNotExist) {
					t.Fatal(err)
				}
				if err := plant(kind, at, victim, outside); err != nil {
					t.Fatal(err)
				}
				done := make(chan error, 1)
				go func() { done <- touch(v) }()
				select {
				case err := <-done:
					// A new folder is as good; a leftover of a killed process is replaced.
					replaced := kind == "folder" && (path == "" || path == account) || strings.HasSuffix(path, tmpName) || strings.HasSuffix(path, nextIntent) || strings.HasSuffix(path, intentName)
					if err == nil && !replaced {
						t.Error("nobody minds")
					}
				case <-time.After(5 * time.Second):
					t.Fatal("it hangs")
				}
				if got, err := os.ReadFile(victim); err != nil || string(got) != "theirs" {
					t.Errorf("the victim holds %q, %v", got, err)
				}
				if info, err := os.Stat(victim); err != nil || info.Mode().Perm() != 0o644 {
					t.Errorf("the victim is %v, %v", info.Mode(), err)
				}
				if names, err := os.ReadDir(outside); err != nil || len(names) > 2 {
					t.Errorf("something was written outside: %v, %v", names, err)
				}
			})
		}
	}
}

// Between two steps of a commit cred has a second name.
func TestT31ASecondNameOfTheRecord(t *testing.T) {
	v := withEverything(t)
	cred, second := filepath.Join(v.options.Dir, account, credName), filepath.Join(t.TempDir(), "second")
	if err := os.Link(cred, second); err != nil {
		t.Fatal(err)
	}
	if r, err := v.Read(account); err != nil || r.Generation != 1 {
		t.Errorf("got %v, %v", r, err)
	}
	if err := os.Chmod(second, 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Read(account); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a file that others can read under another name: %v", err)
	}
	if info, err := os.Stat(second); err != nil || info.Mode().Perm() != 0o644 {
		t.Errorf("the other name was changed: %v, %v", info.Mode(), err)
	}
	if err := os.Link(cred, second+"2"); err != nil {
		t.Fatal(err)
	}
	if _, err := v.Read(account); !errors.Is(err, ErrUnreadable) {
		t.Errorf("a third name: %v", err)
	}
}

// plant puts something at a path of ours that we did not make.
func plant(kind, at, victim, outside string) error {
	switch kind {
	case "symlink":
		return os.Symlink(victim, at)
	case "dangling symlink":
		return os.Symlink(filepath.Join(outside, "new"), at)
	case "symlink inside":
		return os.Symlink(lockName, at)
	case "hard link":
		return os.Link(victim, at)
	case "fifo":
		return syscall.Mkfifo(at, 0o600)
	case "folder":
		return os.Mkdir(at, 0o700)
	}
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd) //nolint:errcheck // its name is what counts
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	// A socket's path is short: bind it from where it is to be.
	if err := os.Chdir(filepath.Dir(at)); err != nil {
		return err
	}
	defer os.Chdir(here) //nolint:errcheck // tests of this package use full paths
	return syscall.Bind(fd, &syscall.SockaddrUnix{Name: filepath.Base(at)})
}
