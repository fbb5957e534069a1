//go:build unix

package e2e

import (
	"encoding/json"
	"fmt"
	"io/fs"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// tree is everything in a home: modes, sizes, times and contents of files, so that
// whatever touches one is seen. Of folders it is the mode: doctor tries whether a
// file can be made in them.
func (h *home) tree() string {
	h.t.Helper()
	var b strings.Builder
	err := filepath.WalkDir(h.dir, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		info, err := d.Info()
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "%s %v", path, info.Mode())
		if d.Type().IsRegular() {
			text, err := os.ReadFile(path)
			if err != nil {
				return err
			}
			fmt.Fprintf(&b, " %v %s", info.ModTime(), sum(text))
		}
		b.WriteByte('\n')
		return nil
	})
	if err != nil {
		h.t.Fatal(err)
	}
	return b.String()
}

// With several things wrong at once, doctor says of each what it would do, exits
// with 1 and does nothing; asked to, it does that and nothing else.
func TestDoctorRepairsNothingUnlessAsked(t *testing.T) {
	t.Parallel()
	h := twoAccounts(t)
	var id string
	for _, a := range h.status().Accounts {
		id = a.ID // of either: its record is spoilt
	}
	cred := filepath.Join("vault", id, "cred")
	h.write(cred, "nonsense")
	h.damage(func(s string) string { return s[:len(s)/2] })
	for path, mode := range map[string]os.FileMode{"vault": 0o755, "vault/store.json": 0o644, "accounts.json": 0o640, "config.toml": 0o666} {
		if err := os.Chmod(filepath.Join(h.dir, path), mode); err != nil {
			t.Fatal(err)
		}
	}
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: filepath.Join(h.dir, "control.sock"), Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}

	type check struct{ Name, State, Message, Hint, Fix string }
	examine := func(args ...string) map[string]check {
		t.Helper()
		r := h.run(append([]string{"doctor", "--json"}, args...)...)
		var document struct {
			Schema int
			Checks []check
		}
		if err := json.Unmarshal([]byte(r.stdout), &document); err != nil || r.status != 1 || r.stderr != "" || document.Schema != 1 {
			t.Fatalf("doctor: %v, %v", err, r)
		}
		checks := map[string]check{}
		for _, c := range document.Checks {
			if c.Message == "" || strings.Contains(c.Message+c.Hint+c.Fix, "\n") || c.State == "wrong" && c.Hint == "" {
				t.Errorf("%+v is no line that says what to do", c)
			}
			checks[c.Name] = c
		}
		return checks
	}
	before := h.tree()
	found := examine()
	r := h.run("doctor")
	if after := h.tree(); after != before {
		t.Errorf("a look changed what it looked at:\n%s\n%s", before, after)
	}
	for name, would := range map[string]string{
		"vault": "would make private: ", "folders": "would make private: ", "config": "would ", "engine": "would remove ",
		"accounts": "would keep the damaged accounts.json aside, and rebuild it from the vault", "records": "",
	} {
		c := found[name]
		if c.State == "ok" || !strings.HasPrefix(c.Fix, would) || (would == "") != (c.Fix == "") {
			t.Errorf("%s: %+v, want that it %s", name, c, would)
		}
		if !strings.Contains(r.stdout, c.Message) || !strings.Contains(r.stdout, c.Hint) || !strings.Contains(r.stdout, c.Fix) {
			t.Errorf("%s is said otherwise in words: %+v\n%s", name, c, r.stdout)
		}
	}
	if r.status != 1 || !strings.HasSuffix(r.stdout, "\nwhat --fix would do is done by: oauthmux doctor --fix\n") {
		t.Errorf("doctor: %v", r)
	}

	fixed := examine("--fix")
	for _, name := range []string{"vault", "folders", "config", "engine", "accounts"} {
		if c := fixed[name]; c.State == "wrong" || !strings.HasPrefix(c.Fix, "done: ") {
			t.Errorf("after --fix, %s: %+v", name, c)
		}
	}
	if c := fixed["records"]; c.State != "wrong" || h.read(cred) != "nonsense" {
		t.Errorf("the record that nobody can read: %+v, and now it is %q", c, h.read(cred))
	}
	if list := h.ok("list"); strings.Contains(list, "no account") {
		t.Errorf("list says %q", list)
	}
}
