package chromium

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os/exec"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"
	"github.com/go-rod/stealth"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

const (
	tick       = 200 * time.Millisecond // between two looks at a page
	pictureFor = 3 * time.Second        // for a picture of a page
	doneFor    = 2 * time.Second        // for the page that says that all is well
	lateFor    = 10 * time.Second       // for a button that is not there yet
	coveredFor = 10 * time.Second       // for what covers a button
)

// walker is on its way from v.URL to the redirect.
type walker struct {
	v       relogin.Visit
	recipes []recipe
	hurry   time.Duration
	browser *rod.Browser // of the visit's context
	guard   *guard
	page    *rod.Page // that was looked at last

	came    bool      // some page was seen
	mark    mark      // what was seen last
	since   time.Time // since when
	told    string    // what Progress was told last of a page
	pressed *mark     // where the button that grants was pressed
}

// mark tells one state of a page apart from another one.
type mark struct {
	loader, path string
	kind         accounts.PageKind
	buttons      int
}

// walk goes from v.URL to the first redirect to one of v.Redirects, and returns
// the redirect's whole address. errOver: ctx ended first.
func (b *browser) walk(ctx context.Context, v relogin.Visit, recipes []recipe, hurry int) (accounts.Secret, error) {
	// The browser is told how to end a visit that is over.
	life, stop := context.WithCancel(context.WithoutCancel(ctx))
	g := newGuard(b.rod.Context(life), v)
	keep := context.AfterFunc(ctx, stop)
	events, err := g.enter()
	if !keep() || err != nil {
		stop()
		return "", b.lost(ctx, v, err)
	}
	watched := make(chan struct{})
	go func() {
		defer close(watched)
		g.watch(life, events)
	}()
	defer func() {
		stop()
		<-watched
		g.work.Wait()
	}()

	w := &walker{v: v, recipes: recipes, hurry: time.Duration(hurry), browser: b.rod.Context(ctx), guard: g}
	if w.page, err = stealth.Page(w.browser); err != nil {
		return "", b.lost(ctx, v, err)
	}
	select {
	case <-g.ready:
	case <-b.gone:
		return "", b.lost(ctx, v, nil)
	case <-ctx.Done():
		return "", errOver
	case <-time.After(2 * answerLimit):
		return "", &relogin.BrowserError{Problem: "did not open a page"}
	}
	if u, err := url.Parse(v.URL); err == nil {
		v.Progress("opening " + place(u))
	}
	page := w.page.Context(life)
	g.work.Go(func() {
		defer g.survive()
		err := page.Navigate(v.URL) // what came of it is to be seen
		if err == nil && v.Visible && life.Err() == nil {
			v.Progress("a window is open, and waits for you")
		}
	})
	return w.wait(ctx, b)
}

// lost says why a browser did not do what it was told.
func (b *browser) lost(ctx context.Context, v relogin.Visit, err error) error {
	if ctx.Err() != nil {
		return errOver
	}
	if !b.endedSoon(ctx) {
		return &relogin.BrowserError{Problem: "did not open a page", Err: err}
	}
	if exit, ok := errors.AsType[*exec.ExitError](b.err); v.Visible && (b.err == nil || ok && exit.Exited()) {
		return relogin.ErrWindowClosed
	}
	return &relogin.BrowserError{Problem: "ended by itself", Err: b.err}
}

// wait looks at the pages until the visit has ended one way or another.
func (w *walker) wait(ctx context.Context, b *browser) (accounts.Secret, error) {
	ticker := time.NewTicker(tick)
	defer ticker.Stop()
	for {
		var err error
		select {
		case o := <-w.guard.end:
			return w.finish(ctx, o)
		case <-b.gone:
			err = b.lost(ctx, w.v, nil)
		case <-w.guard.empty:
			err = relogin.ErrWindowClosed
			if !w.v.Visible {
				err = &relogin.PageError{Kind: accounts.PageUnknown, Words: "the page closed itself"}
			}
		case <-ctx.Done():
			err = w.over(ctx)
		case <-ticker.C:
			if !w.v.Visible {
				err = w.step(ctx)
			}
		}
		// Whatever came since, or at the same time, the redirect counts.
		if err != nil {
			w.guard.stop(err)
		}
	}
}

// over says what was not there in time: a page, or the end of the visit.
func (w *walker) over(ctx context.Context) error {
	u, err := url.Parse(w.v.URL)
	if err != nil || w.v.Visible || w.came || !errors.Is(context.Cause(ctx), context.DeadlineExceeded) {
		return errOver
	}
	return silent(place(u), " in time")
}

// silent says that a page never came: a matter of the network, not of a person.
func silent(host, when string) error {
	return &relogin.TroubleError{Words: host + " did not answer" + when, Hint: "the network or the site may be down; it is tried again later"}
}

// finish is the end of a visit that the guard, or a page, brought.
func (w *walker) finish(ctx context.Context, o outcome) (accounts.Secret, error) {
	if stopped, ok := errors.AsType[*relogin.PageError](o.err); ok {
		return "", w.picture(ctx, stopped)
	}
	if o.err != nil {
		return "", o.err
	}
	w.v.Progress("signed in")
	if u, err := url.Parse(o.address.Reveal()); err == nil && w.v.Visible {
		ctx, cancel := context.WithTimeout(ctx, doneFor)
		defer cancel()
		_ = w.page.Context(ctx).Navigate(bare(u))
	}
	return o.address, nil
}

// picture adds a picture of the page.
func (w *walker) picture(ctx context.Context, e *relogin.PageError) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), pictureFor)
	defer cancel()
	shot, err := proto.PageCaptureScreenshot{Format: proto.PageCaptureScreenshotFormatPng}.Call(w.page.Context(ctx))
	if err == nil {
		e.Screenshot = shot.Data
	}
	return e
}

