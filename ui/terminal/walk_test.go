//go:build unix

package terminal

import (
	"io"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/oauthmux/oauthmux/accounts/simulator"
)

// The one walk: a person who never saw the program adds an account, makes it the
// preferred one, sees why another one is cooling and when it returns, connects a
// client, and leaves. Every key pressed here is one that the screen names.
func TestAStrangerFindsTheWayByTheScreenAlone(t *testing.T) {
	t.Parallel()
	h := newHome(t, ada, mary)
	h.signsIn("ada")
	h.provider.Inject(simulator.Fault{Kind: simulator.QuotaFiveHour, User: "ada", ResetsIn: 38 * time.Minute})

	m := open(t, ordinary, h.environment()...)
	m.runs("oauthmux")
	m.until("a row for ada", func(screen string) bool { return row(screen, "ada") != "" })
	lines := regexp.MustCompile(`=(\S+)`).FindAllStringSubmatch(h.does("env"), -1)
	if status, _ := ask(t, lines[0][1], lines[1][1]); status != http.StatusTooManyRequests {
		t.Fatalf("with one account that is limited a client got %d", status)
	}
	m.finds(`Every account is out: ada returns first, in 3\d:\d\d`)
	m.called("all-out")

	m.follows("add")
	m.shows("How do you want to sign in?", "paste the code")
	m.press("Down")
	m.finds(`▌ paste the code`)
	m.follows("go on")
	m.shows("Paste the code")
	m.pastes(h.code(address(m), "mary"))
	m.until("what to do with the code", func(screen string) bool { return strings.Contains(screen, "enter send") })
	m.follows("send the code")
	m.shows("signed in as mary@home.example", "Label")
	m.press(slices.Repeat([]string{"BSpace"}, 60)...) // more than the label that is offered has
	m.types("mary")
	m.press("Enter")
	m.until("a row for mary", func(screen string) bool { return row(screen, "mary") != "" && !has(screen, "Label") })

	m.until("mary to be selected", func(screen string) bool { return strings.HasPrefix(row(screen, "mary"), " ▌") })
	m.follows("switch")
	prefers(m, "mary")

	if status, _ := ask(t, lines[0][1], lines[1][1]); status != http.StatusOK {
		t.Fatalf("with mary a client got %d", status)
	}
	first := cooldown(m.until("a cooldown of ada", func(screen string) bool { return cooldown(screen, "ada") != "" }), "ada")
	m.until("less than "+first, func(screen string) bool { return cooldown(screen, "ada") != "" && cooldown(screen, "ada") != first })
	m.press("Up")
	m.finds(`cooling until (\w+ )?\d\d:\d\d`) // with its day when it is tomorrow
	m.follows("why")
	m.finds(`│ +◔ cooling until (\w+ )?\d\d:\d\d, 3\d:\d\d left`)
	m.finds(`│ +1 request passed it by since`)
	m.finds(`│ +ada +limited +5-hour limit reached`)
	m.finds(`│ +ada +skipped +5-hour limit reached`)
	m.finds(`│ +mary +served`)
	m.called("why-cooling")
	m.follows("back")
	m.hides("Why ada")

	m.follows("connect")
	m.shows("ANTHROPIC_BASE_URL")
	m.follows("show the key")
	shown := m.finds(`(?s)\nexport ANTHROPIC_BASE_URL=(\S+)\nexport ANTHROPIC_AUTH_TOKEN=(omx_[\w-]{20,})\n`)
	m.called("connect-shown")
	m.follows("back")
	m.hides("ANTHROPIC_BASE_URL") // an escape and the next key would be one
	answered, served := ask(t, shown[1], shown[2])
	if answered != http.StatusOK {
		t.Errorf("a client with these lines got %d", answered)
	}
	if want := h.status().Accounts[1]; want.Label != "mary" || served != want.ID {
		t.Errorf("it was served by %s, not by mary: %+v", served, want)
	}
	m.press("Down")
	m.shows("2 requests today", "○ idle") // before that it would ask

	m.follows("quit")
	if status := m.status(); status != 0 {
		t.Errorf("exit status %d", status)
	}
	isClean(t, m)
	if v := h.provider.Counts().Violations; len(v) > 0 {
		t.Errorf("the provider saw what it must not see: %v", v)
	}
}

// follows presses the key that the last line of the screen names for what it does.
func (m *terminal) follows(does string) {
	m.t.Helper()
	named := regexp.MustCompile(` (\S+) ` + regexp.QuoteMeta(does) + `(  .*)?$`)
	key := named.FindStringSubmatch(m.until("a key to "+does, named.MatchString))[1]
	for name, tmux := range map[string]string{"enter": "Enter", "esc": "Escape"} {
		key = strings.ReplaceAll(key, name, tmux)
	}
	m.press(key)
}

// ask is a client: it sends one message and returns the status, and who served it.
func ask(t *testing.T, base, key string) (status int, account string) {
	t.Helper()
	const body = `{"model":"claude-sonnet-4-5","max_tokens":8,"messages":[{"role":"user","content":"hi"}]}`
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, base+"/v1/messages", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Authorization", "Bearer "+key)
	r.Header.Set("Content-Type", "application/json")
	r.Header.Set("Anthropic-Version", "2023-06-01")
	client := http.Client{Transport: &http.Transport{DisableKeepAlives: true}}
	resp, err := client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_, err = io.Copy(io.Discard, resp.Body)
	if closing := resp.Body.Close(); err != nil || closing != nil {
		t.Fatal(err, closing)
	}
	return resp.StatusCode, resp.Header.Get("Oauthmux-Account")
}
