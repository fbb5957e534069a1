package accounts

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/usage"
)

// Claude's subscription login and the Messages API behind it. Everything that
// is particular to it is in this file; the facts are those of PROTOCOL 0 to 3.

const (
	anthropicBeta    = "oauth-2025-04-20" // lets a bearer token pass (PROTOCOL 3.6)
	anthropicUnified = "anthropic-ratelimit-unified-"

	anthropicTerms = `Anthropic's published terms say that signing in with a Claude Free, Pro, Max, Team or Enterprise account is meant for Claude Code and Anthropic's other own apps. They do not let other programs offer this sign-in, send requests through such accounts on behalf of their users, or collect, store or pass on these logins, and Anthropic may act on that without notice.

oauthmux is neither made nor approved by Anthropic. It signs in with the public client id of Anthropic's native client, because there is no other for these accounts, sends on what your client sent unchanged but for the credential, and keeps the logins sealed on this machine. Whether your use is allowed is between you and Anthropic. Add your own accounts only, never anybody else's.`
)

func init() { register("anthropic", anthropic) }

func anthropic() *Provider {
	p := &Provider{
		ID:       "anthropic",
		Name:     "Anthropic",
		Terms:    anthropicTerms, // PROTOCOL 0.1
		Upstream: "https://api.anthropic.com",
		Paths: []Path{ // PROTOCOL 3.8
			{Method: http.MethodPost, Path: "/v1/messages"},
			{Method: http.MethodPost, Path: "/v1/messages/count_tokens"},
			{Method: http.MethodGet, Path: "/v1/models"},
		},
		OAuth: OAuth{ //nolint:gosec // addresses and a public client id: nothing secret
			ClientID:     "9d1c250a-e61b-44d9-88ed-5944d1962f5e",       // PROTOCOL 1.1
			AuthorizeURL: "https://claude.ai/oauth/authorize",          // PROTOCOL 1.1
			TokenURL:     "https://platform.claude.com/v1/oauth/token", // PROTOCOL 1.4
			Encoding:     EncodingJSON,                                 // PROTOCOL 1.5
			Scopes: []string{ // what a client's requests need, and no minting of API keys (PROTOCOL 1.2.1)
				"user:profile", "user:inference", "user:sessions:claude_code", "user:mcp_servers", "user:file_upload",
			},
			RedirectURL: "https://platform.claude.com/oauth/code/callback", // PROTOCOL 1.3
			Callbacks: []string{
				"https://platform.claude.com/oauth/code/callback",
				"https://console.anthropic.com/oauth/code/callback",
			},
			LoopbackHost:    "localhost", // the word: the address is refused (PROTOCOL 1.3)
			LoopbackPath:    "/callback",
			PageHosts:       []string{"claude.ai", "claude.com", "platform.claude.com"}, // PROTOCOL 1.1, 8.1
			AuthorizeParams: map[string]string{"code": "true"},                          // PROTOCOL 1.2
			StateInExchange: true,                                                       // PROTOCOL 1.5
		},
		Login:         anthropicPages(),
		IdentityHosts: anthropicIdentityHosts(),
		LoginsURL:     "https://claude.ai/settings/claude-code",                               // PROTOCOL 1.9
		Env:           EnvNames{BaseURL: "ANTHROPIC_BASE_URL", Token: "ANTHROPIC_AUTH_TOKEN"}, //nolint:gosec // names of variables (PROTOCOL 3.9)
		PingModel:     "claude-haiku-4-5",                                                     // the smallest one
		ErrorBody:     anthropicError,
		SessionKey:    anthropicSession,
		Judge:         anthropicJudge,
		LoginRequired: invalidGrant, // PROTOCOL 1.8
		Windows:       anthropicWindows,
		Identity:      anthropicTokenIdentity,
	}
	p.Scope = func(body io.Reader) string { return anthropicFamily(topLevelString(body, "model")) }
	p.Authorize = func(r *http.Request, _ Account, t Token) {
		if bearer(r, p.Upstream, t) {
			anthropicAddBeta(r.Header)
		}
	}
	p.Usage = func(ctx context.Context, c Doer, a Account, t Token, now time.Time) (usage.Snapshot, error) {
		return anthropicUsage(ctx, c, p, a, t, now)
	}
	p.Profile = func(ctx context.Context, c Doer, t Token) (Identity, error) {
		return anthropicProfile(ctx, c, p, t)
	}
	p.Revoke = func(ctx context.Context, c Doer, t Token) error {
		address, err := anthropicRevokeURL(p.OAuth)
		if err != nil {
			return err
		}
		return revoke(ctx, c, address, p.OAuth.Encoding, t, map[string]string{"client_id": p.OAuth.ClientID})
	}
	p.Ping = func(ctx context.Context, model string) (*http.Request, error) {
		return anthropicPing(ctx, p.Upstream, cmp.Or(model, p.PingModel))
	}
	return p
}

