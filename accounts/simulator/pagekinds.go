package simulator

import (
	"slices"
	"sync"
	"time"
)

// Page is a kind of page that a browser is shown (Options.Pages).
type Page string

// The pages of an ordinary sign-in.
const (
	PageSignIn       Page = "sign-in"      // asks for the e-mail address
	PagePassword     Page = "password"     // asks for the password
	PageCode         Page = "code"         // asks for the one-time code
	PageOrganization Page = "organization" // asks which of the person's organisations it is for
	PageConsent      Page = "consent"      // asks whether to grant access
	PageElsewhere    Page = "elsewhere"    // the site itself, at /new: the request is forgotten
	PageCallback     Page = "callback"     // the hosted page that shows the code
	PageBadRequest   Page = "invalid"      // the request itself was refused
)

// Pages that come in place of the consent page, or are a strange one: see
// ShowPage. PageOrganization and PageElsewhere can be shown as well.
const (
	PageChallenge    Page = "challenge"     // "Verify you are human", in a frame
	PageInvite       Page = "invite"        // a team's invitation to accept
	PageUnknownScope Page = "unknown-scope" // 400, "Unknown scope"
	PagePlan         Page = "plan"          // "Max or Pro account required"
	PageServerError  Page = "server-error"  // 500, "Internal server error"
	PageUnknown      Page = "unknown"       // elsewhere, new terms with a button "Allow"
	PageTerms        Page = "terms"         // in the place of the consent page, new terms with a button "I agree"
	PageHeadless     Page = "headless"      // refuses a browser that says it is headless; others get through, and do not use it up
	PageCookieBanner Page = "cookie-banner" // consent, with a banner beside it
	PageCookieWall   Page = "cookie-wall"   // consent, with a banner that covers all of it
	PageSlow         Page = "slow"          // consent, after Options.PageDelay
	PageLate         Page = "late"          // consent, whose buttons come Options.PageDelay after the page
	PageEndless      Page = "endless"       // begins, and never ends
	PageCut          Page = "cut"           // the connection is cut without an answer, also when the same request comes again within a second
	PageHalf         Page = "half"          // the connection is cut in the middle of the consent page
	PagePopUp        Page = "pop-up"        // consent in a window of its own, which counts as this page, too
	PageDownload     Page = "download"      // a file
	PageOffList      Page = "off-list"      // a redirect to another host: see Options.OffList
	PageTwoButtons   Page = "two-buttons"   // consent, with two buttons that grant
	PageDisabled     Page = "disabled"      // consent, whose button that grants is disabled
	PageHidden       Page = "hidden"        // consent, whose button that grants cannot be seen
	PageWrongUser    Page = "wrong-user"    // consent, as somebody else: the browser remembers another person
)

// shown is one wish of ShowPage.
type shown struct {
	user  string
	page  Page
	times int
}

// shows is the list of pages that are still to be shown.
type shows struct {
	mu    sync.Mutex // guards what follows
	list  []shown
	cut   string // the query of the latest request that PageCut was for
	cutAt time.Time
}

// insistence is how long a browser may go on asking for what was cut. It does so
// by itself, at once, and would get past PageCut before anybody saw it.
const insistence = time.Second

// ShowPage lets the next times (0: one, negative: all) authorization requests of
// a signed-in user ("": of everybody) show a page in place of the consent page. A
// page that is about nobody, as an error is, then comes to whoever is not signed
// in, too. Of several that are due the oldest is taken.
func (s *Server) ShowPage(user string, p Page, times int) {
	s.shows.mu.Lock()
	defer s.shows.mu.Unlock()
	s.shows.list = append(s.shows.list, shown{user, p, orElse(times, 1)})
}

// ClearPages takes back every page that has not been shown yet.
func (s *Server) ClearPages() {
	s.shows.mu.Lock()
	defer s.shows.mu.Unlock()
	s.shows.list = nil
}

// aboutNobody reports whether a page can be shown to whoever it is.
func (p Page) aboutNobody() bool {
	switch p {
	case PageChallenge, PageUnknownScope, PagePlan, PageServerError, PageHeadless,
		PageEndless, PageCut, PageDownload, PageOffList, PageElsewhere, PageBadRequest:
		return true
	default:
		return false
	}
}

// take returns the page that is due for a user ("": nobody is signed in), and
// uses it up; "": none. headless says whether the browser calls itself so.
func (l *shows) take(user string, headless bool) Page {
	l.mu.Lock()
	defer l.mu.Unlock()
	for i := range l.list {
		w := &l.list[i]
		switch {
		case w.user != "" && w.user != user,
			user == "" && !w.page.aboutNobody(),
			w.page == PageHeadless && !headless:
			continue
		}
		p := w.page
		if w.times > 0 {
			w.times--
		}
		if w.times == 0 {
			l.list = slices.Delete(l.list, i, i+1)
		}
		return p
	}
	return ""
}

// cutting notes that a request is cut.
func (l *shows) cutting(query string, now time.Time) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.cut, l.cutAt = query, now
}

// cutAgain reports whether a request is the one that has just been cut.
func (l *shows) cutAgain(query string, now time.Time) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.cut != "" && l.cut == query && now.Before(l.cutAt.Add(insistence))
}
