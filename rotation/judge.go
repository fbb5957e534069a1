package rotation

import (
	"bytes"
	"compress/gzip"
	"encoding/json"
	"io"
	"net/http"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"

	"github.com/oauthmux/oauthmux/accounts"
)

const (
	// peekLimit is how much of an error's body is looked at.
	peekLimit = 64 << 10
	// peekWait is how long that may take to come.
	peekWait = 10 * time.Second
	// throttleCooldown is that of a throttled account whose answer names no time.
	throttleCooldown = 30 * time.Second
	// Bounds of what an upstream can say of a cooldown.
	maxQuotaCooldown    = 8 * 24 * time.Hour
	maxThrottleCooldown = time.Hour
)

// peek reads the beginning of an error's body, and puts it back in front of what
// may follow. The client gets every byte as it came; the provider gets it decoded.
func peek(resp *http.Response) []byte {
	late := time.AfterFunc(peekWait, func() { _ = resp.Body.Close() }) // unblocks the read, which then fails
	raw, err := io.ReadAll(io.LimitReader(resp.Body, peekLimit))
	late.Stop()
	resp.Body = &peekedBody{ReadCloser: resp.Body, seen: raw, err: err}
	switch strings.ToLower(resp.Header.Get("Content-Encoding")) {
	case "", "identity":
		return raw
	case "gzip", "x-gzip":
		if z, err := gzip.NewReader(bytes.NewReader(raw)); err == nil {
			decoded, _ := io.ReadAll(io.LimitReader(z, peekLimit)) // as far as it can be read
			return decoded
		}
	}
	return nil
}

// peekedBody is a body whose beginning was read already.
type peekedBody struct {
	io.ReadCloser
	seen []byte
	err  error // what reading on came to; nil: not tried, or a clean end
}

func (b *peekedBody) Read(p []byte) (int, error) {
	if len(b.seen) > 0 {
		n := copy(p, b.seen)
		b.seen = b.seen[n:]
		return n, nil
	}
	if b.err != nil {
		return 0, b.err
	}
	return b.ReadCloser.Read(p)
}

// cooldown returns how long a verdict keeps requests away from its account.
func cooldown(v accounts.Verdict, scope string, s Settings, now time.Time) Cooldown {
	c := Cooldown{Until: v.Until, Scope: scope, Evidence: v.Evidence}
	var otherwise, longest time.Duration
	switch v.Kind {
	case accounts.Limited:
		c.Kind, otherwise, longest = accounts.CoolQuota, s.RateLimit, maxQuotaCooldown
	case accounts.Throttled:
		c.Kind, otherwise, longest = accounts.CoolThrottle, throttleCooldown, maxThrottleCooldown
	default:
		c.Kind, otherwise, longest = accounts.CoolAuth, s.AuthFailure, maxQuotaCooldown
	}
	if c.Until.IsZero() {
		c.Until = now.Add(otherwise)
	}
	if first := now.Add(time.Second); c.Until.Before(first) {
		c.Until = first
	}
	if last := now.Add(longest); c.Until.After(last) {
		c.Until = last
	}
	return c
}

// words returns what an error document says to a person: the message of one of
// the usual shapes, without control characters and not too long.
func words(document []byte) string {
	var d struct {
		Error            json.RawMessage `json:"error"`
		ErrorDescription string          `json:"error_description"`
		Message          string          `json:"message"`
		Detail           string          `json:"detail"`
	}
	if json.Unmarshal(document, &d) != nil {
		return ""
	}
	var nested struct {
		Message string `json:"message"`
	}
	_ = json.Unmarshal(d.Error, &nested) // a string, or nothing, in some shapes
	for _, message := range [...]string{nested.Message, d.ErrorDescription, d.Message, d.Detail} {
		if message != "" {
			return plain(message, 300)
		}
	}
	return ""
}

// plain returns s as one line without anything that could move a cursor, cut
// after limit bytes.
func plain(s string, limit int) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case r == utf8.RuneError, !unicode.IsPrint(r):
			return -1
		}
		return r
	}, s)
	if len(s) <= limit {
		return s
	}
	for limit > 0 && !utf8.RuneStart(s[limit]) {
		limit--
	}
	return s[:limit] + "…"
}