// anthropicIdentityHosts are where a person goes by "Continue with Google" and its
// like (PROTOCOL 8.2), and where those go on their own way back. That way is not
// documented: these hosts are what other programs that show such a sign-in had to
// let pass. Google's may also pass through accounts.google.<country>, which
// login_hosts can name.
func anthropicIdentityHosts() []string {
	return []string{
		"accounts.google.com",
		"accounts.youtube.com", // /accounts/SetSID: Google sets its cookies there too
		"appleid.apple.com",
		"login.microsoftonline.com", // work and school accounts
		"login.live.com",            // where it sends a personal account
	}
}

// anthropicPages are the pages of a sign-in (PROTOCOL 8.2). Their text is in the
// reader's language, and their structure is not documented: what is not certainly
// the consent page stops.
func anthropicPages() []PageRecipe {
	return []PageRecipe{
		{Kind: PageChallenge, Title: humanTitle, Words: "wants to see that a human is there"},
		{Kind: PageChallenge, Frame: humanFrames, Words: "wants to see that a human is there"},
		{Kind: PageChallenge, Text: humanWords, Words: "wants to see that a human is there"},
		{Kind: PageFailure, Text: windowWords, Words: "takes no browser without a window"},
		{Kind: PageFailure, Text: `(?i)invalid oauth request|unknown scope|(missing|invalid) redirect_uri|not supported by client`, Words: "refuses the request for access"},
		{Kind: PageFailure, Text: `(?i)(max|pro) account required`, Words: "says that the account's plan does not allow it"},
		{Kind: PageFailure, Text: `(?i)internal server error|something went wrong`, Words: "has trouble of its own"},
		{Kind: PageSignIn, Path: `^/login(/|$)`, Words: "asks to sign in"},
		{Kind: PageSignIn, Selector: signInFields, Words: "asks to sign in"},
		{Kind: PageSignIn, Selector: `input[placeholder="Enter verification code"]`, Words: "asks for a verification code"},
		{Kind: PageChoice, Selector: choiceFields, Words: "asks which organisation it is for"},
		{Kind: PageChoice, Text: `(?i)accept invite|(choose|select) (an|your) (organi[sz]ation|workspace|account)`, Words: "asks which organisation it is for"},
		{Kind: PageElsewhere, Path: `^/(new|chats?|recents|projects|settings|onboarding)?(/|$)`, Words: "shows the site itself in place of the question for access"},
		{Kind: PageConsent, Path: `^/(cai/)?oauth/authorize$`, Press: `button, input[type="submit"], [role="button"]`, Grant: grantWords, Words: "asks whether to grant access"},
	}
}

// anthropicAddBeta adds the OAuth beta to the client's list, which otherwise
// stays as it came (PROTOCOL 3.6): the list may be spread over several fields.
func anthropicAddBeta(h http.Header) {
	const field = "Anthropic-Beta"
	lists := h.Values(field)
	for _, list := range lists {
		for beta := range strings.SplitSeq(list, ",") {
			if strings.TrimSpace(beta) == anthropicBeta {
				return
			}
		}
	}
	if n := len(lists); n > 0 && strings.TrimSpace(lists[n-1]) != "" {
		// A copy: the client's own header may share the slice with this one.
		lists = slices.Clone(lists)
		lists[n-1] += "," + anthropicBeta
		h[field] = lists
		return
	}
	h.Add(field, anthropicBeta)
}

