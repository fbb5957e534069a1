package rotation

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts"
	"github.com/oauthmux/oauthmux/usage"
)

// houseProvider says no in plain status codes. A 429 with Reset-In is a quota's,
// Reset-Scope names whose.
func houseProvider() *accounts.Provider {
	return &accounts.Provider{
		ID: house, Name: "House", Upstream: "https://api.house.test",
		ErrorBody: func(status int, message string) []byte {
			return fmt.Appendf(nil, `{"error":{"message":%q,"status":%d}}`, message, status)
		},
		Authorize: func(r *http.Request, _ accounts.Account, t accounts.Token) {
			r.Header.Set("Authorization", "Bearer "+t.AccessToken.Reveal())
		},
		Scope: func(body io.Reader) string {
			raw, _ := io.ReadAll(body)
			for _, family := range []string{"opus", "haiku"} {
				if bytes.Contains(raw, []byte(family)) {
					return family
				}
			}
			return ""
		},
		Windows: func(h http.Header, _ time.Time) []usage.Window {
			if h.Get("Used") == "" {
				return nil
			}
			return []usage.Window{{Name: usage.FiveHour, Used: 0.5}}
		},
		Judge: func(resp *http.Response, peek []byte, now time.Time) accounts.Verdict {
			switch resp.StatusCode {
			case http.StatusUnauthorized:
				return accounts.Verdict{Kind: accounts.Unauthorized, Evidence: "401"}
			case http.StatusForbidden:
				return accounts.Verdict{Kind: accounts.Forbidden, Evidence: "403"}
			case http.StatusTeapot:
				panic("a provider's fault")
			case http.StatusTooManyRequests:
			case 529:
				return accounts.Verdict{Kind: accounts.Overloaded}
			default:
				return accounts.Verdict{Evidence: string(peek)}
			}
			v := accounts.Verdict{Kind: accounts.Throttled, Evidence: "429"}
			if in, err := time.ParseDuration(resp.Header.Get("Reset-In")); err == nil {
				v = accounts.Verdict{Kind: accounts.Limited, Until: now.Add(in), Scope: resp.Header.Get("Reset-Scope"), Evidence: "429 five_hour"}
			}
			if wait, ok := accounts.RetryAfter(resp.Header, now, time.Second, 100*24*time.Hour); ok {
				v.Until = now.Add(wait)
			}
			return v
		},
	}
}

// kit is a transport with everything under it made of memory. What the upstream
// answers is up to answer, which is told whose token came.
type kit struct {
	t         *testing.T
	book      *book
	purse     *purse
	pool      *Pool
	journal   *accounts.Journal
	refresher *Refresher
	transport *Transport
	provider  *accounts.Provider
	settings  Settings

	mu   sync.Mutex
	seen []string // tokens, in turn
}

func newKit(t *testing.T, answer func(token string, r *http.Request) (*http.Response, error), ids ...accounts.ID) *kit {
	t.Helper()
	k := &kit{t: t, book: newBook(ids...), purse: newPurse(ids...), provider: houseProvider(), settings: houseSettings(house)}
	k.pool, k.journal = poolOf(t, k.book)
	settings := func(accounts.ProviderID) Settings { return k.settings }
	k.refresher = NewRefresher(RefresherOptions{Accounts: k.book, Tokens: k.purse, Pool: k.pool, Settings: settings})
	k.transport = NewTransport(TransportOptions{
		Pool: k.pool, Refresher: k.refresher, Settings: settings,
		Base: upstreamFunc(func(r *http.Request) (*http.Response, error) {
			token := strings.TrimPrefix(r.Header.Get("Authorization"), "Bearer ")
			k.mu.Lock()
			k.seen = append(k.seen, token)
			k.mu.Unlock()
			resp, err := answer(token, r)
			if r.Body != nil {
				_ = r.Body.Close()
			}
			return resp, err
		}),
	})
	return k
}

func (k *kit) request(ctx context.Context, body string) *http.Request {
	k.t.Helper()
	r, err := http.NewRequestWithContext(WithRoute(ctx, Route{Provider: k.provider}), http.MethodPost, k.provider.Upstream+"/v1/x?y=1", io.NopCloser(strings.NewReader(body)))
	if err != nil {
		k.t.Fatal(err)
	}
	r.ContentLength = int64(len(body))
	r.Host = "127.0.0.1:4747"
	return r
}

// send sends one request, and returns its answer with the body read and closed.
func (k *kit) send(body string) (*http.Response, string) {
	k.t.Helper()
	return k.do(k.request(k.t.Context(), body))
}

func (k *kit) do(r *http.Request) (*http.Response, string) {
	k.t.Helper()
	resp, err := k.transport.RoundTrip(r)
	if err != nil {
		k.t.Fatal(err)
	}
	got, err := io.ReadAll(resp.Body)
	if err != nil {
		k.t.Fatal(err)
	}
	if err := resp.Body.Close(); err != nil {
		k.t.Fatal(err)
	}
	if n := k.pool.InFlight(); n != 0 {
		k.t.Errorf("%d in flight after the end", n)
	}
	return resp, string(got)
}

func (k *kit) tokens() []string {
	k.mu.Lock()
	defer k.mu.Unlock()
	return slices.Clone(k.seen)
}

func (k *kit) wantTokens(want ...string) {
	k.t.Helper()
	if got := k.tokens(); !slices.Equal(got, want) {
		k.t.Errorf("the upstream saw %v, want %v", got, want)
	}
}

func (k *kit) cooldowns(id accounts.ID) []Cooldown {
	k.t.Helper()
	for _, m := range k.pool.Members(house) {
		if m.Account.ID == id {
			return m.Cooldowns
		}
	}
	k.t.Fatalf("no account %s", id)
	return nil
}

func (k *kit) wantCooling(id accounts.ID, kind string, d time.Duration) {
	k.t.Helper()
	for _, c := range k.cooldowns(id) {
		if c.Kind == kind {
			if left := time.Until(c.Until); left > d || left < d-time.Second {
				k.t.Errorf("%s cools for %v, want %v", id, left, d)
			}
			return
		}
	}
	k.t.Errorf("%s has no cooldown of kind %q: %+v", id, kind, k.cooldowns(id))
}

func (k *kit) wantUntouched(ids ...accounts.ID) {
	k.t.Helper()
	for _, id := range ids {
		if c := k.cooldowns(id); len(c) > 0 {
			k.t.Errorf("%s was punished: %+v", id, c)
		}
	}
}

func reply(status int, body string, fields ...string) (*http.Response, error) {
	h := make(http.Header)
	for i := 0; i < len(fields); i += 2 {
		h.Set(fields[i], fields[i+1])
	}
	return &http.Response{StatusCode: status, Header: h, Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body))}, nil
}

// byAccount answers by whose token came.
func byAccount(status map[string]int, fields ...string) func(string, *http.Request) (*http.Response, error) {
	return func(token string, _ *http.Request) (*http.Response, error) {
		id, _, _ := strings.Cut(token, "-")
		if s := status[id]; s != 0 {
			return reply(s, `{"error":{"message":"words of `+id+`"}}`, fields...)
		}
		return reply(200, "hello from "+id, "Used", "yes")
	}
}

func must(resp *http.Response, err error) *http.Response {
	if err != nil {
		panic(err)
	}
	return resp
}
