package accounts

import (
	"crypto/subtle"
	"errors"
	"net/url"
	"slices"
	"strings"
	"unicode"
)

// What can be wrong with what comes back from the browser.
var (
	errNoCode        = errors.New("there is no code in it")
	errWrongState    = errors.New("it belongs to another sign-in")
	errWrongPage     = errors.New("it is not the address of the page that shows the code")
	errWrongIssuer   = errors.New("it comes from another authorization server")
	errMixedCallback = errors.New("it says the same thing twice")
)

// refusedError is an authorization server's refusal (RFC 6749, section 4.1.2.1).
type refusedError struct{ code string }

func (e *refusedError) Error() string { return "the provider refused the sign-in: " + e.code }

const longestCode = 4096

// readCallback reads the parameters of a redirect. The state is compared first:
// without the right one nothing in them is looked at (RFC 6749, section 10.12).
// A *refusedError is the server's own answer; every other error means that these
// parameters are not for us.
func (f *flow) readCallback(q url.Values) (code string, err error) {
	for _, name := range []string{"state", "code", "error", "iss"} {
		if len(q[name]) > 1 {
			return "", errMixedCallback
		}
	}
	if !f.isState(q.Get("state")) {
		return "", errWrongState
	}
	if iss := q.Get("iss"); iss != "" && !f.isIssuer(iss) {
		return "", errWrongIssuer
	}
	if refusal := q.Get("error"); refusal != "" {
		if !errorWord.MatchString(refusal) {
			refusal = "for a reason that cannot be shown"
		}
		return "", &refusedError{refusal}
	}
	return checkCode(q.Get("code"))
}

func (f *flow) isState(state string) bool {
	return subtle.ConstantTimeCompare([]byte(state), []byte(f.state)) == 1
}

// isIssuer reports whether iss (RFC 9207) is on a host of the provider's: the
// code of another server must not be sent to this one.
func (f *flow) isIssuer(iss string) bool {
	u, err := url.Parse(iss)
	return err == nil && slices.Contains(origins([]string{f.provider.OAuth.AuthorizeURL, f.provider.OAuth.TokenURL}), origin(u))
}

func checkCode(code string) (string, error) {
	if code == "" || len(code) > longestCode || !headerSafe(code) {
		return "", errNoCode
	}
	return code, nil
}

// paste reads what a person pasted and hands the code over. It returns a channel
// that is closed when the code has been dealt with.
func (f *flow) paste(pasted Secret) (settled <-chan struct{}, err error) {
	code, err := f.readPaste(pasted)
	if err != nil {
		return nil, err
	}
	if settled = f.take(arrival{code: code, pasted: true}); settled == nil {
		return nil, errFlowOver
	}
	return settled, nil
}

// readPaste takes code#state, the callback's address with a query or a fragment,
// and a code alone: this last is bound to the flow by PKCE only. A terminal may
// have broken it into lines (PROTOCOL 1.3). Here, where it is taken apart, and
// nowhere before, what came back is revealed.
func (f *flow) readPaste(pasted Secret) (code string, err error) {
	if len(pasted) > 4*longestCode {
		return "", errNoCode
	}
	text := strings.Map(func(r rune) rune {
		if unicode.IsSpace(r) {
			return -1
		}
		return r
	}, pasted.Reveal())
	if strings.Contains(text, "://") {
		return f.readAddress(text)
	}
	code, state, both := strings.Cut(text, "#")
	if both && !f.isState(state) {
		return "", errWrongState
	}
	return checkCode(code)
}

func (f *flow) readAddress(text string) (code string, err error) {
	u, err := url.Parse(text)
	if err != nil || u.User != nil {
		return "", errWrongPage
	}
	page := *u
	page.RawQuery, page.Fragment, page.RawFragment, page.ForceQuery = "", "", "", false
	if !slices.Contains(append([]string{f.redirectURI}, f.provider.OAuth.Callbacks...), page.String()) {
		return "", errWrongPage
	}
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return "", errNoCode
	}
	fragment, err := url.ParseQuery(u.EscapedFragment())
	if err != nil {
		return "", errNoCode
	}
	if len(query) == 0 {
		return f.readCallback(fragment)
	}
	return f.readCallback(query)
}