// anthropicSession is the client's own name for a conversation (PROTOCOL 3.8).
func anthropicSession(h http.Header) string {
	if id := h.Get("X-Claude-Code-Session-Id"); len(id) <= 128 && printable.MatchString(id) {
		return id
	}
	return ""
}

// anthropicFamily returns the family in a model's id or display name: the first
// word that is neither the maker nor the brand. "claude-3-5-sonnet-20241022",
// "claude-sonnet-4-5" and "Claude Sonnet" are all "sonnet".
func anthropicFamily(model string) string {
	for word := range strings.FieldsFuncSeq(strings.ToLower(model), func(r rune) bool { return r < 'a' || r > 'z' }) {
		if len(word) > 1 && len(word) <= 32 && word != "claude" && word != "anthropic" {
			return word
		}
	}
	return ""
}

// anthropicFamilies are the families that a claim is known to be able to name.
var anthropicFamilies = []string{"opus", "sonnet", "haiku", "fable"}

// anthropicSpans are the windows by length: as the headers write them, which is
// our own name too, as bodies and settings do, and for people.
var anthropicSpans = []struct {
	name, spelt, words string
	length             time.Duration
}{
	{usage.FiveHour, "five_hour", "5-hour", 5 * time.Hour},
	{usage.SevenDay, "seven_day", "7-day", 7 * 24 * time.Hour},
}

// anthropicWindow reads the name of a claim in either spelling, "7d_sonnet" or
// "seven_day_sonnet". What follows the length is the scope, as it stands: a
// family where the vendor names one, else a code name ("7d_oi"), which still
// keeps that window apart from the account's own.
func anthropicWindow(claim string) (w usage.Window, ok bool) {
	for _, span := range anthropicSpans {
		rest, found := strings.CutPrefix(claim, span.name)
		if !found {
			rest, found = strings.CutPrefix(claim, span.spelt)
		}
		if !found {
			continue
		}
		w = usage.Window{Name: span.name, Length: span.length}
		if rest == "" {
			return w, true
		}
		w.Scope, found = strings.CutPrefix(rest, "_")
		return w, found && scopeWord.MatchString(w.Scope)
	}
	return usage.Window{}, false
}

// anthropicClaim is one window as an answer's head tells of it.
type anthropicClaim struct {
	usage.Window        // Used below zero: not told
	status       string // "allowed", "allowed_warning", "rejected", ...; "": not told
}

// words names the claim for people; "": the answer named none. A code name says
// nothing to them: which family it is, the cooldown tells.
func (c anthropicClaim) words() string {
	scope := c.Scope
	if scope != "" && !slices.Contains(anthropicFamilies, scope) {
		scope = "model"
	}
	for _, span := range anthropicSpans {
		if c.Name == span.name {
			return strings.TrimSpace(span.words + " " + scope)
		}
	}
	return ""
}

// anthropicRejected knows the hard words of today and of before (PROTOCOL 3.1).
func anthropicRejected(status string) bool {
	return slices.Contains([]string{"rejected", "rate_limited", "blocked", "queueing_hard", "payment_required"}, status)
}

// anthropicClaims reads every <claim>-{utilization,reset,status} there is
// (PROTOCOL 3.1), the account's own first.
func anthropicClaims(h http.Header, now time.Time) []anthropicClaim {
	var claims []anthropicClaim
	for name, values := range h {
		if len(values) == 0 || len(name) <= len(anthropicUnified) || !strings.EqualFold(name[:len(anthropicUnified)], anthropicUnified) {
			continue
		}
		rest, value := strings.ToLower(name[len(anthropicUnified):]), strings.TrimSpace(values[0])
		cut := strings.LastIndexByte(rest, '-')
		if cut < 0 {
			continue
		}
		w, ok := anthropicWindow(rest[:cut])
		if !ok {
			continue
		}
		i := slices.IndexFunc(claims, func(c anthropicClaim) bool { return c.Name == w.Name && c.Scope == w.Scope })
		if i < 0 {
			if len(claims) == maxWindows {
				continue
			}
			w.Used = -1
			claims = append(claims, anthropicClaim{Window: w})
			i = len(claims) - 1
		}
		switch rest[cut+1:] {
		case "utilization": // a share: 1 is exhausted
			if used, ok := parseShare(value); ok {
				claims[i].Used = used
			}
		case "reset":
			claims[i].ResetsAt = parseEpoch(value, now, w.Length)
		case "status":
			claims[i].status = strings.ToLower(value)
		}
	}
	slices.SortFunc(claims, func(a, b anthropicClaim) int {
		return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Name, b.Name))
	})
	return claims
}

