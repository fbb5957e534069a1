package accounts

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"time"
)

// The pages of the receiver. They are the same for everybody: nothing of a
// request comes back in them (SAFETY T19).
const (
	pageReceived = `<!doctype html><html lang="en"><meta charset="utf-8"><title>oauthmux</title><h1>oauthmux has the answer</h1><p>You can close this window. The terminal says how it went.</p></html>`
	pageForeign  = `<!doctype html><html lang="en"><meta charset="utf-8"><title>oauthmux</title><h1>Not for this sign-in</h1><p>This address belongs to another sign-in, or to one that is over. Start again in the terminal.</p></html>`
)

const (
	receiverHead  = 64 << 10
	receiverLimit = 5 * time.Second // for a request's head, and for the goodbye
)

// receiver takes one authorization response on a loopback port of the system's
// choice (RFC 8252, section 7.3). It listens until an answer has come, or its
// flow has ended.
type receiver struct {
	flow        *flow
	listener    net.Listener
	redirectURI string
	hosts       []string // what a request's Host may be
}

func listen(ctx context.Context, f *flow) (*receiver, error) {
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, fmt.Errorf("listen for the sign-in: %w", err)
	}
	port := strconv.Itoa(listener.Addr().(*net.TCPAddr).Port)
	host := net.JoinHostPort(f.provider.OAuth.LoopbackHost, port)
	return &receiver{
		flow:        f,
		listener:    listener,
		redirectURI: "http://" + host + f.provider.OAuth.LoopbackPath,
		hosts:       []string{host, net.JoinHostPort("127.0.0.1", port)},
	}, nil
}

// discard closes a receiver that was never served.
func (r *receiver) discard() { _ = r.listener.Close() }

// serve answers until stop, which returns when the last answer is out.
func (r *receiver) serve(ctx context.Context, log *slog.Logger) (stop func()) {
	server := &http.Server{
		Handler:           r,
		ReadHeaderTimeout: receiverLimit,
		ReadTimeout:       receiverLimit,
		WriteTimeout:      receiverLimit,
		MaxHeaderBytes:    receiverHead,
		ErrorLog:          slog.NewLogLogger(log.Handler(), slog.LevelDebug),
	}
	server.SetKeepAlivesEnabled(false)
	done := make(chan struct{})
	go func() {
		defer close(done)
		if err := server.Serve(r.listener); !errors.Is(err, http.ErrServerClosed) {
			log.Warn("the receiver of a sign-in stopped", "error", err)
		}
	}()
	return func() {
		ctx, cancel := context.WithTimeout(ctx, receiverLimit)
		defer cancel()
		if err := server.Shutdown(ctx); err != nil {
			_ = server.Close()
		}
		<-done
	}
}

// ServeHTTP takes the browser's request that carries the answer.
func (r *receiver) ServeHTTP(w http.ResponseWriter, req *http.Request) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "no-referrer") // the address holds the code
	h.Set("Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'")
	h.Set("X-Content-Type-Options", "nosniff")
	status, page := r.receive(req)
	w.WriteHeader(status)
	_, _ = w.Write([]byte(page)) // a browser that left has its answer taken all the same
}

func (r *receiver) receive(req *http.Request) (status int, page string) {
	switch {
	case req.Host != r.hosts[0] && req.Host != r.hosts[1]: // a rebound name (SAFETY T01)
		return http.StatusForbidden, pageForeign
	case req.URL.Path != r.flow.provider.OAuth.LoopbackPath:
		return http.StatusNotFound, pageForeign
	case req.Method != http.MethodGet:
		return http.StatusMethodNotAllowed, pageForeign
	}
	query, err := url.ParseQuery(req.URL.RawQuery)
	if err != nil {
		return http.StatusBadRequest, pageForeign
	}
	code, err := r.flow.readCallback(query)
	a := arrival{code: code}
	if refusal, ok := errors.AsType[*refusedError](err); ok {
		a = arrival{refusal: refusal}
	} else if err != nil {
		return http.StatusBadRequest, pageForeign
	}
	if !r.flow.takeRedirect(req.Context(), a) {
		return http.StatusGone, pageForeign
	}
	return http.StatusOK, pageReceived
}
