package chromium

import (
	"fmt"
	"net/http"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// customRecipes are those of a provider of the person's own.
func customRecipes(t *testing.T) []accounts.PageRecipe {
	t.Helper()
	set, err := accounts.NewSet(map[accounts.ProviderID]accounts.Settings{"mycorp": {
		AuthorizeURL: "https://login.mycorp.example/authorize", TokenURL: "https://login.mycorp.example/token", ClientID: "x",
		Upstream: "https://api.mycorp.example", Paths: []string{"/v1/"}, Redirect: "loopback",
	}})
	if err != nil {
		t.Fatal(err)
	}
	p, ok := set.Get("mycorp")
	if !ok {
		t.Fatal("there is no such provider")
	}
	return p.Login
}

func TestTheConsentPageOfAProviderOfOnesOwnIsPassed(t *testing.T) {
	t.Parallel()
	for name, html := range map[string]string{
		"at once": `<button formaction="/deny">Deny</button><button>Allow</button>`,
		"when its button comes late": `<p id="late">One moment</p><script>
			setTimeout(() => document.getElementById("late").innerHTML = "<button>Allow</button>", 2000)</script>`,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.consent(html)
			v := s.visit(t)
			v.Recipes = customRecipes(t)
			address, told, err := open(t, v, time.Minute)
			if err != nil || address == "" || s.granted() != 1 {
				t.Errorf("the visit ended at %q: %v, granted %d times; told %q", address, err, s.granted(), told)
			}
		})
	}
}

func TestAProviderOfOnesOwnStopsWhereNothingGrants(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		html, words string
		kind        accounts.PageKind
	}{
		"no button":     {`<p>Welcome`, "shows a page that is not known", accounts.PageUnknown},
		"another label": {`<button>Continue</button>`, "shows a page that is not known", accounts.PageUnknown},
		"a sign-in":     {`<input type="password"><button>Allow</button>`, "asks to sign in", accounts.PageSignIn},
		"two buttons": {
			`<button>Allow</button><button>Authorize</button>`,
			"asks whether to grant access, and the page has 2 buttons that grant", accounts.PageUnknown,
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.consent(c.html)
			v := s.visit(t)
			v.Recipes = customRecipes(t)
			stopsAt(t, s, v, c.kind, s.host()+" "+c.words)
		})
	}
}

func TestAConsentPageIsPassedForOurRequestOnly(t *testing.T) {
	t.Parallel()
	const ours = "client_id=me&state=the-state&redirect_uri=https%3A%2F%2Fr.example%2Fcb&code_challenge=c1"
	for name, c := range map[string]struct {
		query string
		asks  bool
	}{
		"ours":             {ours + "&org=7", true},
		"another client":   {"client_id=EVIL&state=the-state", false},
		"another state":    {"client_id=me&state=evil", false},
		"another redirect": {"client_id=me&state=the-state&redirect_uri=https://evil.example", false},
		"nobody's":         {"x=1", false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.mux.HandleFunc("/start", func(w http.ResponseWriter, r *http.Request) {
				http.Redirect(w, r, "/oauth/authorize?"+c.query, http.StatusFound)
			})
			s.mux.HandleFunc("/oauth/authorize", func(w http.ResponseWriter, r *http.Request) {
				if r.URL.RawQuery == ours {
					http.Redirect(w, r, "/start", http.StatusFound)
					return
				}
				_, _ = fmt.Fprint(w, `<form action="/grant" method="post"><button>Authorize</button></form>`)
			})
			v := s.visit(t)
			v.URL = s.URL + "/oauth/authorize?" + ours
			if !c.asks {
				stopsAt(t, s, v, accounts.PageUnknown, s.host()+" asks about another request than ours")
				return
			}
			if address, _, err := open(t, v, time.Minute); err != nil || s.granted() != 1 {
				t.Errorf("the visit ended at %q: %v, granted %d times", address, err, s.granted())
			}
		})
	}
}

func TestAConsentPageInAWindowOfItsOwn(t *testing.T) {
	t.Parallel()
	const page = `<form action="/grant" method="post"><button>Authorize</button></form>`
	const request = "/oauth/authorize?state=the-state"
	for name, c := range map[string]struct {
		start string
		asks  bool
	}{
		"by the visit's page":                {`<script>window.open("` + request + `")</script>Go on`, true},
		"by the visit's page, for another":   {`<script>window.open("/oauth/authorize?state=evil")</script>Go on`, false},
		"by a part of it":                    {`<iframe src="/part"></iframe>Go on`, false},
		"by a window that opens another one": {`<script>window.open("/part")</script>Go on`, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSite(t)
			s.page("/start", c.start)
			s.page("/part", `<script>window.open("`+request+`")</script>Go on`)
			s.page("/oauth/authorize", page)
			v := s.visit(t)
			v.URL = s.URL + "/start?state=the-state"
			v.Browser = wrapped(t, v.Browser, "--disable-popup-blocking")
			if !c.asks {
				stopsAt(t, s, v, accounts.PageUnknown, s.host()+" asks about another request than ours")
				return
			}
			if address, _, err := open(t, v, time.Minute); err != nil || s.granted() != 1 {
				t.Errorf("the visit ended at %q: %v, granted %d times", address, err, s.granted())
			}
		})
	}
}

func TestT17_ARedirectThatIsNotOursEndsNoVisit(t *testing.T) {
	t.Parallel()
	s := newSite(t)
	s.page("/oauth/authorize", `<script>
		const forged = ["?code=evil&state=evil", "?code=evil", "", "?error=access_denied", "?code=evil&state=the-state&state=evil"]
		forged.forEach((query, i) => setTimeout(() => location = "`+callback+`" + query, 300 * (i + 1)))
		setTimeout(() => location = "/grant", 2500)</script>`)
	address, told, err := open(t, s.visit(t), time.Minute)
	if want := callback + "?code=the-code&state=the-state"; err != nil || address != want {
		t.Errorf("the visit ended at %q: %v, want %q; told %q", address, err, want, told)
	}
}