func anthropicWindows(h http.Header, now time.Time) []usage.Window {
	var windows []usage.Window
	for _, c := range anthropicClaims(h, now) {
		if c.Used < 0 && anthropicRejected(c.status) {
			c.Used = 1 // no number, but no doubt either
		}
		if c.Used < 0 {
			continue
		}
		if c.Scope != "" && !slices.Contains(anthropicFamilies, c.Scope) {
			// A code name says nothing to a person, and usage tells of the same window
			// by its family. Of several the fullest is what limits the request.
			c.Scope = ScopeRequest
			same := func(w usage.Window) bool { return w.Name == c.Name && w.Scope == ScopeRequest }
			if i := slices.IndexFunc(windows, same); i >= 0 {
				if windows[i].Used < c.Used {
					windows[i] = c.Window
				}
				continue
			}
		}
		windows = append(windows, c.Window)
	}
	return windows
}

// anthropicJudge is PROTOCOL 3.3 to 3.5 on the table of DESIGN 3.
func anthropicJudge(resp *http.Response, peek []byte, now time.Time) Verdict {
	if resp.StatusCode < http.StatusBadRequest {
		return Verdict{}
	}
	if resp.StatusCode == http.StatusTooManyRequests {
		return anthropicJudgeLimit(resp.Header, peek, now)
	}
	said := anthropicReadError(peek)
	var v Verdict
	switch {
	case resp.StatusCode == http.StatusUnauthorized:
		v.Kind = Unauthorized
	case resp.StatusCode == http.StatusForbidden:
		v.Kind = Forbidden
	case resp.StatusCode == http.StatusBadRequest && strings.HasPrefix(said.Message, "This organization has been disabled"):
		v.Kind = Forbidden // PROTOCOL 3.5: as good as a 403
	case resp.StatusCode == 529, resp.StatusCode >= 500 && said.Type == "overloaded_error":
		v.Kind = Overloaded
	}
	v.Evidence = strings.TrimSpace(fmt.Sprintf("%d %s", resp.StatusCode, said.words(v.Kind)))
	return v
}

// anthropicJudgeLimit tells a 429's kinds apart (PROTOCOL 3.3). Only what the
// head says of a window is evidence of a quota.
func anthropicJudgeLimit(h http.Header, peek []byte, now time.Time) Verdict {
	field := func(name string) string { return strings.ToLower(strings.TrimSpace(h.Get(anthropicUnified + name))) }
	var rejected []anthropicClaim
	told := false // of any window's status
	for _, c := range anthropicClaims(h, now) {
		told = told || c.status != ""
		if anthropicRejected(c.status) {
			rejected = append(rejected, c)
		}
	}
	overall, message := anthropicRejected(field("status")), strings.ToLower(anthropicReadError(peek).Message)
	switch {
	case len(rejected) > 0:
		return anthropicLimited(h, rejected, now)
	case field("overage-disabled-reason") == "out_of_credits" && (told || !overall),
		field("representative-claim") == "overage",
		strings.Contains(message, "extra usage"), strings.Contains(message, "usage credits"):
		return Verdict{Evidence: "extra usage needed (429)"} // for the person to decide: no other account helps
	case overall:
		// The windows say nothing, or not all of them are named (PROTOCOL 3.1):
		// then the claim that speaks for the answer is the rejected one.
		w, _ := anthropicWindow(field("representative-claim"))
		return anthropicLimited(h, []anthropicClaim{{Window: w}}, now)
	}
	v := Verdict{Kind: Throttled, Evidence: "throttled, no limit reached (429)"}
	if wait, ok := RetryAfter(h, now, minWait, maxThrottleWait); ok {
		v.Until = now.Add(wait)
	}
	return v
}

