package chromium

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

// callback is where visits end: an address that nothing may reach.
const callback = "https://platform.example.invalid/oauth/code/callback"

// recipes are those of the pages of a site.
func recipes() []accounts.PageRecipe {
	return []accounts.PageRecipe{
		{Kind: accounts.PageChallenge, Title: `(?i)^just a moment`, Words: "wants to see that a human is there"},
		{Kind: accounts.PageChallenge, Frame: `(^|\.)captcha\.localhost$`, Words: "wants to see that a human is there"},
		{Kind: accounts.PageFailure, Text: `(?i)invalid request`, Words: "refuses the request for access"},
		{Kind: accounts.PageSignIn, Path: `^/login(/|$)`, Words: "asks to sign in"},
		{Kind: accounts.PageSignIn, Selector: `input[type="password"]`, Words: "asks to sign in"},
		{Kind: accounts.PageChoice, Selector: `input[type="radio"]`, Words: "asks which organisation it is for"},
		{Kind: accounts.PageElsewhere, Path: `^/(new)?$`, Words: "shows the site itself"},
		{
			Kind: accounts.PageConsent, Path: `^/oauth/authorize$`, Press: `button, input[type="submit"], [role="button"]`,
			Grant: `(?i)^(authorize|allow)$`, Words: "asks whether to grant access",
		},
	}
}

// site is a small authorization server that counts what is done to it.
type site struct {
	*httptest.Server
	mux *http.ServeMux

	mu    sync.Mutex
	hits  map[string]int // guarded by mu; requests by path
	press int            // guarded by mu; how often access was granted
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{mux: http.NewServeMux(), hits: map[string]int{}}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.hits[r.URL.Path]++
		s.mu.Unlock()
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		s.mux.ServeHTTP(w, r)
	}))
	t.Cleanup(s.Close)
	s.mux.HandleFunc("/grant", func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.press++
		s.mu.Unlock()
		http.Redirect(w, r, callback+"?code=the-code&state=the-state", http.StatusFound)
	})
	return s
}

// page serves a page.
func (s *site) page(path, html string) {
	s.mux.HandleFunc(path, func(w http.ResponseWriter, _ *http.Request) { _, _ = fmt.Fprint(w, html) })
}

// consent serves a page that asks for consent, with what it shows.
func (s *site) consent(html string) {
	s.page("/oauth/authorize", `<title>Grant</title><h1>May it?</h1><form action="/grant" method="post">`+html+`</form>`)
}

func (s *site) host() string { return strings.TrimPrefix(s.URL, "http://") }

// granted returns how often access was granted.
func (s *site) granted() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.press
}

func (s *site) seen(path string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.hits[path]
}

// visit is one to the site, with a new profile.
func (s *site) visit(t *testing.T) relogin.Visit {
	t.Helper()
	return relogin.Visit{
		Profile: newProfile(t), URL: s.URL + "/oauth/authorize?state=the-state",
		Redirects: []string{callback}, Hosts: []string{s.host()}, Consent: []string{s.host()},
		Recipes: recipes(), Browser: browserPath(t), Proxy: "none",
	}
}

func newProfile(t *testing.T) string {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "profile")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	return dir
}

// browserPath is the real browser; a test without one is skipped.
func browserPath(t *testing.T) string {
	t.Helper()
	if testing.Short() {
		t.Skip("a browser takes seconds")
	}
	path, err := Find(os.Getenv("OAUTHMUX_BROWSER"), nil)
	if err != nil {
		lacking(t, "Chromium", browserHint("linux"))
	}
	return path
}

// wrapped is a program that starts the browser with more flags.
func wrapped(t *testing.T, browser string, flags ...string) string {
	t.Helper()
	return script(t, "exec "+browser+` "$@" `+strings.Join(flags, " "))
}

// script is a program of one line.
func script(t *testing.T, line string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "browser")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+line+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

// open is one visit, bounded, with what it told.
func open(t *testing.T, v relogin.Visit, limit time.Duration) (address string, told []string, err error) {
	t.Helper()
	return openWith(t, new(Driver), v, limit)
}

// openFor is open with a time that begins when the page is asked for.
func openFor(t *testing.T, v relogin.Visit, limit time.Duration, cause error) error {
	t.Helper()
	ctx, cancel := context.WithCancelCause(t.Context())
	v.Progress = func(step string) {
		if strings.HasPrefix(step, "opening") {
			time.AfterFunc(limit, func() { cancel(cause) })
		}
	}
	address, err := new(Driver).Open(ctx, v)
	if err == nil {
		t.Errorf("the visit ended at %q", address.Reveal())
	}
	return err
}

func openWith(t *testing.T, d *Driver, v relogin.Visit, limit time.Duration) (address string, told []string, err error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	var mu sync.Mutex
	v.Progress = func(step string) {
		mu.Lock()
		defer mu.Unlock()
		told = append(told, step)
	}
	secret, err := d.Open(ctx, v)
	if _, locked := os.Readlink(lockPath(v.Profile)); locked == nil && err == nil {
		t.Error("the profile is still locked after the visit")
	}
	mu.Lock()
	defer mu.Unlock()
	return secret.Reveal(), slices.Clone(told), err
}

func TestAConsentPageIsPassedWithOnePress(t *testing.T) {
	s := newSite(t)
	s.consent(`<button formaction="/deny">Deny</button> <button>Authorize</button>`)
	v := s.visit(t)
	begun := time.Now()
	address, told, err := open(t, v, time.Minute)
	t.Logf("%s: %q", time.Since(begun), told)
	if err != nil {
		t.Fatal(err)
	}
	u, err := url.Parse(address)
	if err != nil || u.Query().Get("code") != "the-code" || u.Query().Get("state") != "the-state" {
		t.Errorf("the visit ended at %q: %v", address, err)
	}
	if got := s.granted(); got != 1 {
		t.Errorf("access was granted %d times, want once", got)
	}
	want := []string{
		"starting the browser", "opening " + s.host(), s.host() + " asks whether to grant access",
		`pressing "Authorize"`, "signed in", "closing the browser",
	}
	if !slices.Equal(told, want) {
		t.Errorf("told %q, want %q", told, want)
	}
}

func TestWhatIsMissingIsToldBeforeAnythingBegins(t *testing.T) {
	var d Driver
	var gone *relogin.BrowserMissingError
	if err := d.Check(relogin.Visit{Browser: "/nowhere/chromium"}); !errors.As(err, &gone) || gone.Path != "/nowhere/chromium" {
		t.Errorf("no browser: %v", err)
	}
	program, err := os.Executable() // any program will do
	if err != nil {
		t.Fatal(err)
	}
	if err := d.Check(relogin.Visit{Browser: program, Environ: []string{"PATH=/bin"}}); err != nil {
		t.Errorf("a window was not asked for: %v", err)
	}
	err = d.Check(relogin.Visit{Browser: program, Visible: true, Environ: []string{"PATH=/bin"}})
	if _, ok := errors.AsType[*relogin.DisplayError](err); ok != (runtime.GOOS == "linux") {
		t.Errorf("without a display: %v", err)
	}
	if err := d.Check(relogin.Visit{Browser: program, Visible: true, Environ: []string{"DISPLAY=:9"}}); err != nil {
		t.Errorf("with a display: %v", err)
	}
}
