package rotation

import (
	"net/http"
	"strings"
	"testing"

	"github.com/oauthmux/oauthmux/accounts"
)

// crooked are targets that must go nowhere.
var crooked = []string{
	"http://api.anthropic.com/v1/messages", "https://api.anthropic.com/v1/messages", "http://evil.example/anthropic/v1/messages",
	"http://localhost:4747/anthropic/v1/messages", "ftp://evil.example/", "*", "evil.example:80",
	"//evil.example/v1/messages", "//evil.example/anthropic/v1/messages", "///anthropic/v1/messages", "//anthropic/v1/messages",
	"/anthropic//v1/messages", "/anthropic/v1//messages", "/anthropic//evil.example/v1/messages",
	"/anthropic/v1/messages/", "/anthropic/v1/messages/..", "/anthropic/v1/messages/.", "/anthropic/v1/./messages", "/anthropic/./v1/messages",
	"/anthropic/v1/../v1/messages", "/anthropic/../anthropic/v1/messages", "/../anthropic/v1/messages", "/mycorp/../anthropic/v1/messages",
	"/anthropic/v1/%2e%2e/v1/messages", "/anthropic/v1/%2E%2E/messages", "/anthropic/.%2e/v1/messages", "/mycorp/v1/%2e%2e/v2", "/mycorp/v1/..", "/mycorp/v1/../exact",
	"/anthropic%2fv1%2fmessages", "/anthropic/v1%2fmessages", "/anthropic/v1%2Fmessages", "/mycorp/v1/%2f%2fevil.example", "/mycorp/v1/a%2fb",
	"/anthropic/v1/%6dessages", "/anthropic/v1/messages%20", "/anthropic/v1/messages%00", "/anthropic/v1/messages%3Fbeta", "/mycorp/%65xact", "/mycorp/%76%31/",
	"/mycorp/v1/%252e%252e/x", "/mycorp/v1/a%5cb", `/mycorp/v1/a\b`, "/mycorp/v1/%00", `/anthropic\v1\messages`, "/mycorp/v1/%zz", "/mycorp/v1/%",
	"/@evil.example/v1/messages", "/anthropic@evil.example/v1/messages", "/anthropic:80/v1/messages", "/user:pass@anthropic/v1/messages",
	"/Anthropic/v1/messages", "/ANTHROPIC/v1/messages", "/anthropic /v1/messages", "/anthropic/V1/messages", "/anthropic/v1/Messages",
	"/api.anthropic.com/v1/messages", "/anthropic.evil.example/v1/messages", "/anthropic;x=1/v1/messages", "/anthropic/v1/messages;x=1",
	"/v1/messages", "/anthropic/v2/messages", "/anthropic/v1/messages2", "/anthropic/v1", "/anthropic/v1/", "/mycorp/v1", "/mycorp/v11/", "/mycorp/exact/", "/mycorp/exact/v1/",
	"/anthropic/api/oauth/usage", "/anthropic/v1/oauth/token", "/anthropic/v1/messages#frag", "/mycorp/v1/a b", "/mycorp/v1/\u00e9", "/mycorp/v1/a|b",
}

func TestT06_NoURLChangesWhereARequestGoes(t *testing.T) {
	var up asked
	d := open(t, &up)
	pass := map[string]string{ // target: what goes upstream
		"/anthropic/v1/messages":                          "https://api.anthropic.com/v1/messages",
		"/anthropic/v1/messages?beta=true":                "https://api.anthropic.com/v1/messages?beta=true",
		"/anthropic/v1/messages?url=http://evil.example/": "https://api.anthropic.com/v1/messages?url=http://evil.example/",
		"/anthropic/v1/messages?//evil.example":           "https://api.anthropic.com/v1/messages?//evil.example",
		"/anthropic/v1/messages?@evil.example":            "https://api.anthropic.com/v1/messages?@evil.example",
		"/anthropic/v1/messages?../../..":                 "https://api.anthropic.com/v1/messages?../../..",
		"/anthropic/v1/messages?host=evil.example&%2e%2e": "https://api.anthropic.com/v1/messages?host=evil.example&%2e%2e",
		"/anthropic/v1/messages/count_tokens":             "https://api.anthropic.com/v1/messages/count_tokens",
		"/mycorp/v1/":                                     "http://127.0.0.1:9/v1/",
		"/mycorp/v1/a/b.c":                                "http://127.0.0.1:9/v1/a/b.c",
		"/mycorp/v1/@evil.example":                        "http://127.0.0.1:9/v1/@evil.example",
		"/mycorp/v1/evil.example:80":                      "http://127.0.0.1:9/v1/evil.example:80",
		"/mycorp/v1/http:":                                "http://127.0.0.1:9/v1/http:",
		"/mycorp/v1/caf%C3%A9%20x":                        "http://127.0.0.1:9/v1/caf%C3%A9%20x",
		"/mycorp/v1/...":                                  "http://127.0.0.1:9/v1/...",
		"/mycorp/exact":                                   "http://127.0.0.1:9/exact",
		"/mycorp/v1/" + strings.Repeat("a/", 300):         "http://127.0.0.1:9/v1/" + strings.Repeat("a/", 300),
	}
	for target, want := range pass {
		status, body := d.raw(t, rawRequest("POST", target, "localhost:"+d.port))
		if status != http.StatusOK {
			t.Errorf("%s: got %d %s, want 200", target, status, body)
			continue
		}
		if got := up.last(); got.URL.String() != want || got.Host != "" {
			t.Errorf("%s: went to %s (Host %q), want %s", target, got.URL, got.Host, want)
		}
	}
	served := up.count()
	for _, target := range append(crooked, "http://localhost:"+d.port+"/anthropic/v1/messages") {
		status, body := d.raw(t, rawRequest("POST", target, "localhost:"+d.port))
		if status < 400 || status >= 500 {
			t.Errorf("%s: got %d %s, want a refusal", target, status, body)
		}
	}
	if got := up.count(); got != served {
		t.Errorf("the upstream was asked %d times more: %s", got-served, up.last().URL)
	}
}

func FuzzTargetStaysWithItsProvider(f *testing.F) {
	for _, seed := range []string{"/p/v1/x", "/p/v1/../x", "//p/v1", "/p/v1/%2e%2e", "http://x/", "/p/v1/%zz?", "/p@x/v1/", "/p/v1/a%2fb", "", "/", "?", "/p/v1//"} {
		f.Add(seed)
	}
	for _, seed := range crooked {
		f.Add(seed)
		f.Add(strings.NewReplacer("/anthropic", "/p", "/mycorp", "/p").Replace(seed))
	}
	p := &accounts.Provider{Paths: []accounts.Path{{Path: "/v1/"}, {Method: "POST", Path: "/exact"}}}
	f.Fuzz(func(t *testing.T, uri string) {
		target, ok := splitTarget(uri)
		if !ok || !target.allowed(p, "POST") {
			return
		}
		if target.raw != "/exact" && !strings.HasPrefix(target.raw, "/v1/") {
			t.Errorf("%q: %q is allowed", uri, target.raw)
		}
		if strings.Contains(target.path, "/../") || strings.HasSuffix(target.path, "/..") || strings.Contains(target.path, "//") || strings.ContainsAny(target.path, "\\\x00") {
			t.Errorf("%q: %q may be read in two ways", uri, target.path)
		}
		if "/"+target.first+target.raw != strings.SplitN(uri, "?", 2)[0] {
			t.Errorf("%q: split into %q and %q", uri, target.first, target.raw)
		}
	})
}