// anthropicLimited is the verdict on rejected windows, those of the account's
// own first. If one of these is among them the account is out; how long a
// family is out besides is found when the account is back.
func anthropicLimited(h http.Header, rejected []anthropicClaim, now time.Time) Verdict {
	v := Verdict{Kind: Limited}
	if rejected[0].Scope == "" {
		rejected = slices.DeleteFunc(rejected, func(c anthropicClaim) bool { return c.Scope != "" })
	} else if v.Scope = rejected[0].Scope; len(rejected) > 1 || !slices.Contains(anthropicFamilies, v.Scope) {
		v.Scope = ScopeRequest // a code name, or several: the request's own family it is in any case
	}
	var names []string
	for _, c := range rejected {
		names = append(names, c.words())
		if c.ResetsAt.After(v.Until) {
			v.Until = c.ResetsAt
		}
	}
	if v.Until.IsZero() {
		v.Until = parseEpoch(h.Get(anthropicUnified+"reset"), now, 0)
	}
	if v.Until.IsZero() {
		if wait, ok := RetryAfter(h, now, minWait, maxQuotaWait); ok {
			v.Until = now.Add(wait)
		}
	}
	limit := "limit"
	if len(names) > 1 {
		limit = "limits"
	}
	v.Evidence = strings.TrimSpace(fmt.Sprintf("%s %s reached (429)", strings.Join(names, " and "), limit))
	return v
}

// anthropicReasons turns what is said of a credential (PROTOCOL 3.4, 3.5) into
// our words: a message from outside is neither shown nor stored.
var anthropicReasons = []struct{ says, words string }{
	{"oauth token has expired", "token expired"},
	{"has been revoked", "token revoked"},
	{"token revoked", "token revoked"},
	{"invalid bearer token", "token unknown"},
	{"invalid authentication credentials", "account refused"},
	{"oauth authentication is currently not supported", "OAuth beta missing"},
	{"not allowed for this organization", "organisation forbids subscription logins"},
	{"invalid x-api-key", "API key refused"},
	{"does not meet scope requirement", "scope missing"},
	{"organization has been disabled", "organisation disabled"},
	{"request not allowed", "refused at the edge"},
}

// words says what is known of an error, and says it of a credential only when
// that was refused: else the message may be about anything.
func (e anthropicFault) words(kind VerdictKind) string {
	if kind == Unauthorized || kind == Forbidden {
		message := strings.ToLower(e.Message)
		for _, reason := range anthropicReasons {
			if strings.Contains(message, reason.says) {
				return reason.words
			}
		}
	}
	for _, known := range anthropicErrors {
		if e.Type == known {
			return known
		}
	}
	return ""
}

// anthropicErrors are the types of error documents (PROTOCOL 3.2).
var anthropicErrors = map[int]string{
	400: "invalid_request_error", 401: "authentication_error", 402: "billing_error", 403: "permission_error",
	404: "not_found_error", 409: "conflict_error", 413: "request_too_large", 429: "rate_limit_error",
	500: "api_error", 504: "timeout_error", 529: "overloaded_error",
}

// anthropicFault is the error in a document.
type anthropicFault struct {
	Type    string `json:"type"`
	Message string `json:"message"`
}

type anthropicDocument struct {
	Type  string         `json:"type"`
	Error anthropicFault `json:"error"`
}

// anthropicReadError returns nothing where there is no such document: an answer
// of the edge, or one whose beginning is not all of it.
func anthropicReadError(peek []byte) anthropicFault {
	var d anthropicDocument
	_ = decodeObject(peek, &d)
	return d.Error
}

