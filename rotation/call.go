package rotation

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"runtime/debug"
	"strconv"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/accounts/vault"
)

// call is one request on its way through as many accounts as it takes.
type call struct {
	transport *Transport
	req       *http.Request
	provider  *accounts.Provider
	settings  Settings
	ask       Ask
	lease     *Lease // the account at hand; nil: none yet
	decision  *Decision

	attempts  int       // times that the upstream was asked
	asked     int       // accounts that gave an answer
	throttled bool      // an account was throttled already
	patience  time.Time // the request waits for logins until then; zero: it has not begun to
	revived   bool      // it had those signed in again that can be

	body    *replay        // nil: the request has none
	attempt *attempt       // the one at hand; nil: none yet
	heard   *http.Response // the upstream's last answer; nil: none yet. Closed unless it is handed on
}

// departure is why a request has to leave an account.
type departure struct {
	answer    *http.Response // the upstream's; nil: there was none
	evidence  string
	said      string // the upstream's words, if it refused the account
	refused   bool   // the answer is a 401 or 403, which no client may see as it is
	tokenless bool   // there is no valid token for another try
	login     bool   // and only a login brings one
	last      bool   // no other account is asked, whoever there is
}

func newCall(t *Transport, req *http.Request, route *Route) *call {
	c := &call{
		transport: t,
		req:       req,
		provider:  route.Provider,
		settings:  t.settings(route.Provider.ID),
		ask:       Ask{Provider: route.Provider.ID, Session: route.Session, Pin: route.Pin},
		decision:  &Decision{At: time.Now(), Provider: route.Provider.ID, Session: route.Session},
	}
	if req.Body != nil && req.Body != http.NoBody {
		length := req.ContentLength
		if length == 0 {
			length = -1 // not known, beside a body
		}
		c.body = new(replay)
		c.body.init(req.Body, length, c.settings.ReplayLimit)
	}
	return c
}

// run carries the request out. A panic in what a provider brought along costs its
// account a short cooldown, not the process.
func (c *call) run(ctx context.Context) (resp *http.Response, err error) {
	defer func() {
		if fault := recover(); fault != nil {
			resp, err = c.broken(fault), nil //nolint:bodyclose // whoever asked closes it
		}
		if resp == nil {
			c.end()
			if c.lease != nil {
				c.step(OutcomeLeft, "")
			}
			c.record(0)
		}
	}()
	if err := c.acquire(ctx); err != nil {
		return c.nobody(ctx, err, nil)
	}
	c.decision.Candidates, c.decision.Skipped = c.lease.Candidates, c.lease.skipped
	for {
		resp, left, err := c.serve(ctx)
		if left != nil {
			resp, err = c.moveOn(ctx, left)
		}
		if resp != nil || err != nil {
			return resp, err
		}
	}
}

// serve asks the account at hand. It returns the answer to hand on, or why the
// request has to leave the account.
func (c *call) serve(ctx context.Context) (*http.Response, *departure, error) {
	token, err := c.transport.refresher.Valid(ctx, *c.lease.Account)
	if err != nil {
		return c.tokenless(err, nil, "")
	}
	resp, err := c.send(ctx, token)
	if err != nil {
		return c.unanswered(ctx, err)
	}
	c.asked++
	v, said := c.judge(resp)
	if v.Kind != accounts.Unauthorized && v.Kind != accounts.Forbidden {
		return c.conclude(resp, v, said)
	}
	token, err = c.transport.refresher.Replace(ctx, *c.lease.Account, token)
	switch {
	case errors.Is(err, errRefusedAgain):
		return c.conclude(resp, v, said)
	case err != nil:
		return c.tokenless(err, resp, said)
	case !c.rewindable():
		return nil, &departure{answer: resp, evidence: v.Evidence, said: said, refused: true, last: true}, nil
	}
	if resp, err = c.send(ctx, token); err != nil {
		return c.unanswered(ctx, err)
	}
	v, said = c.judge(resp)
	return c.conclude(resp, v, said)
}