// step looks at the front page and does what is to be done there, if it is time.
// An error ends the visit.
func (w *walker) step(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, answerLimit)
	defer cancel()
	id, asked := w.guard.front()
	if id == "" {
		return nil
	}
	s := w.look(ctx, id)
	if s == nil {
		w.mark = mark{}
		return nil
	}
	if !s.failed && !w.guard.places.allows(s.url) {
		return &relogin.PageError{Kind: accounts.PageUnknown, Words: "the sign-in went to " + place(s.url)}
	}

	j := judge(s, w.recipes, w.guard.places)
	if j.kind == accounts.PageConsent && (!w.guard.request.asks(s.url) || !w.guard.known(id)) {
		j = judgement{kind: accounts.PageUnknown, words: "asks about another request than ours"}
	}
	w.came = true
	now := time.Now()
	seen := mark{loader: s.loader, path: s.url.Path, kind: j.kind, buttons: len(j.labels)}
	if seen != w.mark {
		w.mark, w.since = seen, now
	}
	if say := place(s.url) + " " + j.words; j.kind == accounts.PageConsent && say != w.told {
		w.told = say
		w.v.Progress(say)
	}
	leaving := asked != "" && asked != s.loader && !s.failed
	if now.Sub(w.since) < w.patience(s, j, leaving)/w.hurry {
		return nil
	}
	return w.act(ctx, s, j)
}

// look looks at a page; nil: there is nothing to be seen yet, or any more.
func (w *walker) look(ctx context.Context, id proto.TargetTargetID) *sight {
	page, err := w.browser.PageFromTarget(id)
	if err != nil {
		return nil
	}
	w.page = page
	s, err := look(ctx, page, w.recipes)
	if err != nil || !s.failed && (!s.Ready || s.url.Scheme == "about") {
		return nil
	}
	s.Frames = append(s.Frames, w.guard.frames()...)
	return s
}

// patience is how long a page must have been as it is before that counts: pages
// come in pieces, and go on by themselves.
func (w *walker) patience(s *sight, j judgement, leaving bool) time.Duration {
	switch {
	case w.passed():
		return forever
	case leaving:
		return 20 * time.Second
	case j.kind == accounts.PageConsent && w.pressed == nil && j.press != "" && len(j.labels) == 0:
		return lateFor
	case j.kind == accounts.PageConsent && len(j.labels) == 1 && s.Complete:
		return 3 * tick
	case j.kind == accounts.PageConsent && len(j.labels) == 1:
		return lateFor // what makes it another kind of page may be on its way
	case j.kind == accounts.PageChallenge:
		return 6 * time.Second // many of them ask a browser, and not a person
	case j.kind == accounts.PageUnknown && w.pressed != nil:
		return 15 * time.Second
	case j.kind == accounts.PageUnknown && !s.failed:
		return 5 * time.Second
	}
	return time.Second
}

const forever = 1<<63 - 1

// passed reports whether the page is still the one whose button was pressed: what
// comes of it is waited for.
func (w *walker) passed() bool {
	return w.pressed != nil && w.pressed.kind == w.mark.kind && w.pressed.loader == w.mark.loader && w.pressed.path == w.mark.path
}

// act presses the button that grants, or says why there is none to be pressed.
func (w *walker) act(ctx context.Context, s *sight, j judgement) error {
	host := place(s.url)
	if s.failed {
		return silent(host, "")
	}
	stop := &relogin.PageError{Kind: j.kind, Words: host + " " + j.words}
	if j.kind != accounts.PageConsent || j.press == "" {
		return stop
	}
	switch {
	case w.pressed != nil:
		stop.Words = host + " asks a second time whether to grant access"
		return stop
	case len(j.labels) == 0:
		stop.Kind, stop.Words = accounts.PageUnknown, host+" asks whether to grant access, and the page has no button that grants"
		return stop
	case len(j.labels) > 1:
		stop.Kind = accounts.PageUnknown
		stop.Words = fmt.Sprintf("%s asks whether to grant access, and the page has %d buttons that grant", host, len(j.labels))
		return stop
	}
	// A page that moved is looked at again, and what covers the button may go away.
	if w.press(ctx, s, j) || time.Since(w.since) < coveredFor/w.hurry {
		return nil
	}
	stop.Kind, stop.Words = accounts.PageUnknown, host+" asks whether to grant access, and something covers the button"
	return stop
}

// press presses the only button that grants, if nothing covers it, and reports
// whether it may have. It does so at most once in a visit.
func (w *walker) press(ctx context.Context, s *sight, j judgement) bool {
	page := w.page.Context(ctx)
	var at, still *proto.Point
	if err := call(page, s.context, "aim", &at, j.press, j.labels[0], s.address); err != nil || at == nil {
		return false
	}
	if err := page.Mouse.MoveTo(*at); err != nil {
		return false
	}
	// The page may have moved, and a menu may have opened under the pointer.
	if err := call(page, s.context, "aim", &still, j.press, j.labels[0], s.address); err != nil || still == nil || *still != *at {
		return false
	}
	w.v.Progress("pressing " + quoted(j.labels[0]))
	here := w.mark
	w.pressed = &here
	// Whatever the browser says to these, it counts as pressed.
	_ = page.Mouse.Down(proto.InputMouseButtonLeft, 1)
	_ = page.Mouse.Up(proto.InputMouseButtonLeft, 1)
	return true
}

func quoted(label string) string { return `"` + printable(label, 40) + `"` }
