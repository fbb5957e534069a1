package simulator

import (
	"bytes"
	"crypto/subtle"
	"mime"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"
)

// The cookies of a browser.
const (
	sessionCookie = "sessionKey" // who is signed in: kept by the profile
	attemptCookie = "signIn"     // who is signing in
)

// pageLife is how long a page may wait for its answer, whatever the speed.
const pageLife = time.Hour

// serveLogin is /login: the e-mail address, the password, and the one-time code of
// those who have one. Then it goes back to where the browser came from.
func (s *Server) serveLogin(x *exchange) {
	if x.r.Method == http.MethodPost {
		s.takeEntry(x)
		return
	}
	q := x.r.URL.Query()
	to := localAddress(q.Get("returnTo"))
	if !q.Has("again") {
		at, ok := s.people.attempt(x.cookie(attemptCookie), x.began)
		ok = ok && at.returnTo == to
		signedIn := s.session(x) != nil
		switch {
		case ok && (at.email != "" || !signedIn): // whoever is signed in may be changing that
			s.ask(x, http.StatusOK, at, "")
			return
		case signedIn:
			x.redirect(to)
			return
		}
	}
	at := attempt{returnTo: to, csrf: randomText(), ends: x.began.Add(pageLife)}
	x.setCookie(attemptCookie, s.people.beginAttempt(at), pageLife)
	s.ask(x, http.StatusOK, at, "")
}

// takeEntry takes what was typed in.
func (s *Server) takeEntry(x *exchange) {
	form := x.form()
	s.tally.posted(Page(form["page"]))
	name := x.cookie(attemptCookie)
	at, ok := s.people.attempt(name, x.began)
	if !ok || !same(form["csrf"], at.csrf) {
		s.forged(x)
		return
	}
	if Page(form["page"]) != at.page() { // the answer to a page that is past
		s.ask(x, http.StatusOK, at, "")
		return
	}
	email := at.email
	if email == "" {
		email = strings.ToLower(strings.TrimSpace(form["email"]))
	}
	if s.people.locked(email, x.began) {
		s.ask(x, http.StatusTooManyRequests, at, "Too many wrong entries. Wait a little, and try again.")
		return
	}
	who, problem := s.judge(&at, email, form)
	if problem != "" {
		s.people.tried(email, false, x.began)
		s.ask(x, http.StatusUnauthorized, at, problem)
		return
	}
	if who == nil {
		s.people.keepAttempt(name, at)
		x.redirect(PathLogin + "?" + url.Values{"returnTo": {at.returnTo}}.Encode())
		return
	}
	s.people.tried(email, true, x.began)
	s.people.endAttempt(name)
	s.tally.signedIn()
	x.setCookie(attemptCookie, "", 0)
	x.setCookie(sessionCookie, s.people.beginSession(who.AccountUUID, x.began.Add(s.o.SessionLife)), s.o.SessionLife)
	x.redirect(at.returnTo)
}

// judge takes one entry into an attempt. It returns who has signed in by it, if
// nothing more is to be asked, or what is wrong with it.
func (s *Server) judge(at *attempt, email string, form map[string]string) (who *User, problem string) {
	u, known := s.users.signsIn(email)
	if !known {
		return nil, "There is no account with this e-mail address."
	}
	switch at.page() {
	case PageSignIn:
		at.email = email
		return nil, ""
	case PagePassword:
		if !same(form["password"], u.Password) {
			return nil, "That is not the password."
		}
		at.password = true
		if u.OneTimeCode != "" {
			return nil, ""
		}
	default:
		if !same(strings.TrimSpace(form["code"]), u.OneTimeCode) {
			return nil, "That is not the code."
		}
	}
	return &u, ""
}

// page is what is asked next.
func (a attempt) page() Page {
	switch {
	case a.email == "":
		return PageSignIn
	case !a.password:
		return PagePassword
	default:
		return PageCode
	}
}

