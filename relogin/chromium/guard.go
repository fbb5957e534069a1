package chromium

import (
	"context"
	"net/url"
	"slices"
	"sync"
	"time"

	"github.com/go-rod/rod"
	"github.com/go-rod/rod/lib/proto"
	"github.com/go-rod/stealth"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/relogin"
)

// answerLimit bounds what is asked of a page.
const answerLimit = 5 * time.Second

// partsLimit bounds the frames that are noted of a page.
const partsLimit = 1000

// guard sees every page of a browser, pop-ups included, before it is asked for:
// it catches the redirect, which then reaches nobody else, and keeps the pages on
// their hosts. It answers what would otherwise wait for somebody.
type guard struct {
	browser *rod.Browser
	v       relogin.Visit
	places  places
	request authorization
	proxy   *url.Userinfo // who we are to the proxy; nil: nobody

	end   chan outcome   // the first one is the visit's; room for one
	ready chan struct{}  // closed when the first page is prepared
	work  sync.WaitGroup // what the guard asks pages for; waited for when watch has ended

	prepared sync.Once // closes ready

	mu    sync.Mutex
	first proto.TargetTargetID // guarded by mu; the page of the visit itself
	pages []*target            // guarded by mu; in the order they were opened
	parts []string             // guarded by mu; addresses of the frames that the last page asked for
	asked map[string]bool      // guarded by mu; requests whose proxy was told who we are
	done  bool                 // guarded by mu; the redirect was caught
	empty chan struct{}        // closed when the last page was
}

// outcome is how a visit ended. Where it was stopped at a page, the walk adds the
// picture.
type outcome struct {
	address accounts.Secret
	err     error
}

// target is a page, of the main window or of a pop-up.
type target struct {
	id     proto.TargetTargetID
	opener proto.TargetTargetID // the page that opened it; "": none is known, or a part of one did
	url    string
	loader string // the document asked for last
}

func newGuard(b *rod.Browser, v relogin.Visit) *guard {
	return &guard{
		browser: b, v: v, places: placesOf(v), request: authorizationOf(v.URL), proxy: proxyUser(v.Proxy),
		end: make(chan outcome, 1), ready: make(chan struct{}), asked: map[string]bool{}, empty: make(chan struct{}),
	}
}

// enter sets the guard up and returns when no page can go past it. watch is to
// run from then on, and before a page is opened.
func (g *guard) enter() (events <-chan *rod.Message, err error) {
	events = g.browser.Event()
	if err := (proto.BrowserSetDownloadBehavior{
		Behavior: proto.BrowserSetDownloadBehaviorBehaviorDeny, EventsEnabled: true,
	}).Call(g.browser); err != nil {
		return nil, err
	}
	if err := (proto.FetchEnable{
		Patterns:           []*proto.FetchRequestPattern{{ResourceType: proto.NetworkResourceTypeDocument}},
		HandleAuthRequests: g.proxy != nil,
	}).Call(g.browser); err != nil {
		return nil, err
	}
	// Pop-ups wait until they are prepared.
	return events, proto.TargetSetAutoAttach{
		AutoAttach: true, WaitForDebuggerOnStart: true, Flatten: true,
		Filter: proto.TargetTargetFilter{{Type: "page"}},
	}.Call(g.browser)
}

// watch answers events until the browser's context ends, or its link.
func (g *guard) watch(ctx context.Context, events <-chan *rod.Message) {
	for message := range events {
		g.answer(ctx, message)
	}
}

func (g *guard) answer(ctx context.Context, message *rod.Message) {
	// A browser that says something in another form than it is known to is no reason
	// for a panic: what is not understood is not answered, and the visit's time runs out.
	_ = rod.Try(func() {
		switch message.Method {
		case proto.FetchRequestPaused{}.ProtoEvent():
			var e proto.FetchRequestPaused
			message.Load(&e)
			g.decide(&e)
		case proto.FetchAuthRequired{}.ProtoEvent():
			var e proto.FetchAuthRequired
			message.Load(&e)
			g.authenticate(&e)
		case proto.TargetAttachedToTarget{}.ProtoEvent():
			var e proto.TargetAttachedToTarget
			message.Load(&e)
			if message.SessionID == "" && e.WaitingForDebugger {
				g.prepare(ctx, &e)
			}
		case proto.TargetTargetCreated{}.ProtoEvent():
			var e proto.TargetTargetCreated
			message.Load(&e)
			g.opened(e.TargetInfo)
		case proto.TargetTargetInfoChanged{}.ProtoEvent():
			var e proto.TargetTargetInfoChanged
			message.Load(&e)
			g.opened(e.TargetInfo)
		case proto.TargetTargetDestroyed{}.ProtoEvent():
			var e proto.TargetTargetDestroyed
			message.Load(&e)
			g.closed(e.TargetID)
		case proto.TargetTargetCrashed{}.ProtoEvent():
			var e proto.TargetTargetCrashed
			message.Load(&e)
			if !g.v.Visible && g.page(string(e.TargetID)) {
				g.stop(&relogin.BrowserError{Problem: "lost the page: it crashed"})
			}
		case proto.PageJavascriptDialogOpening{}.ProtoEvent():
			var e proto.PageJavascriptDialogOpening
			message.Load(&e)
			g.dismiss(ctx, message.SessionID, &e)
		case proto.BrowserDownloadWillBegin{}.ProtoEvent():
			var e proto.BrowserDownloadWillBegin
			message.Load(&e)
			g.download(&e)
		}
	})
}

