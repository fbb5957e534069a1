package accounts

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestInspectChangesNothing(t *testing.T) {
	const whole = `{"version": 1, "accounts": [{"id": "b", "provider": "p", "label": "second", "order": 2}, {"id": "a", "provider": "p", "label": "first", "order": 1}]}`
	for name, c := range map[string]struct {
		content string
		labels  []string
		damage  string
	}{
		"whole":          {whole, []string{"first", "second"}, ""},
		"cut short":      {whole[:60], nil, "."},
		"empty":          {"", nil, "."},
		"null":           {"null", nil, "."},
		"newer":          {`{"version": 7, "accounts": []}`, nil, "its version is 7"},
		"without a list": {`{"version": 1}`, nil, "no list of accounts"},
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			path := filepath.Join(dir, "accounts.json")
			for _, kept := range []string{".bad-20260302", ".bad-20260301"} {
				if err := os.WriteFile(path+kept, nil, 0o600); err != nil {
					t.Fatal(err)
				}
			}
			if err := os.WriteFile(path, []byte(c.content), 0o644); err != nil {
				t.Fatal(err)
			}
			before, err := os.Stat(path)
			if err != nil {
				t.Fatal(err)
			}
			in, err := Inspect(dir)
			if err != nil || in.Missing || (in.Damage == "") != (c.damage == "") || c.damage != "." && !strings.Contains(in.Damage, c.damage) {
				t.Errorf("got %+v, %v", in, err)
			}
			var labels []string
			for _, a := range in.Accounts {
				labels = append(labels, a.Label)
			}
			if !slices.Equal(labels, c.labels) || !slices.Equal(in.Kept, []string{"accounts.json.bad-20260301", "accounts.json.bad-20260302"}) {
				t.Errorf("labels %q, kept %q", labels, in.Kept)
			}
			after, err := os.ReadFile(path)
			info, statErr := os.Stat(path)
			if err := errors.Join(err, statErr); err != nil || string(after) != c.content || info.Mode() != before.Mode() || !info.ModTime().Equal(before.ModTime()) {
				t.Errorf("afterwards: %q, %v, %v", after, info, err)
			}
			if entries, err := os.ReadDir(dir); err != nil || len(entries) != 3 {
				t.Errorf("afterwards: %v, %v", entries, err)
			}
		})
	}
}

func TestInspectWhatIsNotThere(t *testing.T) {
	dir := t.TempDir()
	for _, dir := range []string{dir, filepath.Join(dir, "nowhere")} {
		if in, err := Inspect(dir); err != nil || !in.Missing || in.Damage != "" {
			t.Errorf("%+v, %v", in, err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "accounts.json"), 0o700); err != nil {
		t.Fatal(err)
	}
	if in, err := Inspect(dir); err == nil {
		t.Errorf("a folder in its place: %+v", in)
	}
}
