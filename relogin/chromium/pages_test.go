package chromium

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

var png = []byte("\x89PNG\r\n\x1a\n")

func TestAVisitStopsWithoutAPress(t *testing.T) {
	cases := []struct {
		name  string
		serve func(*site)
		kind  accounts.PageKind
		words string // after the host
	}{
		{"at a password", func(s *site) {
			s.consent(`<input type="password"><button>Authorize</button>`)
		}, accounts.PageSignIn, "asks to sign in"},
		{"at a redirect to the sign-in", func(s *site) {
			s.mux.Handle("/oauth/authorize", http.RedirectHandler("/login?returnTo=secret", http.StatusFound))
			s.page("/login", `<button>Authorize</button>`)
		}, accounts.PageSignIn, "asks to sign in"},
		{"at a challenge's frame", func(s *site) {
			frame := strings.Replace(s.URL, "127.0.0.1", "captcha.localhost", 1) + "/frame"
			s.page("/frame", "<p>Are you?")
			s.consent(`<button>Authorize</button><div id="host"></div><script>
				const f = document.createElement("iframe"); f.src = "` + frame + `";
				document.getElementById("host").attachShadow({mode: "closed"}).append(f)</script>`)
		}, accounts.PageChallenge, "wants to see that a human is there"},
		{"at an error", func(s *site) {
			s.consent(`<p>Invalid request</p><button>Authorize</button>`)
		}, accounts.PageFailure, "refuses the request for access"},
		{"at a page that is not known", func(s *site) {
			s.mux.Handle("/oauth/authorize", http.RedirectHandler("/what", http.StatusFound))
			s.page("/what", `<button>Authorize</button>`)
		}, accounts.PageUnknown, "shows a page that is not known"},
		{"at two buttons", func(s *site) {
			s.consent(`<button>Authorize</button><button>Allow</button>`)
		}, accounts.PageUnknown, "asks whether to grant access, and the page has 2 buttons that grant"},
		{"at buttons that cannot be pressed", func(s *site) {
			s.consent(`<button>Deny</button>
				<button disabled>Authorize</button><fieldset disabled><button>Allow</button></fieldset>
				<div inert><button>Allow</button></div><button aria-disabled="true">Allow</button>
				<button style="display:none">Authorize</button><button style="visibility:hidden">Authorize</button>
				<p style="opacity:0"><button>Authorize</button></p>`)
		}, accounts.PageUnknown, "asks whether to grant access, and the page has no button that grants"},
		{"at a covered button", func(s *site) {
			s.consent(`<button>Authorize</button><div style="position:fixed;inset:0;background:#fff8"></div>`)
		}, accounts.PageUnknown, "asks whether to grant access, and something covers the button"},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.serve(s)
			stopsAt(t, s, s.visit(t), c.kind, s.host()+" "+c.words)
		})
	}
}

// stopsAt makes a visit that has to stop at a page, and returns what it told.
func stopsAt(t *testing.T, s *site, v relogin.Visit, kind accounts.PageKind, words string) []string {
	t.Helper()
	address, told, err := openWith(t, &Driver{hurry: 5}, v, time.Minute)
	stopped, ok := errors.AsType[*relogin.PageError](err)
	if !ok {
		t.Fatalf("the visit ended at %q: %v, want a page error; told %q", address, err, told)
	}
	if stopped.Kind != kind || stopped.Words != words {
		t.Errorf("stopped at %q: %q, want %q: %q", stopped.Kind, stopped.Words, kind, words)
	}
	if !bytes.HasPrefix(stopped.Screenshot, png) {
		t.Errorf("the picture of %d bytes is no PNG", len(stopped.Screenshot))
	}
	if got := s.granted(); got != 0 {
		t.Errorf("access was granted %d times, want never", got)
	}
	return told
}

func TestAConsentPageIsPassed(t *testing.T) {
	const button = `<button>Authorize</button>`
	cases := []struct {
		name  string
		serve func(*site)
	}{
		{"when its button comes late", func(s *site) {
			s.consent(`<button disabled>Authorize</button><script>
				setTimeout(() => document.forms[0].innerHTML = '<p>One moment', 700)
				setTimeout(() => document.forms[0].innerHTML = '` + button + `', 2000)</script>`)
		}},
		{"when its button is far down, in another one, and its scripts lie", func(s *site) {
			s.consent(`<p style="height:5000px"></p><button><span role="button">Authorize</span></button><script>
				document.querySelectorAll = () => []; document.elementFromPoint = () => null;
				Object.defineProperty(Document.prototype, "readyState", {get: () => "loading"})</script>`)
		}},
		{"when its button is an input, or has a role", func(s *site) {
			s.consent(`<div role="button">Deny</div><input type="submit" value=" Authorize ">`)
		}},
		{"after a dialog", func(s *site) {
			s.consent(button + `<script>alert("hello"); if (confirm("sure?")) location = "/login";
				addEventListener("beforeunload", (e) => e.preventDefault())</script>`)
		}},
		{"after pages that go on by themselves", func(s *site) {
			s.mux.Handle("/oauth/authorize", http.RedirectHandler("/hop", http.StatusFound))
			s.page("/hop", `<script>setTimeout(() => location = "/slow", 300)</script>`)
			s.mux.HandleFunc("/slow", func(w http.ResponseWriter, r *http.Request) {
				time.Sleep(2 * time.Second) // longer than a page that is not known is waited for
				http.Redirect(w, r, callback+"?code=the-code&state=the-state", http.StatusFound)
			})
		}},
		{"when the redirect comes in a pop-up", func(s *site) {
			s.page("/oauth/authorize", `<button onclick="window.open('/grant')">Authorize</button>`)
		}},
		{"when the redirect comes from a script", func(s *site) {
			s.page("/oauth/authorize", `<button onclick="setTimeout(() =>
				location = '`+callback+`?code=the-code&state=the-state', 1500)">Authorize</button>`)
		}},
		{"when a part of it is elsewhere", func(s *site) {
			elsewhere := strings.Replace(s.URL, "127.0.0.1", "cdn.localhost", 1)
			s.page("/frame", "<p>An advertisement")
			s.consent(`<iframe src="` + elsewhere + `/frame"></iframe><iframe src="` + callback + `?code=forged"></iframe>` + button)
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			c.serve(s)
			address, told, err := open(t, s.visit(t), time.Minute)
			if want := callback + "?code=the-code&state=the-state"; err != nil || address != want {
				t.Errorf("the visit ended at %q: %v, want %q; told %q", address, err, want, told)
			}
			if got := s.granted(); got > 1 {
				t.Errorf("access was granted %d times, want once", got)
			}
		})
	}
}

