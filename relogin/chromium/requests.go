package chromium

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/go-rod/rod/lib/proto"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

// The pages that are ours. Nothing of a request is in them.
const (
	donePage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Signed in</title>` +
		`<p>Signed in. You can close this window.</p></html>`
	blockedPage = `<!doctype html><html lang="en"><meta charset="utf-8"><title>Not opened</title>` +
		`<p>This window is for signing in only, and that address is not part of it. Go back to sign in.</p></html>`
)

// decide decides on a page, or a part of one, before it is asked for.
func (g *guard) decide(e *proto.FetchRequestPaused) {
	u, err := url.Parse(e.Request.URL)
	if err != nil {
		g.abort(e)
		return
	}
	switch {
	case g.places.ends(u) && !g.request.answers(u) && !g.ours(u):
		g.abort(e) // the visit goes on: it answers somebody else's request, or nobody's
	case g.places.ends(u):
		g.caught(e, u)
	case g.places.allows(u):
		g.asks(string(e.FrameID), string(e.NetworkID), e.Request.URL)
		_ = proto.FetchContinueRequest{RequestID: e.RequestID}.Call(g.browser)
	case !g.page(string(e.FrameID)):
		// What a page is made of is for it to say.
		g.asks(string(e.FrameID), string(e.NetworkID), e.Request.URL)
		_ = proto.FetchContinueRequest{RequestID: e.RequestID}.Call(g.browser)
	case g.v.Visible && own(u):
		_ = proto.FetchContinueRequest{RequestID: e.RequestID}.Call(g.browser)
	case g.v.Visible:
		g.v.Progress("the window wanted to go to " + place(u) + ", which is not part of the sign-in")
		g.fulfil(e, http.StatusForbidden, blockedPage)
	default:
		g.abort(e)
		g.stop(&relogin.PageError{Kind: accounts.PageUnknown, Words: g.whereFrom(e) + " wants to go to " + place(u)})
	}
}

// caught has the redirect. It is answered by nobody, so that the code gets
// neither into the network nor into the profile's history; a person then sees a
// page of ours at the same address without the code.
func (g *guard) caught(e *proto.FetchRequestPaused, u *url.URL) {
	if !g.page(string(e.FrameID)) { // nobody signs in in a part of a page
		_ = proto.FetchFailRequest{RequestID: e.RequestID, ErrorReason: proto.NetworkErrorReasonBlockedByClient}.Call(g.browser)
		return
	}
	if g.ours(u) {
		g.fulfil(e, http.StatusOK, donePage)
		return
	}
	g.mu.Lock()
	g.done = true
	g.mu.Unlock()
	g.abort(e)
	g.finish(outcome{address: accounts.Secret(e.Request.URL + e.Request.URLFragment)})
}

// ours reports whether the page at u is our own, which takes the redirect's place.
func (g *guard) ours(u *url.URL) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	return g.done && u.RawQuery == ""
}

// abort leaves the page as it is.
func (g *guard) abort(e *proto.FetchRequestPaused) {
	_ = proto.FetchFailRequest{RequestID: e.RequestID, ErrorReason: proto.NetworkErrorReasonAborted}.Call(g.browser)
}

func (g *guard) fulfil(e *proto.FetchRequestPaused, status int, page string) {
	_ = proto.FetchFulfillRequest{
		RequestID: e.RequestID, ResponseCode: status, Body: []byte(page),
		ResponseHeaders: []*proto.FetchHeaderEntry{
			{Name: "Content-Type", Value: "text/html; charset=utf-8"},
			{Name: "Content-Security-Policy", Value: "default-src 'none'; frame-ancestors 'none'"},
			{Name: "Cache-Control", Value: "no-store"},
			{Name: "Referrer-Policy", Value: "no-referrer"},
			{Name: "X-Content-Type-Options", Value: "nosniff"},
		},
	}.Call(g.browser)
}

// whereFrom names the page that asks for another one.
func (g *guard) whereFrom(e *proto.FetchRequestPaused) string {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pages {
		u, err := url.Parse(p.url)
		if string(p.id) == string(e.FrameID) && err == nil && u.Host != "" {
			return place(u)
		}
	}
	return "the sign-in"
}

// own reports whether a page is the browser's own: a new tab, the settings.
func own(u *url.URL) bool {
	switch u.Scheme {
	case "chrome", "chrome-untrusted", "edge", "brave", "vivaldi", "devtools", "about":
		return true
	}
	return false
}

// authenticate tells the proxy who we are, once for each request; to whoever else
// asks the browser answers itself.
func (g *guard) authenticate(e *proto.FetchAuthRequired) {
	answer := proto.FetchAuthChallengeResponse{Response: proto.FetchAuthChallengeResponseResponseDefault}
	if e.AuthChallenge.Source == proto.FetchAuthChallengeSourceProxy {
		answer.Response = proto.FetchAuthChallengeResponseResponseCancelAuth
		g.mu.Lock()
		if id := string(e.RequestID); !g.asked[id] {
			g.asked[id] = true
			password, _ := g.proxy.Password()
			answer = proto.FetchAuthChallengeResponse{
				Response: proto.FetchAuthChallengeResponseResponseProvideCredentials,
				Username: g.proxy.Username(), Password: password,
			}
		}
		g.mu.Unlock()
	}
	_ = proto.FetchContinueWithAuth{RequestID: e.RequestID, AuthChallengeResponse: &answer}.Call(g.browser)
}

// proxyUser is who we are to a proxy, or nil.
func proxyUser(proxy string) *url.Userinfo {
	if !strings.Contains(proxy, "@") {
		return nil
	}
	if u, err := url.Parse(proxy); err == nil {
		return u.User
	}
	return nil
}