// stop ends the visit, unless it has ended.
func (g *guard) stop(err error) { g.finish(outcome{err: err}) }

// survive, deferred, makes a panic of a visit's goroutine the end of the visit, and of
// nothing else. What it says may quote an address.
func (g *guard) survive() {
	if recover() != nil {
		g.stop(&relogin.BrowserError{Problem: "could not be driven: internal error"})
	}
}

func (g *guard) finish(o outcome) {
	select {
	case g.end <- o:
	default:
	}
}

// prepare makes a new page ready before it does anything. The first one is ours:
// stealth.Page makes the rest of it.
func (g *guard) prepare(ctx context.Context, e *proto.TargetAttachedToTarget) {
	g.mu.Lock()
	popUp := g.first != "" && g.first != e.TargetInfo.TargetID
	g.mu.Unlock()
	g.work.Go(func() {
		defer g.survive()
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		page := g.browser.Context(ctx).PageFromSession(e.SessionID)
		_ = proto.PageEnable{}.Call(page) // tells of dialogs
		// A service worker, left there by an earlier visit, would see the redirect
		// before we do.
		_ = proto.NetworkEnable{MaxTotalBufferSize: new(int), MaxResourceBufferSize: new(int)}.Call(page)
		_ = proto.NetworkSetBypassServiceWorker{Bypass: true}.Call(page)
		if popUp {
			_, _ = proto.PageAddScriptToEvaluateOnNewDocument{Source: stealth.JS}.Call(page)
		}
		_ = proto.RuntimeRunIfWaitingForDebugger{}.Call(page)
		if !popUp {
			g.prepared.Do(func() { close(g.ready) })
		}
	})
}

// opened notes a page, or where it is now.
func (g *guard) opened(info *proto.TargetTargetInfo) {
	if info.Type != proto.TargetTargetInfoTypePage || info.Subtype != "" {
		return
	}
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pages {
		if p.id == info.TargetID {
			p.url = info.URL
			return
		}
	}
	if g.first == "" {
		g.first = info.TargetID
	}
	p := &target{id: info.TargetID, url: info.URL}
	if string(info.OpenerFrameID) == "" || string(info.OpenerFrameID) == string(info.OpenerID) {
		p.opener = info.OpenerID
	}
	g.pages = append(g.pages, p)
}

// known reports whether a page is the visit's own, or one that it opened itself: a
// part of it, and pages that come from nowhere, open what they like.
func (g *guard) known(id proto.TargetTargetID) bool {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pages {
		if p.id == id {
			return p.id == g.first || p.opener == g.first && g.first != ""
		}
	}
	return false
}

func (g *guard) closed(id proto.TargetTargetID) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, p := range g.pages {
		if p.id == id {
			g.pages = slices.Delete(g.pages, i, i+1)
			if len(g.pages) == 0 {
				close(g.empty)
			}
			return
		}
	}
}

// page reports whether a frame is a page, and not a part of one.
func (g *guard) page(frame string) bool {
	g.mu.Lock()
	for _, p := range g.pages {
		if string(p.id) == frame {
			g.mu.Unlock()
			return true
		}
	}
	g.mu.Unlock()
	info, err := proto.TargetGetTargetInfo{TargetID: proto.TargetTargetID(frame)}.Call(g.browser)
	return err == nil && info.TargetInfo.Type == proto.TargetTargetInfoTypePage
}

// front returns the page that was opened last and shows something, and the
// document that it was asked to show last.
func (g *guard) front() (id proto.TargetTargetID, loader string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for i, p := range slices.Backward(g.pages) {
		if i == 0 || p.url != "" && p.url != "about:blank" {
			return p.id, p.loader
		}
	}
	return "", ""
}

// asks notes which document a page, or a frame in one, is about to show.
func (g *guard) asks(frame, loader, address string) {
	g.mu.Lock()
	defer g.mu.Unlock()
	for _, p := range g.pages {
		if string(p.id) == frame {
			p.loader = loader
			g.parts = nil
			return
		}
	}
	if len(g.parts) < partsLimit {
		g.parts = append(g.parts, address)
	}
}

// frames returns the addresses of the frames that the last page asked for, which
// it may hide from whoever looks at it.
func (g *guard) frames() []string {
	g.mu.Lock()
	defer g.mu.Unlock()
	return slices.Clone(g.parts)
}

// dismiss answers a dialog that nobody sees: with no, but a page that would
// rather not be left is left.
func (g *guard) dismiss(ctx context.Context, session proto.TargetSessionID, e *proto.PageJavascriptDialogOpening) {
	if g.v.Visible {
		return
	}
	g.work.Go(func() {
		defer g.survive()
		ctx, cancel := context.WithTimeout(ctx, answerLimit)
		defer cancel()
		_ = proto.PageHandleJavaScriptDialog{
			Accept: e.Type == proto.PageDialogTypeBeforeunload,
		}.Call(g.browser.Context(ctx).PageFromSession(session))
	})
}

// download says what became of a file that was offered: nothing.
func (g *guard) download(e *proto.BrowserDownloadWillBegin) {
	from := "the page"
	if u, err := url.Parse(e.URL); err == nil {
		from = place(u)
	}
	words := from + " offers a file"
	if g.v.Visible {
		g.v.Progress(words + ", which is not kept")
		return
	}
	g.stop(&relogin.PageError{Kind: accounts.PageUnknown, Words: words})
}
