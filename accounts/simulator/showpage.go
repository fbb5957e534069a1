package simulator

import (
	"bytes"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// plain are the pages of ShowPage that say something, and ask for nothing or for
// the press of one button.
var plain = map[Page]struct {
	status int
	view   view
}{
	PageChallenge: {http.StatusForbidden, view{
		Title: "Just a moment...", Text: "Verify you are human by completing the action below.", Frame: pathFrame,
	}},
	PageInvite: {http.StatusOK, view{
		Title: "Join the team", Text: "You have been invited to a team.", Button: "Accept invite",
	}},
	PageUnknownScope: {http.StatusBadRequest, view{
		Title: "Invalid OAuth Request", Text: "Unknown scope: user:inference",
	}},
	PagePlan: {http.StatusOK, view{
		Title: "Max or Pro account required", Text: "This program cannot be used with the plan of this account.",
	}},
	PageServerError: {http.StatusInternalServerError, view{
		Title: "Internal server error", Text: "Please try again later.",
	}},
	PageUnknown: {http.StatusOK, view{
		Title: "Our terms have changed", Text: "We may use what you write to make our service better.", Button: "Allow",
	}},
	PageTerms: {http.StatusOK, view{
		Title: "Our terms have changed", Text: "Please read them before you go on.", Button: "I agree",
	}},
	PageHeadless: {http.StatusForbidden, view{
		Title: "Unsupported browser", Text: "This browser is not supported. Please use another one.",
	}},
	PageBadRequest: {http.StatusBadRequest, view{
		Title: "Invalid OAuth Request", Text: "invalid OAuth request",
	}},
}

// show answers a request with the page of its ticket; list are the person's users.
func (s *Server) show(x *exchange, t *ticket, list []*account) {
	if x.place != placeTerms && t.page == PageUnknown {
		x.redirect(pathTerms + "?" + t.query)
		return
	}
	if p, ok := plain[t.page]; ok && p.view.Button != "" {
		v := p.view
		v.Page, v.CSRF = t.page, s.people.issue(t)
		x.view(p.status, v)
		return
	}
	switch t.page {
	case PageOrganization:
		s.showOrganizations(x, t, list)
	case PageSignIn, PagePassword, PageCode:
		s.people.endSession(t.session)
		x.redirect(PathLogin + "?" + url.Values{"returnTo": {PathAuthorize + "?" + t.query}}.Encode())
	case PagePopUp:
		x.view(http.StatusOK, view{
			Page: t.page, Title: "Go on in the other window", Text: "It opens by itself.",
			Opens: PathAuthorize + "?" + t.query + "&" + display + "=" + string(PagePopUp),
		})
	default:
		if t.page.aboutNobody() {
			s.showNobody(x, t.page)
			return
		}
		s.showVariant(x, t)
	}
}

// showNobody answers with a page that is about nobody.
func (s *Server) showNobody(x *exchange, p Page) {
	if known, ok := plain[p]; ok {
		v := known.view
		v.Page = p
		x.view(known.status, v)
		return
	}
	if p == PageElsewhere {
		x.redirect(PathSite)
		return
	}
	s.tally.viewed(p)
	switch p {
	case PageOffList:
		x.redirect(s.offList(x))
	case PageDownload:
		x.put("Content-Disposition", `attachment; filename="setup.bin"`)
		x.send(http.StatusOK, "application/octet-stream", bytes.Repeat([]byte("setup "), 100))
	case PageEndless:
		x.begun(view{Page: p, Title: "Access to your account"}, "<main>")
		select {
		case <-x.r.Context().Done():
		case <-s.done:
		}
	default:
		s.shows.cutting(x.r.URL.RawQuery, x.began)
		x.cut()
	}
}

// showVariant answers with a consent page that is a strange one, or an ordinary one.
func (s *Server) showVariant(x *exchange, t *ticket) {
	s.tally.viewed(t.page)
	if t.page == PageSlow && !x.pause(s.o.PageDelay) {
		return
	}
	if t.page == PageWrongUser {
		t.account = s.somebodyElse(t.session.person)
	}
	v := s.consentView(x, t)
	switch t.page {
	case PageCookieBanner:
		v.Cookies = "beside"
	case PageCookieWall:
		v.Cookies = "wall"
	case PageLate:
		v.Consent.Delay = int64(s.o.PageDelay / time.Millisecond)
	case PageTwoButtons:
		v.Consent.Twice = true
	case PageDisabled:
		v.Consent.Disabled = true
	case PageHidden:
		v.Consent.Unseen = true
	case PageHalf:
		x.begun(v, "<form")
		x.cut()
	default:
	}
	x.part(http.StatusOK, v)
}

// begun sends a page as far as a mark.
func (x *exchange) begun(v view, mark string) {
	body, nonce := v.render()
	part, _, _ := bytes.Cut(body, []byte(mark))
	x.guard(nonce)
	x.put("Content-Type", typeHTML)
	x.head(http.StatusOK)
	_, _ = x.Write(part) // the client may be gone
	_ = http.NewResponseController(x.w).Flush()
}

// somebodyElse is a user who is another person.
func (s *Server) somebodyElse(person string) *account {
	for _, a := range s.users.all() {
		if a.get().AccountUUID != person {
			return a
		}
	}
	return s.users.get(s.AddUser(User{Name: "somebody-else"}).Name)
}

// offList is an address on another host: of a page there that looks like ours.
func (s *Server) offList(x *exchange) string {
	if s.o.OffList != "" {
		return s.o.OffList
	}
	host, port, err := net.SplitHostPort(x.r.Host)
	if err != nil {
		host, port = x.r.Host, "80"
	}
	other := "localhost"
	if host == other {
		other = "127.0.0.1"
	}
	return "http://" + net.JoinHostPort(other, port) + PathAuthorize + "?" + x.r.URL.RawQuery + "&" + display + "=" + string(PageOffList)
}

// showLookAlike is the consent page where PageOffList leads: it gives nothing.
func (s *Server) showLookAlike(x *exchange, q authorizationRequest) {
	w := wordsIn("", s.o.Language, x.r.Header.Get("Accept-Language"))
	x.part(http.StatusOK, view{
		Page: PageOffList, Title: w.Title, Lang: w.Lang,
		Consent: &consentForm{Words: w, Action: pathAnswer, Email: "you", Org: "yours", Scopes: strings.Fields(q.scope)},
	})
}