func anthropicError(status int, message string) []byte {
	d := anthropicDocument{Type: "error", Error: anthropicFault{Type: anthropicErrors[status], Message: message}}
	switch {
	case d.Error.Type != "":
	case status >= http.StatusInternalServerError:
		d.Error.Type = anthropicErrors[http.StatusInternalServerError]
	default:
		d.Error.Type = anthropicErrors[http.StatusBadRequest]
	}
	body, err := json.Marshal(d)
	if err != nil {
		return nil // strings always encode
	}
	return body
}

// anthropicUsage asks for the windows (PROTOCOL 2.1). The endpoint has a small
// budget of its own, so its refusal is a *UsageError for the poller to obey.
func anthropicUsage(ctx context.Context, c Doer, p *Provider, account Account, t Token, now time.Time) (usage.Snapshot, error) {
	a, err := askUpstream(ctx, c, p, "/api/oauth/usage", account, t)
	if err != nil {
		return usage.Snapshot{}, fmt.Errorf("ask for the usage: %w", err)
	}
	if a.status != http.StatusOK {
		wait, _ := RetryAfter(a.header, now, minWait, maxThrottleWait)
		return usage.Snapshot{}, &UsageError{StatusCode: a.status, RetryAfter: wait}
	}
	windows, err := anthropicReadUsage(a.body, now)
	if err != nil {
		return usage.Snapshot{}, fmt.Errorf("read the usage: %w", err)
	}
	return usage.Snapshot{At: now, Source: usage.SourcePoll, Windows: windows}, nil
}

// anthropicReadUsage reads both shapes of PROTOCOL 2.2 and their mixture: a
// flat window counts before an entry of limits[] that means the same. What is
// null, unknown or out of any sensible range is passed over.
func anthropicReadUsage(body []byte, now time.Time) ([]usage.Window, error) {
	var document map[string]json.RawMessage
	if err := decodeObject(body, &document); err != nil {
		return nil, err
	}
	var windows []usage.Window
	find := func(w usage.Window) int {
		return slices.IndexFunc(windows, func(have usage.Window) bool { return have.Name == w.Name && have.Scope == w.Scope })
	}
	for _, key := range slices.Sorted(maps.Keys(document)) {
		var flat struct {
			Utilization percent `json:"utilization"`
			ResetsAt    string  `json:"resets_at"`
		}
		w, ok := anthropicWindow(key)
		if !ok || decodeObject(document[key], &flat) != nil || !flat.Utilization.known || find(w) >= 0 || len(windows) == maxWindows {
			continue
		}
		w.Used, w.ResetsAt = flat.Utilization.share, parseReset(flat.ResetsAt, now, w.Length)
		windows = append(windows, w)
	}
	flats := len(windows)
	var limits []json.RawMessage
	_ = json.Unmarshal(document["limits"], &limits) // no list, or none that can be read: then the flat ones are all there is
	for _, entry := range limits {
		var limit anthropicLimit
		if decodeObject(entry, &limit) != nil || !limit.Percent.known {
			continue
		}
		w, ok := limit.window()
		if !ok {
			continue
		}
		w.Used, w.ResetsAt = limit.Percent.share, parseReset(limit.ResetsAt, now, w.Length)
		switch i := find(w); {
		case i < 0 && len(windows) < maxWindows:
			windows = append(windows, w)
		case i >= flats && w.Used > windows[i].Used:
			windows[i] = w // two models of one family: the fuller one stops it
		}
	}
	return windows, nil
}

// anthropicLimit is an entry of limits[] (PROTOCOL 2.2).
type anthropicLimit struct {
	Kind     string  `json:"kind"`
	Percent  percent `json:"percent"`
	ResetsAt string  `json:"resets_at"`
	Scope    struct {
		Model struct {
			ID          string `json:"id"`
			DisplayName string `json:"display_name"`
		} `json:"model"`
	} `json:"scope"`
}

// window says which window the entry speaks of. A weekly one that is scoped to
// something other than a model is nobody's: taken for the account's own it
// would be a lie.
func (l anthropicLimit) window() (usage.Window, bool) {
	switch l.Kind {
	case "session":
		return anthropicWindow("five_hour")
	case "weekly_all":
		return anthropicWindow("seven_day")
	case "weekly_scoped":
		w, _ := anthropicWindow("seven_day")
		w.Scope = cmp.Or(anthropicFamily(l.Scope.Model.DisplayName), anthropicFamily(l.Scope.Model.ID))
		return w, w.Scope != ""
	}
	return usage.Window{}, false
}