// ask shows the page that asks for the next entry.
func (s *Server) ask(x *exchange, status int, at attempt, problem string) {
	v := view{Page: at.page(), CSRF: at.csrf, Problem: problem}
	u, _ := s.users.signsIn(at.email)
	switch v.Page {
	case PageSignIn:
		v.Title = "Sign in"
		v.Types = s.addresses(at.returnTo)
		v.Entry = &entry{
			Label: "E-mail", Name: "email", Type: "email", Complete: "username",
			Placeholder: "you@example.org", Button: "Continue with email",
		}
	case PagePassword:
		v.Title, v.Text = "Enter your password", "For "+at.email+"."
		v.Types = []string{u.Password}
		v.Entry = &entry{Label: "Password", Name: "password", Type: "password", Complete: "current-password", Button: "Continue"}
	default:
		v.Title, v.Text = "Check your authenticator", "We need one more code for "+at.email+"."
		v.Types = []string{u.OneTimeCode}
		v.Entry = &entry{
			Label: "Code", Name: "code", Type: "text", Complete: "one-time-code",
			Placeholder: "Enter verification code", Button: "Verify", Digits: true,
		}
	}
	if v.Page != PageSignIn {
		v.Entry.Again = signInAgain(at.returnTo)
	}
	if !s.o.ShowPassword {
		v.Types = nil
	}
	x.view(status, v)
}

// addresses are the e-mail addresses that may be typed in: the one that the
// request hints at, else everybody's.
func (s *Server) addresses(returnTo string) []string {
	if u, err := url.Parse(returnTo); err == nil {
		if a := s.users.find(u.Query().Get("login_hint"), ""); a != nil {
			return []string{a.get().Email}
		}
	}
	var list []string
	for _, a := range s.users.all() {
		if email := a.get().Email; !slices.Contains(list, email) {
			list = append(list, email)
		}
	}
	return list
}

// signInAgain is where somebody else can sign in.
func signInAgain(returnTo string) string {
	return PathLogin + "?" + url.Values{"again": {"yes"}, "returnTo": {returnTo}}.Encode()
}

// localAddress is an address on this host to go back to.
func localAddress(raw string) string {
	u, err := url.Parse(raw)
	if err != nil || u.Scheme != "" || u.Host != "" || !strings.HasPrefix(u.Path, "/") || strings.HasPrefix(raw, "//") {
		return PathSite
	}
	return u.String()
}

// session is who is signed in in the browser of a request; nil: nobody.
func (s *Server) session(x *exchange) *session {
	return s.people.session(x.cookie(sessionCookie), x.began)
}

// cookie is the value of a cookie; "": there is none.
func (x *exchange) cookie(name string) string {
	c, err := x.r.Cookie(name)
	if err != nil {
		return ""
	}
	return c.Value
}

// setCookie keeps a value in the browser's profile for a time; 0: no longer.
func (x *exchange) setCookie(name, value string, life time.Duration) {
	age := -1
	if life > 0 {
		age = max(int(life/time.Second), 1)
	}
	http.SetCookie(x.w, &http.Cookie{ //nolint:gosec // G124: the pages are plain HTTP, on loopback
		Name: name, Value: value, Path: "/", MaxAge: age, HttpOnly: true, SameSite: http.SameSiteLaxMode,
	})
}

// maxForm is the longest form that is read.
const maxForm = 64 << 10

// form is the form that was sent; nil: there is none, or it is not one.
func (x *exchange) form() map[string]string {
	var body bytes.Buffer
	if !x.readBody(maxForm, func(b []byte) { body.Write(b) }) {
		return nil
	}
	if kind, _, _ := mime.ParseMediaType(x.r.Header.Get("Content-Type")); kind != "application/x-www-form-urlencoded" {
		return nil
	}
	fields, err := flatForm(body.String())
	if err != nil {
		return nil
	}
	return fields
}

// forged refuses an answer that no page of ours was asked for.
func (s *Server) forged(x *exchange) {
	s.tally.violate(ForgedConsent)
	x.view(http.StatusForbidden, view{
		Page: PageBadRequest, Title: "Invalid OAuth Request",
		Text: "This is not the answer to a page that is open in this browser.",
	})
}

func same(got, want string) bool { return subtle.ConstantTimeCompare([]byte(got), []byte(want)) == 1 }
