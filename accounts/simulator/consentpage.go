package simulator

import (
	"cmp"
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// display is the parameter of an authorization request that our own pages add:
// the window that it is for.
const display = "display"

// servePage is every page, and every answer to one.
func (s *Server) servePage(x *exchange) {
	if x.r.Header.Get("Authorization") != "" {
		s.tally.violate(StrayCredential)
	}
	x.put("Cache-Control", "no-store")
	switch x.place {
	case placeAuthorizeCAI:
		x.redirect(PathAuthorize + "?" + x.r.URL.RawQuery)
	case placeAuthorize, placeTerms:
		s.serveRequest(x)
	case placeLogin:
		s.serveLogin(x)
	case placeGrant:
		s.takeConsent(x)
	case placeAnswer:
		s.takeAnswer(x)
	case placeClick:
		s.takeClick(x)
	case placeFrame:
		x.part(http.StatusOK, view{Page: PageChallenge, Title: "Security check", Human: "I am human"})
	case placeSite:
		x.view(http.StatusOK, view{Page: PageElsewhere, Title: "What are we doing today?", Text: "This is the site itself."})
	case placeCallback:
		s.serveCallback(x)
	default:
		x.send(http.StatusNoContent, typeText, nil)
	}
}

// serveRequest is an authorization request in a browser: whoever is not signed in
// goes to do that, whoever is in several organizations says which one it is for,
// and then comes the consent page, or what ShowPage put in its place.
func (s *Server) serveRequest(x *exchange) {
	query := x.r.URL.RawQuery
	q, err := checkAuthorization(query)
	if err != nil {
		s.tally.violate(BadRequest)
		x.view(http.StatusBadRequest, view{Page: PageBadRequest, Title: "Invalid OAuth Request", Text: err.Error()})
		return
	}
	if s.shows.cutAgain(query, x.began) {
		x.cut()
	}
	headless := strings.Contains(x.r.UserAgent(), "HeadlessChrome")
	if x.r.URL.Query().Get(display) == string(PageOffList) {
		s.showLookAlike(x, q)
		return
	}
	n := s.session(x)
	var list []*account
	if n != nil {
		list = s.users.person(n.person)
	}
	if len(list) == 0 {
		if p := s.shows.take("", headless); p != "" {
			s.showNobody(x, p)
			return
		}
		x.redirect(PathLogin + "?" + url.Values{"returnTo": {PathAuthorize + "?" + query}}.Encode())
		return
	}
	past := s.people.past(n, q.state)
	a := choose(list, q, past.org)
	t := &ticket{session: n, page: PageConsent, account: a, request: q, query: query, ends: x.began.Add(pageLife)}
	if a == nil {
		t.page = PageOrganization
		s.showOrganizations(x, t, list)
		return
	}
	x.is(a)
	switch {
	case x.place == placeTerms:
		t.page, t.shown = PageUnknown, true
	case x.r.URL.Query().Get(display) == string(PagePopUp):
		t.page, t.shown = PagePopUp, true
		x.part(http.StatusOK, s.consentView(x, t))
		return
	case past.shown: // the page that was due has just been answered
		past.shown = false
		s.people.pass(n, past)
	default:
		if p := s.shows.take(a.name, headless); p != "" {
			t.page, t.shown = p, true
		}
	}
	s.show(x, t, list)
}

// choose is which of a person's users a request is for; nil: the person must say.
// What was chosen comes first, then what the request asks for, if the person has it.
func choose(list []*account, q authorizationRequest, org string) *account {
	only := func(fits func(User) bool) *account {
		found := slices.DeleteFunc(slices.Clone(list), func(a *account) bool { return !fits(a.get()) })
		if len(found) != 1 {
			return nil
		}
		return found[0]
	}
	return cmp.Or(
		only(func(u User) bool { return u.OrgUUID == org }),
		only(func(u User) bool { return u.OrgUUID == q.orgUUID }),
		only(func(u User) bool { return u.Name == q.hint }),
		only(func(u User) bool { return strings.EqualFold(u.Email, q.hint) }),
		only(func(User) bool { return true }),
	)
}

func (s *Server) showOrganizations(x *exchange, t *ticket, list []*account) {
	v := view{Page: t.page, Title: "Which organization is it for?", CSRF: s.people.issue(t)}
	for _, a := range list {
		v.Choices = append(v.Choices, a.get())
	}
	x.view(http.StatusOK, v)
}

// consentView is the question for access, made for one answer.
func (s *Server) consentView(x *exchange, t *ticket) view {
	u := t.account.get()
	w := wordsIn(u.Language, s.o.Language, x.r.Header.Get("Accept-Language"))
	return view{
		Page: t.page, Title: w.Title, Lang: w.Lang, CSRF: s.people.issue(t),
		Consent: &consentForm{
			Words: w, Action: strings.Replace(pathGrant, "{organization}", u.OrgUUID, 1),
			Email: u.Email, Org: u.Org, Scopes: strings.Fields(t.request.scope),
			Again: signInAgain(PathAuthorize + "?" + t.query),
		},
	}
}

// takeConsent is the answer to a consent page: the browser goes to the redirect
// URI, with a code or without.
func (s *Server) takeConsent(x *exchange) {
	form := x.form()
	t := s.redeem(x, form)
	if t == nil {
		return
	}
	x.is(t.account)
	decision := form["decision"]
	if t.account.get().OrgUUID != organizationOf(x.r.URL.Path) || decision != "grant" && decision != "decline" {
		s.forged(x)
		return
	}
	s.people.pass(t.session, passed{})
	s.tally.answered(decision == "grant")
	if decision == "decline" {
		x.redirect(t.request.denied())
		return
	}
	x.redirect(t.request.granted(s.issueCode(t.request, t.account)))
}

// takeAnswer is the answer to a page that comes before the consent page.
func (s *Server) takeAnswer(x *exchange) {
	form := x.form()
	t := s.redeem(x, form)
	if t == nil {
		return
	}
	past := s.people.past(t.session, t.request.state)
	past.shown = past.shown || t.shown
	switch t.page {
	case PageOrganization:
		past.org = form["organization"]
		if !slices.ContainsFunc(s.users.person(t.session.person), func(a *account) bool { return a.get().OrgUUID == past.org }) {
			s.forged(x)
			return
		}
	case PageInvite, PageTerms, PageUnknown:
	default:
		s.forged(x)
		return
	}
	s.people.pass(t.session, past)
	x.redirect(PathAuthorize + "?" + t.query)
}

// redeem takes the page that a form answers. Without one it has answered: whoever
// is no longer signed in begins again, and everything else is forged.
func (s *Server) redeem(x *exchange, form map[string]string) *ticket {
	page := Page(form["page"])
	s.tally.posted(page)
	n := s.session(x)
	if n == nil {
		if t := s.people.orphan(form["csrf"], x.cookie(sessionCookie), x.began); t != nil {
			x.redirect(PathAuthorize + "?" + t.query)
			return nil
		}
		s.forged(x)
		return nil
	}
	t := s.people.redeem(form["csrf"], n, page, x.began)
	if t == nil {
		s.forged(x)
	}
	return t
}

// maxLabel is how much of what was clicked is kept.
const maxLabel = 80

// takeClick is what a page reports of a click on it.
func (s *Server) takeClick(x *exchange) {
	form := x.form()
	label := []rune(form["label"])
	s.tally.clicked(Page(form["page"]), string(label[:min(len(label), maxLabel)]))
	x.send(http.StatusNoContent, typeText, nil)
}

// serveCallback is the hosted page that shows the code, as CODE#STATE.
func (s *Server) serveCallback(x *exchange) {
	q := x.r.URL.Query()
	v := view{Page: PageCallback, Title: "Authentication code", Text: "Paste this into the program:", Shown: q.Get("code") + "#" + q.Get("state")}
	if q.Get("code") == "" {
		v.Title, v.Text, v.Shown = "Access denied", cmp.Or(q.Get("error_description"), "There is no code."), ""
	}
	x.view(http.StatusOK, v)
}
