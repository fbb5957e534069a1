package chromium

import (
	"bytes"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"
)

// holding are the files of a profile that hold a text, in one of the ways that a
// browser writes texts.
func holding(t *testing.T, profile, text string) []string {
	t.Helper()
	wide := []byte(strings.Join(strings.Split(text, ""), "\x00")) // UTF-16
	var names []string
	err := filepath.WalkDir(profile, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		raw, err := os.ReadFile(path)
		if bytes.Contains(raw, []byte(text)) || bytes.Contains(raw, wide) {
			name, relErr := filepath.Rel(profile, path)
			if relErr != nil {
				return relErr
			}
			names = append(names, name)
		}
		return err
	})
	if err != nil {
		t.Error(err)
	}
	slices.Sort(names)
	return names
}

// visited are the files in which a browser keeps the addresses of pages that were
// shown. That of the authorization request is one of them. It is of no use to whoever
// reads it: its state is good for one redirect, and its challenge is no verifier
// (SAFETY T17).
var visited = regexp.MustCompile(`^(Default/(History|Favicons|Sessions|Top Sites|Visited Links)|segmentation_platform/)`)

func TestAProfileKeepsNoCode(t *testing.T) {
	s := newSite(t)
	s.mux.HandleFunc("/favicon.ico", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "image/png")
		_, _ = w.Write(png)
	})
	s.consent(`<button>Authorize</button>`)
	v := s.visit(t)
	v.URL += "&code_challenge=the-challenge"
	if address, _, err := open(t, v, time.Minute); err != nil {
		t.Fatalf("the visit ended at %q: %v", address, err)
	}
	for _, text := range []string{"the-code", strings.TrimPrefix(callback, "https://") + "?"} {
		if held := holding(t, v.Profile, text); len(held) > 0 {
			t.Errorf("%s is in %v", text, held)
		}
	}
	for _, text := range []string{"the-state", "the-challenge"} {
		for _, name := range holding(t, v.Profile, text) {
			if !visited.MatchString(filepath.ToSlash(name)) {
				t.Errorf("%s is in %s", text, name)
			}
		}
	}
}
