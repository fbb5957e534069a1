package simulator

import (
	"net/http"
	"slices"
	"strings"
)

// place is where a request went.
type place int

const (
	placeOther place = iota
	placeAuthorize
	placeAuthorizeCAI
	placeToken
	placeRevoke
	placeProfile
	placeUsage
	placeMessages
	placeCountTokens
	placeModels
	placeLogin // the first that is there with Options.Pages only
	placeGrant
	placeAnswer
	placeClick
	placeFrame
	placeTerms
	placeSite
	placeCallback
	placeIcon
	pathCount
)

// The places that are pages, besides those of the authorization request. The
// answer to a consent page goes to a place in its organization (PROTOCOL 8.1).
const (
	PathLogin    = "/login"
	PathSite     = "/new"
	PathCallback = "/oauth/code/callback"

	pathGrant  = "/v1/oauth/{organization}/authorize"
	pathAnswer = "/simulator/answer" // of every other form
	pathClick  = "/simulator/click"
	pathFrame  = "/simulator/frame"
	pathTerms  = "/legal/terms"
	pathIcon   = "/favicon.ico"
)

var placeNames = [pathCount]string{
	"other", PathAuthorize, PathAuthorizeCAI, PathToken, PathRevoke,
	PathProfile, PathUsage, PathMessages, PathCountTokens, PathModels,
	PathLogin, pathGrant, pathAnswer, pathClick, pathFrame, pathTerms, PathSite, PathCallback, pathIcon,
}

func (p place) String() string { return placeNames[p] }

// placeOf says where a path leads; pages says whether the pages are there.
func placeOf(path string, pages bool) place {
	end := pathCount
	if !pages {
		end = placeLogin
	}
	for p := placeAuthorize; p < end; p++ {
		if placeNames[p] == path {
			return p
		}
	}
	if pages && organizationOf(path) != "" {
		return placeGrant
	}
	return placeOther
}

// organizationOf is the organization in a path like pathGrant; "": it is not one.
func organizationOf(path string) string {
	before, after, _ := strings.Cut(pathGrant, "{organization}")
	org, ok := strings.CutPrefix(path, before)
	if !ok {
		return ""
	}
	org, ok = strings.CutSuffix(org, after)
	if !ok || strings.Contains(org, "/") {
		return ""
	}
	return org
}

var (
	onlyGet   = []string{http.MethodGet}
	onlyPost  = []string{http.MethodPost}
	getOrPost = []string{http.MethodGet, http.MethodPost}
)

// methods are those that a place has.
func (p place) methods() []string {
	switch p {
	case placeToken, placeRevoke, placeMessages, placeCountTokens, placeGrant, placeAnswer, placeClick:
		return onlyPost
	case placeLogin:
		return getOrPost
	default:
		return onlyGet
	}
}

// isPage reports whether a browser comes to a place, if the pages are there.
func (p place) isPage() bool {
	return p == placeAuthorize || p == placeAuthorizeCAI || p >= placeLogin
}

// Handler is the whole provider as a handler, for those who have a listener.
func (s *Server) Handler() http.Handler { return http.HandlerFunc(s.serveHTTP) }

func (s *Server) serveHTTP(w http.ResponseWriter, r *http.Request) {
	s.gate.RLock()
	defer s.gate.RUnlock()
	if s.isClosed() {
		http.Error(w, "closed", http.StatusServiceUnavailable)
		return
	}
	x := s.begin(w, r)
	defer x.end()
	x.inspect()
	if !x.hostIsRight() {
		s.tally.violate(WrongHost)
		x.fail(http.StatusMisdirectedRequest, "invalid_request_error", "Misdirected request")
		return
	}
	if methods := x.place.methods(); x.place != placeOther && !slices.Contains(methods, r.Method) {
		s.tally.violate(BadRequest)
		x.header().Set("Allow", strings.Join(methods, ", "))
		x.fail(http.StatusMethodNotAllowed, "invalid_request_error", "Method Not Allowed")
		return
	}
	s.serve(x)
	if !x.whole {
		x.cut() // half an answer must never look like a whole one
	}
}

func (s *Server) serve(x *exchange) {
	if s.o.Pages && x.place.isPage() {
		s.servePage(x)
		return
	}
	switch x.place {
	case placeAuthorize, placeAuthorizeCAI:
		s.serveAuthorize(x)
	case placeToken:
		s.serveToken(x)
	case placeRevoke:
		s.serveRevoke(x)
	case placeProfile, placeUsage, placeMessages, placeCountTokens, placeModels:
		s.serveAPI(x)
	default:
		if x.r.Header.Get("Authorization") != "" {
			s.tally.violate(UnknownPlace)
		}
		x.fail(http.StatusNotFound, "not_found_error", "Not found")
	}
}
