package rotation

import (
	"bytes"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
)

// retryLimit is the longest Retry-After that clients wait for in silence;
// above it they are told not to wait, and their person sees why.
const retryLimit = time.Minute

// leasedBody is an answer's body. Its end gives the account back.
type leasedBody struct {
	io.ReadCloser
	lease *Lease
}

func (b *leasedBody) Close() error {
	err := b.ReadCloser.Close()
	b.lease.Release()
	return err
}

// ownAnswer makes an answer in the provider's shape that no upstream gave.
func ownAnswer(req *http.Request, p *accounts.Provider, status int, message string) *http.Response {
	body := append(errorBody(p, status, "oauthmux: "+message), '\n')
	resp := &http.Response{
		Status:        strconv.Itoa(status) + " " + http.StatusText(status),
		StatusCode:    status,
		Proto:         "HTTP/1.1",
		ProtoMajor:    1,
		ProtoMinor:    1,
		Header:        make(http.Header, 6),
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       req,
	}
	if req.Method == http.MethodHead {
		resp.Body = http.NoBody
	}
	resp.Header.Set("Content-Type", "application/json")
	resp.Header.Set("Cache-Control", "no-store")
	return resp
}

// exhaustedAnswer tells a client that no account can take its request, why, and
// when that ends.
func exhaustedAnswer(req *http.Request, p *accounts.Provider, nobody *NobodyError, now time.Time) *http.Response {
	status := http.StatusServiceUnavailable
	if !nobody.Soonest.IsZero() {
		status = http.StatusTooManyRequests
	}
	resp := ownAnswer(req, p, status, explain(p, nobody, now))
	wait := nobody.Soonest.Sub(now)
	if !nobody.Soonest.IsZero() {
		seconds := max(int64((wait+time.Second-1)/time.Second), 1)
		resp.Header.Set("Retry-After", strconv.FormatInt(seconds, 10))
	}
	if nobody.Soonest.IsZero() || wait > retryLimit {
		resp.Header.Set("X-Should-Retry", "false")
	}
	return resp
}

// explain names each account's reason.
func explain(p *accounts.Provider, nobody *NobodyError, now time.Time) string {
	switch {
	case len(nobody.Reasons) > 0:
	case nobody.Pin != "":
		return "the account that this request is for is gone: `oauthmux list` shows those that are here"
	default:
		return "there is no account of " + p.Name + ": add one with `oauthmux login " + string(p.ID) + "`"
	}
	var b strings.Builder
	b.WriteString("no account of " + p.Name + " can take this request now")
	for i, r := range nobody.Reasons {
		if i == 0 {
			b.WriteString(": ")
		} else {
			b.WriteString("; ")
		}
		fmt.Fprintf(&b, "%s: %s", plain(r.Label, 60), plain(r.Evidence, 200))
		if r.Until.After(now) {
			fmt.Fprintf(&b, " (back in %s)", span(r.Until.Sub(now)))
		}
	}
	return b.String()
}
