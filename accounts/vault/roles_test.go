package vault

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"
)

// The test binary plays other processes of the same home: TestMain starts it
// in a role when this variable says so.
const (
	roleVariable = "OAUTHMUX_VAULT_TEST_ROLE"
	homeVariable = "OAUTHMUX_VAULT_TEST_HOME"
	argVariable  = "OAUTHMUX_VAULT_TEST_ARG"
)

const passphrase = "correct horse battery staple"

var roles = map[string]func(home, arg string) error{
	"hold":    roleHold,
	"exclude": roleExclude,
	"renew":   roleRenew,
	"unlock":  roleUnlock,
}

func play(role string) int {
	if err := roles[role](os.Getenv(homeVariable), os.Getenv(argVariable)); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// child prepares another process of the home.
func child(t *testing.T, role, home, arg string) *exec.Cmd {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), roleVariable+"="+role, homeVariable+"="+home, argVariable+"="+arg)
	cmd.Stderr = new(bytes.Buffer)
	return cmd
}

// all runs so many of them at once and fails for each that fails.
func all(t *testing.T, n int, role, home, arg string) (outputs []string) {
	t.Helper()
	cmds := make([]*exec.Cmd, n)
	for i := range cmds {
		cmds[i] = child(t, role, home, arg)
		cmds[i].Stdout = new(strings.Builder)
		if err := cmds[i].Start(); err != nil {
			t.Fatal(err)
		}
	}
	for i, cmd := range cmds {
		if err := cmd.Wait(); err != nil {
			t.Errorf("process %d: %v: %s", i, err, cmd.Stderr)
		}
		outputs = append(outputs, cmd.Stdout.(*strings.Builder).String())
	}
	return outputs
}

// inFile opens the home's vault with its key in keyring's encrypted file.
func inFile(home string) (*Vault, error) {
	v, err := Open(Options{Dir: filepath.Join(home, "vault"), Backend: backendFile, Passphrase: passphrase, Rescue: []string{}})
	if err != nil {
		return nil, err
	}
	return v, v.Unlock(context.Background(), "", true)
}

// roleHold takes the account's lock, says so and keeps it. With an argument it
// leaves a child behind that outlives it.
func roleHold(home, arg string) error {
	v, err := Open(Options{Dir: filepath.Join(home, "vault")})
	if err != nil {
		return err
	}
	if _, err := v.Lock(context.Background(), account); err != nil {
		return err
	}
	if arg != "" {
		grandchild := exec.Command("sleep", "30")
		if err := grandchild.Start(); err != nil {
			return err
		}
		fmt.Println(grandchild.Process.Pid)
	} else {
		fmt.Println(os.Getpid())
	}
	_, _ = io.Copy(io.Discard, os.Stdin) // until we are killed
	return nil
}

// roleExclude enters where only one may be, again and again.
func roleExclude(home, arg string) error {
	v, err := Open(Options{Dir: filepath.Join(home, "vault")})
	if err != nil {
		return err
	}
	times, err := strconv.Atoi(arg)
	if err != nil {
		return err
	}
	for range times {
		h, err := v.Lock(context.Background(), account)
		if err != nil {
			return err
		}
		mark := filepath.Join(home, "inside")
		f, err := os.OpenFile(mark, os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return fmt.Errorf("somebody else is inside: %w", err)
		}
		time.Sleep(100 * time.Microsecond)
		if err := errors.Join(f.Close(), os.Remove(mark)); err != nil {
			return err
		}
		h.Release()
	}
	return nil
}

// roleRenew renews, against the server at arg, until the server has had enough.
func roleRenew(home, arg string) error {
	v, err := inFile(home)
	if err != nil {
		return err
	}
	for {
		done, err := renewOver(v, arg)
		if done || err != nil {
			return err
		}
	}
}

func renewOver(v *Vault, url string) (done bool, err error) {
	h, err := v.Lock(context.Background(), account)
	if err != nil {
		return false, err
	}
	defer h.Release()
	r, err := h.Read()
	if err != nil {
		return false, err
	}
	if _, err := h.Begin(r.RefreshToken); err != nil {
		return false, err
	}
	resp, err := http.Post(url, "text/plain", strings.NewReader(r.RefreshToken))
	if err != nil {
		return false, err
	}
	body, err := io.ReadAll(resp.Body)
	if err := errors.Join(err, resp.Body.Close()); err != nil {
		return false, err
	}
	switch resp.StatusCode {
	case http.StatusOK:
		return false, h.Store(Record{RefreshToken: string(body), Raw: body})
	case http.StatusGone: // enough
		return true, h.Abandon()
	}
	return false, fmt.Errorf("the server refused: %s", body)
}

// roleUnlock unlocks and prints the name of the store.
func roleUnlock(home, _ string) error {
	v, err := inFile(home)
	if err != nil {
		return err
	}
	s, err := v.readStore()
	if err != nil {
		return err
	}
	fmt.Println(s.ID)
	return nil
}

// pid reads the number that roleHold prints.
func pid(t *testing.T, out io.Reader) int {
	t.Helper()
	line, err := bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(line))
	if err != nil {
		t.Fatal(err)
	}
	return n
}