// anthropicWho is who a token response (PROTOCOL 1.6) or a profile (PROTOCOL
// 2.5) speaks of; the two spell the e-mail address differently.
type anthropicWho struct {
	Account struct {
		UUID         string `json:"uuid"`
		Email        string `json:"email"`
		EmailAddress string `json:"email_address"`
		HasMax       bool   `json:"has_claude_max"`
		HasPro       bool   `json:"has_claude_pro"`
	} `json:"account"`
	Organization struct {
		UUID string `json:"uuid"`
		Name string `json:"name"`
		Type string `json:"organization_type"`
		Tier string `json:"rate_limit_tier"`
	} `json:"organization"`
}

// identity keys a person in an organisation: one e-mail address may belong to
// several (PROTOCOL 2.5). Half a key is none.
func (w anthropicWho) identity() Identity {
	id := Identity{
		Email: plainText(cmp.Or(w.Account.EmailAddress, w.Account.Email)),
		Org:   plainText(w.Organization.Name),
		Plan:  w.plan(),
	}
	account, organization := identityKey(w.Account.UUID), identityKey(w.Organization.UUID)
	if account != "" && organization != "" {
		id.Key = account + "/" + organization
	}
	return id
}

// plan says the subscription in the vendor's words, as far as they are known:
// "Max 20x", "Max 5x", "Max", "Pro", "Team", "Enterprise".
func (w anthropicWho) plan() string {
	switch w.Organization.Type {
	case "claude_max":
		for _, size := range []string{"20x", "5x"} {
			if strings.HasSuffix(w.Organization.Tier, "_max_"+size) {
				return "Max " + size
			}
		}
		return "Max"
	case "claude_pro":
		return "Pro"
	case "claude_team":
		return "Team"
	case "claude_enterprise":
		return "Enterprise"
	}
	switch {
	case w.Account.HasMax:
		return "Max"
	case w.Account.HasPro:
		return "Pro"
	}
	return ""
}

// anthropicTokenIdentity tolerates a response that names nobody, as that of a
// renewal often does (PROTOCOL 1.6).
func anthropicTokenIdentity(raw []byte) Identity {
	var who anthropicWho
	if decodeObject(raw, &who) != nil {
		return Identity{}
	}
	return who.identity()
}

func anthropicProfile(ctx context.Context, c Doer, p *Provider, t Token) (Identity, error) {
	a, err := askUpstream(ctx, c, p, "/api/oauth/profile", Account{}, t)
	if err != nil {
		return Identity{}, fmt.Errorf("ask for the profile: %w", err)
	}
	if a.status != http.StatusOK {
		return Identity{}, fmt.Errorf("profile endpoint answered %d", a.status)
	}
	var who anthropicWho
	if err := decodeObject(a.body, &who); err != nil {
		return Identity{}, fmt.Errorf("read the profile: %w", err)
	}
	return who.identity(), nil
}

// anthropicRevokeURL is beside the token endpoint unless the config says
// otherwise (PROTOCOL 1.9).
func anthropicRevokeURL(o OAuth) (string, error) {
	if o.RevokeURL != "" {
		return o.RevokeURL, nil
	}
	u, err := url.Parse(o.TokenURL)
	if err != nil {
		return "", err
	}
	return origin(u) + "/v1/oauth/revoke", nil
}

// anthropicPing is the smallest message there is. It says who sends it by
// itself only: no client's words are put in our mouth (PROTOCOL 0.2).
func anthropicPing(ctx context.Context, upstream, model string) (*http.Request, error) {
	body, err := json.Marshal(map[string]any{
		"model": model, "max_tokens": 1,
		"messages": []map[string]string{{"role": "user", "content": "."}},
	})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, upstream+"/v1/messages", strings.NewReader(string(body)))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01") // PROTOCOL 3.6
	return r, nil
}