func TestAnErrorThatARedirectBringsIsTheCallers(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mux.Handle("/oauth/authorize", http.RedirectHandler(callback+"?error=access_denied&state=the-state#_=_", http.StatusFound))
	address, _, err := open(t, s.visit(t), time.Minute)
	if want := callback + "?error=access_denied&state=the-state#_=_"; err != nil || address != want {
		t.Errorf("the visit ended at %q: %v, want %q", address, err, want)
	}
}

func TestASecondQuestionIsNotAnswered(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	presses := 0
	s.mux.HandleFunc("/oauth/authorize", func(w http.ResponseWriter, r *http.Request) {
		if r.Method == http.MethodPost {
			presses++
		}
		_, _ = fmt.Fprint(w, `<form method="post"><button>Authorize</button></form>`)
	})
	stopsAt(t, s, s.visit(t), accounts.PageConsent, s.host()+" asks a second time whether to grant access")
	if presses != 1 {
		t.Errorf("the button was pressed %d times, want once", presses)
	}
}

func TestNothingIsGrantedOnAHostThatOnlyIdentifies(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.consent(`<button>Authorize</button>`)
	v := s.visit(t)
	v.Consent = []string{"claude.example"}
	stopsAt(t, s, v, accounts.PageUnknown, s.host()+" shows a page that is not known")
}

func TestOffTheListIsNotGone(t *testing.T) {
	const elsewhere = "elsewhere.localhost"
	cases := map[string]func(s *site, to string){
		"by a redirect": func(s *site, to string) {
			s.mux.Handle("/oauth/authorize", http.RedirectHandler(to+"/elsewhere?secret", http.StatusFound))
		},
		"by a script": func(s *site, to string) {
			s.consent(`<script>location = "` + to + `/elsewhere?secret"</script>`)
		},
		"in a pop-up": func(s *site, to string) {
			s.page("/oauth/authorize", `<button onclick="window.open('`+to+`/elsewhere?secret')">Authorize</button>`)
		},
	}
	for name, serve := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			to := strings.Replace(s.URL, "127.0.0.1", elsewhere, 1)
			serve(s, to)
			_, _, err := openWith(t, &Driver{hurry: 2}, s.visit(t), time.Minute)
			stopped, ok := errors.AsType[*relogin.PageError](err)
			want := "wants to go to " + strings.TrimPrefix(to, "http://")
			if !ok || stopped.Kind != accounts.PageUnknown || !strings.HasSuffix(stopped.Words, want) || strings.Contains(stopped.Words, "secret") {
				t.Errorf("the visit ended with %v, want one that %s", err, want)
			}
			if got := s.seen("/elsewhere"); got != 0 {
				t.Errorf("the address off the list was asked for %d times", got)
			}
		})
	}
}

func TestAFileIsNotTaken(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.mux.HandleFunc("/oauth/authorize", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/octet-stream")
		w.Header().Set("Content-Disposition", `attachment; filename="evil.bin"`)
		_, _ = w.Write(make([]byte, 100))
	})
	stopsAt(t, s, s.visit(t), accounts.PageUnknown, s.host()+" offers a file")
}

func TestAServerThatDoesNotAnswerIsNamed(t *testing.T) {
	hang := make(chan struct{})
	cases := []struct {
		name, words string
		serve       http.HandlerFunc
	}{
		{"cut", "did not answer", func(http.ResponseWriter, *http.Request) { panic(http.ErrAbortHandler) }},
		{"silent", "did not answer in time", func(_ http.ResponseWriter, r *http.Request) {
			select {
			case <-r.Context().Done():
			case <-hang:
			}
		}},
		{"endless", "did not answer in time", func(w http.ResponseWriter, r *http.Request) {
			for r.Context().Err() == nil {
				_, _ = fmt.Fprint(w, "<p>more")
				_ = http.NewResponseController(w).Flush()
				time.Sleep(50 * time.Millisecond)
			}
		}},
	}
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.mux.HandleFunc("/oauth/authorize", c.serve)
			err := openFor(t, s.visit(t), 5*time.Second, context.DeadlineExceeded)
			trouble, ok := errors.AsType[*relogin.TroubleError](err)
			if want := s.host() + " " + c.words; !ok || trouble.Words != want {
				t.Errorf("the visit ended with %v, want %q", err, want)
			}
		})
	}
}