// conclude draws the consequences of an answer (DESIGN 3).
func (c *call) conclude(resp *http.Response, v accounts.Verdict, said string) (*http.Response, *departure, error) {
	left := &departure{answer: resp, evidence: v.Evidence, said: said}
	scope := ""
	switch v.Kind {
	case accounts.Limited:
		if scope = v.Scope; scope == accounts.ScopeRequest {
			scope = c.scope() // a request that names no model: the whole account, to be safe
		}
	case accounts.Throttled:
		left.last, c.throttled = c.throttled, true
	case accounts.Unauthorized, accounts.Forbidden:
		left.refused = true
	default:
		return c.handOn(resp), nil, nil
	}
	cool := cooldown(v, scope, c.settings, time.Now())
	c.decision.Steps[len(c.decision.Steps)-1].Until = cool.Until
	c.transport.pool.Cool(c.lease.Account.ID, cool)
	return nil, left, nil
}

// tokenless decides what becomes of a request whose account has no valid token.
// answer is the one that the last token got; nil: none was sent.
func (c *call) tokenless(err error, answer *http.Response, said string) (*http.Response, *departure, error) {
	if e, ok := errors.AsType[*RenewalError](err); ok {
		c.step(OutcomeRenewal, e.Evidence)
		c.lease.failed(e.Evidence)
		return nil, &departure{
			answer: answer, evidence: e.Evidence, said: said, refused: answer != nil, tokenless: true, login: e.Login,
		}, nil
	}
	if key, ok := errors.AsType[*vault.KeyError](err); ok {
		return c.own(http.StatusServiceUnavailable, key.Error()), nil, nil // no account has a token then
	}
	return nil, nil, err // the client has gone
}

// unanswered decides what becomes of a request that got no answer. Its account is
// not to blame.
func (c *call) unanswered(ctx context.Context, err error) (*http.Response, *departure, error) {
	if ctx.Err() != nil {
		return nil, nil, err
	}
	if c.body != nil {
		if fault := c.body.failed(); fault != nil {
			return nil, nil, fmt.Errorf("read the request's body: %w", fault)
		}
	}
	problem := describe(err)
	c.step(OutcomeNetwork, problem)
	c.lease.failed(problem)
	c.transport.log.Warn("no answer from the upstream", "provider", c.provider.ID, "account", c.lease.Account.ID, "error", err)
	return c.own(http.StatusBadGateway, "no answer from "+c.req.URL.Host+": "+problem), nil, nil
}

// moveOn takes the request from the account it has to leave to the next one. Only
// when there is none, or none is to be asked, it returns an answer or an error.
func (c *call) moveOn(ctx context.Context, left *departure) (*http.Response, error) {
	spent := left.answer != nil && c.settings.MaxAttempts > 0 && c.asked >= c.settings.MaxAttempts
	if left.last || spent || !c.rewindable() {
		return c.endWith(left), nil
	}
	from := c.lease
	if !left.login || !c.settings.ReloginWait || !c.awaitLogin(ctx, from.Account.ID) {
		c.ask.Tried = append(c.ask.Tried, from.Account.ID)
	}
	if err := c.acquire(ctx); err != nil {
		return c.nobody(ctx, err, left)
	}
	from.Release()
	if from.Account.ID != c.lease.Account.ID {
		c.transport.pool.wentOn(from.Account.ID, c.lease.Account.ID, time.Since(c.decision.At), left.evidence)
	}
	return nil, nil
}

// acquire leases an account. When nobody is left it has those signed in again
// whose login ended before this request came, and waits for logins under way, for
// a minute in all.
func (c *call) acquire(ctx context.Context) error {
	for {
		lease, err := c.transport.pool.Acquire(c.ask)
		nobody, none := errors.AsType[*NobodyError](err)
		switch {
		case errors.Is(err, ErrScopeWanted):
			c.scope()
			continue
		case !none:
			c.lease = lease
			return err
		}
		begun := false
		if !c.revived { // once: what fails is not tried again for the same request
			c.revived = true
			begun = c.transport.refresher.revive(nobody.accounts())
		}
		if !c.awaitLogin(ctx, nobody.accounts()...) && !begun { // one that has begun may have ended by now
			return err
		}
		c.ask.Tried = nil // whoever is back comes with another token
	}
}

