package simulator

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Traffic plays clients: several conversations that send requests to a base URL,
// one after another each, at a jittered pace, some of them streamed. Set the
// fields, then Run; Counts may be asked meanwhile.
type Traffic struct {
	BaseURL string // http://127.0.0.1:4747/anthropic: /v1/messages is appended
	Key     string // sent as bearer token

	Sessions      int           // conversations at a time; 0: 4
	SessionLength int           // requests of a conversation before another begins; 0: 12
	Models        []string      // taken in turn by conversation; nil: two
	StreamShare   float64       // share of streamed requests, 0 to 1
	Pace          time.Duration // mean pause between two requests of a conversation; 0: 1 s
	Client        *http.Client  // nil: one of its own
	Seed          uint64        // of the jitter

	mu     sync.Mutex // guards counts
	counts TrafficCounts
}

// TrafficCounts is what the clients saw so far.
type TrafficCounts struct {
	Sent      int
	Good      int // 200, complete
	Limited   int // 429
	Refused   int // any other status
	Failed    int // no answer, or a stream that broke
	Streams   int
	Attempts  int            // as the answers say it in Oauthmux-Attempts
	Failovers int            // answers that took more than one attempt
	ByAccount map[string]int // good answers by the account that the answer names
}

// Counts returns what the clients saw so far.
func (t *Traffic) Counts() TrafficCounts {
	t.mu.Lock()
	defer t.mu.Unlock()
	c := t.counts
	c.ByAccount = maps.Clone(c.ByAccount)
	return c
}

// Run sends until ctx ends, and returns when every conversation has ended.
func (t *Traffic) Run(ctx context.Context) error {
	client := t.Client
	if client == nil {
		transport := &http.Transport{MaxIdleConnsPerHost: 64}
		defer transport.CloseIdleConnections()
		client = &http.Client{Transport: transport}
	}
	var talkers sync.WaitGroup
	for i := range orElse(t.Sessions, 4) {
		talker := &talker{
			t: t, client: client, number: i,
			random: rand.New(rand.NewPCG(t.Seed, uint64(i))), //nolint:gosec // G404, G115: jitter, and a small number
		}
		talkers.Go(func() { talker.run(ctx) })
	}
	talkers.Wait()
	return ctx.Err()
}

func (t *Traffic) count(change func(*TrafficCounts)) {
	t.mu.Lock()
	defer t.mu.Unlock()
	change(&t.counts)
}

// talker is one client that leads one conversation after another.
type talker struct {
	t      *Traffic
	client *http.Client
	number int
	random *rand.Rand

	session string
	model   string
	turn    int // of the conversation
}

// Pauses of a client that was refused.
const (
	pauseAfterFailure = 500 * time.Millisecond
	pauseLongest      = 5 * time.Second
)

func (k *talker) run(ctx context.Context) {
	models := k.t.Models
	if len(models) == 0 {
		models = []string{"claude-sonnet-4-5", "claude-opus-4-5"}
	}
	pace := orElse(k.t.Pace, time.Second)
	length := orElse(k.t.SessionLength, 12)
	pause := time.Duration(k.random.Float64() * float64(pace)) // not all at once
	for n := 0; ; n++ {
		if n%length == 0 {
			k.session = uuidOf("session", strconv.FormatUint(k.random.Uint64(), 16))
			k.model = models[(n/length+k.number)%len(models)]
			k.turn = 0
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		k.turn++
		pause = max(k.send(ctx), time.Duration((0.5+k.random.Float64())*float64(pace)))
	}
}

// send sends one request, and returns how long the answer asks to wait at least.
func (k *talker) send(ctx context.Context) time.Duration {
	stream := k.random.Float64() < k.t.StreamShare
	r, err := k.request(ctx, stream)
	if err != nil {
		k.t.count(func(c *TrafficCounts) { c.Failed++ })
		return pauseLongest
	}
	k.t.count(func(c *TrafficCounts) {
		c.Sent++
		if stream {
			c.Streams++
		}
	})
	resp, err := k.client.Do(r)
	if err != nil {
		if ctx.Err() == nil {
			k.t.count(func(c *TrafficCounts) { c.Failed++ })
		}
		return pauseAfterFailure
	}
	defer resp.Body.Close() //nolint:errcheck // read to its end, or given up
	var tail tailBuffer
	_, err = io.Copy(&tail, resp.Body)
	if ctx.Err() != nil {
		return 0
	}
	whole := err == nil && (resp.StatusCode != http.StatusOK || !stream || tail.holds("message_stop"))
	k.t.count(func(c *TrafficCounts) { c.saw(resp, whole) })
	if resp.StatusCode < http.StatusBadRequest {
		return 0
	}
	seconds, _ := strconv.Atoi(resp.Header.Get("Retry-After"))
	return min(max(time.Duration(seconds)*time.Second, pauseAfterFailure), pauseLongest)
}

func (c *TrafficCounts) saw(resp *http.Response, whole bool) {
	attempts, _ := strconv.Atoi(resp.Header.Get("Oauthmux-Attempts"))
	c.Attempts += attempts
	if attempts > 1 {
		c.Failovers++
	}
	switch {
	case !whole:
		c.Failed++
	case resp.StatusCode == http.StatusOK:
		c.Good++
		if c.ByAccount == nil {
			c.ByAccount = make(map[string]int)
		}
		c.ByAccount[resp.Header.Get("Oauthmux-Account")]++
	case resp.StatusCode == http.StatusTooManyRequests:
		c.Limited++
	default:
		c.Refused++
	}
}

// request is what an ordinary client sends: a conversation that grows.
func (k *talker) request(ctx context.Context, stream bool) (*http.Request, error) {
	type turn struct {
		Role    string `json:"role"`
		Content string `json:"content"`
	}
	var turns []turn
	for i := range k.turn {
		turns = append(turns, turn{"user", fmt.Sprintf("Question %d: what is next?", i+1)})
		if i+1 < k.turn {
			turns = append(turns, turn{"assistant", strings.Join(sentence[:], "")})
		}
	}
	body, err := json.Marshal(map[string]any{
		"model": k.model, "max_tokens": 1024, "stream": stream,
		"system": strings.Repeat("You are a helpful assistant. ", 40), "messages": turns,
		"metadata": map[string]string{"user_id": "session_" + k.session},
	})
	if err != nil {
		return nil, err
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, k.t.BaseURL+PathMessages+"?beta=true", bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	r.Header.Set("Authorization", "Bearer "+k.t.Key)
	r.Header.Set("Anthropic-Version", "2023-06-01")
	r.Header.Set("Content-Type", typeJSON)
	r.Header.Set("User-Agent", "oauthmux-demo")
	r.Header.Set("X-Claude-Code-Session-Id", k.session)
	return r, nil
}

// tailBuffer keeps the last bytes that were written to it.
type tailBuffer struct{ last []byte }

func (b *tailBuffer) Write(p []byte) (int, error) {
	const keep = 256
	b.last = append(b.last, p[max(len(p)-keep, 0):]...)
	b.last = b.last[max(len(b.last)-keep, 0):]
	return len(p), nil
}

func (b *tailBuffer) holds(text string) bool { return bytes.Contains(b.last, []byte(text)) }