// awaitLogin reports whether a login of one of these accounts ended while the
// request could wait.
func (c *call) awaitLogin(ctx context.Context, among ...accounts.ID) bool {
	if c.patience.IsZero() {
		c.patience = time.Now().Add(loginWait)
	}
	return c.transport.refresher.awaitLogin(ctx, c.patience, among)
}

// nobody answers when no account is left: with the refusal that was the last
// word, if there was one, else for all of them.
func (c *call) nobody(ctx context.Context, err error, left *departure) (*http.Response, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	if left != nil && left.refused && !left.tokenless {
		return c.endWith(left), nil
	}
	none, ok := errors.AsType[*NobodyError](err)
	if !ok {
		return nil, err
	}
	if c.lease == nil {
		for _, r := range none.Reasons[:min(len(none.Reasons), maxSkipped)] {
			c.decision.Skipped = append(c.decision.Skipped, r.Step)
		}
	}
	return c.answer(exhaustedAnswer(c.req, c.provider, none, time.Now())), nil
}

// endWith answers with what the last account got. A refusal reaches the client as
// a fault on the way, because clients drop their own login on a bare 403.
func (c *call) endWith(left *departure) *http.Response {
	switch {
	case left.refused:
		message := fmt.Sprintf("%s was refused (%d)", plain(c.lease.Account.Label, 60), left.answer.StatusCode)
		if left.said != "" {
			message += ": " + left.said
		}
		return c.own(http.StatusBadGateway, message)
	case left.answer != nil:
		return c.handOn(left.answer)
	}
	return c.own(http.StatusBadGateway, left.evidence+"; the request is too long to be kept for another account")
}

// broken answers for a panic.
func (c *call) broken(fault any) *http.Response {
	if err, ok := fault.(error); ok && errors.Is(err, http.ErrAbortHandler) {
		panic(fault)
	}
	c.transport.log.Error("panic while serving a request", "provider", c.provider.ID, "panic", accounts.FaultWords(fault), "stack", string(debug.Stack()))
	if c.lease != nil {
		c.transport.pool.Cool(c.lease.Account.ID, Cooldown{
			Until: time.Now().Add(faultCooldown), Kind: accounts.CoolFault, Evidence: "a fault in oauthmux: see its log",
		})
	}
	return c.own(http.StatusBadGateway, "a fault in oauthmux; its log has the details")
}

// own answers without an upstream's word.
func (c *call) own(status int, message string) *http.Response {
	return c.answer(ownAnswer(c.req, c.provider, status, message))
}

func (c *call) answer(resp *http.Response) *http.Response {
	c.stamp(resp)
	c.end()
	c.record(resp.StatusCode)
	return resp
}

// handOn gives an upstream's answer to the client. The account stays leased until
// its body has ended.
func (c *call) handOn(resp *http.Response) *http.Response {
	c.stamp(resp)
	resp.Body = &leasedBody{ReadCloser: resp.Body, lease: c.lease}
	if c.body != nil {
		c.body.release()
	}
	c.record(resp.StatusCode)
	return resp
}

// end lets go of everything.
func (c *call) end() {
	c.closeAttempt()
	if c.heard != nil {
		_ = c.heard.Body.Close() // nobody will see the rest
	}
	if c.body != nil {
		c.body.release()
	}
	if c.lease != nil {
		c.lease.Release()
	}
}

// stamp adds the fields that say who was asked, and how often.
func (c *call) stamp(resp *http.Response) {
	delete(resp.Header, FieldAccount)
	if c.lease != nil {
		resp.Header[FieldAccount] = []string{string(c.lease.Account.ID)}
	}
	resp.Header[FieldAttempts] = []string{strconv.Itoa(c.attempts)}
}

func (c *call) step(outcome, evidence string) {
	c.decision.Steps = append(c.decision.Steps, Step{Account: c.lease.Account.ID, Outcome: outcome, Evidence: evidence})
}

func (c *call) record(status int) {
	c.decision.Scope, c.decision.Status, c.decision.Duration = c.ask.Scope, status, time.Since(c.decision.At)
	c.transport.pool.record(c.decision)
}
